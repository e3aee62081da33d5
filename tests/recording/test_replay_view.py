"""What a notebook keeps of a replay, and the words of its view."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from bs4 import BeautifulSoup

import authnb.recording
from authnb.recording.widget import ReplayWidget
from authnb.recording.words import WORDS

FOLDER = Path(authnb.recording.__file__).parent
SECRET = "the value of a code"  # no code is like it
HOSTILE = "\u202e<script>alert(1)</script>'\"&{title}"


def replay(text: str = "a step", value: str | None = None) -> dict[str, Any]:
    """One that goes from one party to another, to itself, and back, with this text all over it."""
    parameter = {"name": text, "value": value, "hidden": None, "meaning": text, "section": text, "url": text}
    hop = {
        "channel": "front",
        "title": text,
        "says": text,
        "status": 200,
        "jwts": [],
        "knows": {"a": [text]},
    }
    ends = [("a", "b"), ("b", "b"), ("b", "a")]
    hops = [{**hop, "from": one, "to": other, "parameters": [parameter]} for one, other in ends]
    hops[1]["channel"] = "back"
    return {
        "title": text,
        "parties": [{"id": id_, "name": text} for id_ in "ab"],
        "hops": hops,
        "defences": [],
    }


def diagram(widget: ReplayWidget) -> ET.Element:
    """The picture in the saved HTML, read as a front end does."""
    image = BeautifulSoup(widget._repr_mimebundle_()[0]["text/html"], "html.parser").find("img")
    assert image
    return ET.fromstring(unquote(str(image["src"]).removeprefix("data:image/svg+xml,")))  # noqa: S314 - ours


def test_the_picture_shows_all_steps_and_lists_them() -> None:
    widget = ReplayWidget(replay())
    page = BeautifulSoup(widget._repr_mimebundle_()[0]["text/html"], "html.parser")
    assert len(page.find_all("li")) == 3
    assert page.find("img", alt="a step as a sequence diagram; its steps are listed below.")
    texts = [text.text for text in diagram(widget).iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["a step", "a step", "1. a step", "2. a step", "3. a step"]
    dashes = [
        line.get("stroke-dasharray") for line in diagram(widget).iter("{http://www.w3.org/2000/svg}line")
    ]
    assert dashes == [None, None, "7 5", "7 5"], "two lanes, and the front channel in dashes"
    assert repr(widget).splitlines() == [
        "a step",
        " 1. a step → a step, front channel: a step",
        " 2. a step, back channel: a step",
        " 3. a step → a step, front channel: a step",
    ]


def test_nothing_that_is_kept_has_a_value_that_was_revealed() -> None:
    """Neither the outputs, nor the state that a front end may save, nor what a person prints."""
    widget = ReplayWidget(replay(), replay(value=SECRET))
    assert widget.replay["more"] is True
    for kept in (
        widget._repr_mimebundle_(),
        widget.get_state(),
        repr(widget),
        widget.replay,
    ):
        assert SECRET not in str(kept)


def test_what_was_recorded_is_text_in_the_picture() -> None:
    widget = ReplayWidget(replay(HOSTILE))
    bundle, _ = widget._repr_mimebundle_()
    page = BeautifulSoup(bundle["text/html"], "html.parser")
    assert not page.find_all("script")
    assert {tag.name for tag in page.find_all(True)} == {"style", "div", "p", "b", "img", "ol", "li", "code"}
    assert "<script>alert(1)</script>'\"&{title}" in page.text
    assert not [one for one in diagram(widget).iter() if one.tag.endswith("script")]
    assert "\u202e" not in bundle["text/html"] + unquote(bundle["text/html"]) + bundle["text/plain"]


@pytest.mark.parametrize("text", ["", "a" * 9000])
def test_texts_of_any_length_are_drawn(text: str) -> None:
    assert max((len(one.text or "") for one in diagram(ReplayWidget(replay(text))).iter()), default=0) < 1000


def test_every_word_of_the_view_comes_from_python() -> None:
    """So that another language needs no script: each word is there, none is left over, and the script has none."""
    script = (FOLDER / "static" / "replay.js").read_text(encoding="utf-8")
    by_name = {"front", "back", "front_means", "back_means"}  # words[channel]
    by_name |= {"jwt_id_token", "jwt_proof", "jwt_assertion"}  # words[`jwt_${jwt.name}`]
    used = set(re.findall(r"\bwords\.(\w+)", script))
    assert used <= set(WORDS)
    python = "".join((FOLDER / name).read_text(encoding="utf-8") for name in ("picture.py", "widget.py"))
    assert {name for name in set(WORDS) - used - by_name if f'"{name}"' not in python} == set()
    literals = re.findall(r"\"[^\"\n]*\"|`[^`]*`", re.sub(r"^\s*//.*", "", script, flags=re.MULTILINE))
    assert [one for one in literals if re.search(r"\b[A-Z][a-z]+ \w|[a-z] [a-z]+ [a-z]+\b(?!-)", one)] == []
