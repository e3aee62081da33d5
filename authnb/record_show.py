"""A recording as text, as a table of HTML, and as a Mermaid diagram: what may be shown, and nothing else."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from authnb.record_redact import Exchange, Value

_LONGEST_MESSAGE = 80  # characters on one arrow of the diagram, so that all of it can be read
_HEADERS = {
    "Content-Type",
    "Cache-Control",
    "Cookie",
    "Set-Cookie",
    "Location",
    "Authorization",
    "WWW-Authenticate",
}
# JupyterLab sets numbers to the right, and with them all else
_STYLE = "<style>.authnb-record :is(td,th){text-align:left!important;vertical-align:top}</style>"


def as_text(exchanges: Sequence[Exchange], *, details: bool = False) -> str:
    """One line for each exchange; with ``details`` its parameters below it."""
    if not exchanges:
        return "Nothing recorded."
    lines = []
    for exchange in exchanges:
        lines.append(str(exchange))
        if details:
            lines += [f"      > {value.name}: {value.shown}" for value in exchange.sent]
            lines += [f"      < {value.name}: {value.shown}" for value in exchange.received]
            lines += [f"      < ID token {value.name}: {value.shown}" for value in exchange.id_token]
    return "\n".join(lines)


def as_html(exchanges: Sequence[Exchange], notice: str = "") -> str:
    """A line for each exchange that opens to its parameters, what they mean, and where a standard says so."""
    if not exchanges:
        return "<p>Nothing recorded.</p>"
    body = "".join(_row(exchange) for exchange in exchanges)
    note = f"<p>{escape(notice)}</p>" if notice else ""
    return f'{_STYLE}<div class="authnb-record">{note}{body}</div>'


def _row(exchange: Exchange) -> str:
    tables = [
        _table("Sent", exchange.sent),
        _table("Came back", exchange.received),
        _table("The ID token, taken apart", exchange.id_token),
    ]
    return f"<details><summary><code>{escape(str(exchange))}</code></summary>{''.join(tables)}</details>"


def _table(title: str, values: Iterable[Value]) -> str:
    rows = "".join(_value_row(value) for value in values)
    return (
        f"<table><thead><tr><th colspan=3>{title}</th></tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else ""
    )


def _value_row(value: Value) -> str:
    explanation = value.explanation
    meaning = ""
    if explanation is not None:
        link = f'<a href="{explanation.link}" target="_blank" rel="noopener">{explanation.source}</a>'
        meaning = f"{escape(explanation.meaning)} ({link})"
    return (
        f"<tr><td><code>{escape(value.name)}</code></td><td>{escape(value.shown)}</td><td>{meaning}</td></tr>"
    )


def as_mermaid(exchanges: Iterable[Exchange]) -> str:
    """The sequence diagram. Names of parameters stand on the arrows, values nowhere."""
    exchanges = tuple(exchanges)
    there = {name for exchange in exchanges for name in (exchange.sender, exchange.receiver)}
    lines = ["sequenceDiagram"]
    lines += [f"    participant {name}" for name in ("browser", "client", "provider", "API") if name in there]
    for exchange in exchanges:
        path = re.sub(r"^\w+://[^/]+", "", exchange.address) or "/"
        asked = _message(f"{exchange.method} {path}", exchange.sent)
        lines.append(f"    {exchange.sender}->>{exchange.receiver}: {asked}")
        if exchange.error or exchange.status:
            came = _message(str(exchange.error or exchange.status), exchange.received)
            lines.append(f"    {exchange.receiver}-->>{exchange.sender}: {came}")
        if exchange.sender == "client" and any(value.name == "user_code" for value in exchange.received):
            lines.append(f"    Note over {exchange.receiver}: a person enters the user code")
    return "\n".join(lines)


def _message(what: str, values: Iterable[Value]) -> str:
    names = [value.name for value in values if value.name not in _HEADERS]
    text = " ".join([what, ", ".join(names)]).strip()
    while len(text) > _LONGEST_MESSAGE and names:
        names.pop()
        text = " ".join([what, ", ".join([*names, "…"])])
    return re.sub(r"[;#\n\r%<>]", " ", text)
