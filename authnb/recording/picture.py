"""A replay as it is kept in a notebook: a sequence diagram, and its steps as a list. It holds no values."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Pixels of the diagram
_LANE, _HEAD, _ROW, _MARGIN, _BOX = 200, 56, 52, 12, 164
_CHARACTER = 6.7  # of the labels, about
_FRONT_DASHES = "7 5"
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328;text-anchor:middle}"
    ".label{paint-order:stroke;stroke:#fff;stroke-width:5px}"
    ".head{font-weight:600}"
    "line{stroke:#1565c0;stroke-width:2}"
    ".lane{stroke:#d0d7de;stroke-width:1}"
    "rect{fill:#f6f8fa;stroke:#d0d7de}"
    "path{fill:#1565c0}"
)


def as_lines(replay: Mapping[str, Any]) -> Iterator[str]:
    """The title, and a line for each step."""
    yield replay["title"]
    if not replay["hops"]:
        yield replay["words"]["empty"]
    for number, hop in enumerate(replay["hops"], 1):
        yield f"{number:2}. {_way(replay, hop)}, {_channel(replay, hop)}: {hop['title']}"


def as_html(replay: Mapping[str, Any]) -> str:
    """The diagram and its steps; hidden by replay.js where the replay itself is shown."""
    words, name = replay["words"], escape(replay["picture"])
    if not replay["hops"]:
        return _kept(name, replay["title"], f"<p>{escape(words['empty'])}</p>")
    image = (
        f'<img src="data:image/svg+xml,{quote(as_svg(replay))}" style="max-width:100%;height:auto" '
        f'alt="{escape(words["picture"].format(title=replay["title"]))}">'
    )
    steps = "".join(f"<li>{_step(replay, hop)}</li>" for hop in replay["hops"])
    return _kept(name, replay["title"], f"{image}<ol>{steps}</ol>")


def _kept(name: str, title: str, content: str) -> str:
    return (
        f"{_swap(name)}<div class='authnb-replay-picture' data-authnb-replay='{name}'>"
        f"<p><b>{escape(title)}</b></p>{content}</div>"
    )


def _swap(name: str) -> str:
    """What hides JupyterLab's error for a widget whose kernel is gone; without a live view it is all that is there."""
    dead = f".jp-OutputArea-child:has(+ .jp-OutputArea-child [data-authnb-replay='{name}'])"
    return f"<style>{dead}:not(:has(.authnb-replay)){{display:none}}</style>"


def _step(replay: Mapping[str, Any], hop: Mapping[str, Any]) -> str:
    way = f"{_way(replay, hop)}, {_channel(replay, hop)}"
    names = ", ".join(f"<code>{escape(str(one['name']))}</code>" for one in hop["parameters"])
    said = replay["words"]["parameter_names"].format(names=names) if names else ""
    return f"<b>{escape(hop['title'])}</b> ({escape(way)}). {escape(hop['says'])} {said}"


def _way(replay: Mapping[str, Any], hop: Mapping[str, Any]) -> str:
    names = {party["id"]: party["name"] for party in replay["parties"]}
    sender, receiver = (names.get(hop[end], hop[end]) for end in ("from", "to"))
    form = replay["words"]["alone" if hop["from"] == hop["to"] else "way"]
    return str(form.format_map({"from": sender, "to": receiver}))


def _channel(replay: Mapping[str, Any], hop: Mapping[str, Any]) -> str:
    return str(replay["words"][hop["channel"]]).lower()


def as_svg(replay: Mapping[str, Any]) -> str:
    """The sequence diagram: solid lines for the back channel, dashed ones for the front channel."""
    parties, hops = replay["parties"], replay["hops"]
    lanes = {party["id"]: _LANE * number + _LANE // 2 for number, party in enumerate(parties)}
    width, height = _LANE * len(parties), _HEAD + _ROW * len(hops) + _MARGIN
    heads = "".join(_head(lanes[party["id"]], party["name"], height) for party in parties)
    rows = "".join(
        _arrow(f"{number}. {hop['title']}", hop, lanes, _HEAD + _ROW * number - _MARGIN, width)
        for number, hop in enumerate(hops, 1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<style>{_STYLE}</style><path d="M0 0h{width}v{height}H0z" style="fill:#fff"/>{heads}{rows}</svg>'
    )


def _head(x: int, name: str, height: int) -> str:
    left = x - _BOX // 2
    return (
        f'<line class="lane" x1="{x}" x2="{x}" y1="{_HEAD - 10}" y2="{height - 4}"/>'
        f'<rect x="{left}" y="8" width="{_BOX}" height="38" rx="6"/>'
        f'<text class="head" x="{x}" y="32">{escape(_cut(name, _BOX - 16))}</text>'
    )


def _arrow(label: str, hop: Mapping[str, Any], lanes: Mapping[str, int], y: int, width: int) -> str:
    if not {hop["from"], hop["to"]} <= set(lanes):
        return ""
    start, end = lanes[hop["from"]], lanes[hop["to"]]
    middle = (start + end) // 2
    room = 2 * min(middle, width - middle) - 2 * _MARGIN
    text = f'<text class="label" x="{middle}" y="{y - 12}">{escape(_cut(label, room))}</text>'
    if start == end:
        return f'{text}<path d="{_polygon([(-5, 0), (0, -5), (5, 0), (0, 5)], start, y)}"/>'
    back = 1 if end > start else -1
    tip = _polygon([(0, 0), (-10 * back, -5), (-10 * back, 5)], end, y)
    dashes = f' stroke-dasharray="{_FRONT_DASHES}"' if hop["channel"] == "front" else ""
    return f'{text}<line x1="{start}" x2="{end - 8 * back}" y1="{y}" y2="{y}"{dashes}/><path d="{tip}"/>'


def _polygon(points: Sequence[tuple[int, int]], x: int, y: int) -> str:
    return f"M{'L'.join(f'{x + right} {y + down}' for right, down in points)}z"


def _cut(text: str, pixels: int) -> str:
    limit = max(4, int(pixels / _CHARACTER))
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
