"""A redacted recording as text, as HTML, and as a Mermaid sequence diagram."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from authnb.recording.redact import Exchange, Value

_MAX_MESSAGE_LENGTH = 80  # characters on one arrow of the diagram
_HEADERS = {
    "Content-Type",
    "Cache-Control",
    "Cookie",
    "Set-Cookie",
    "Location",
    "Authorization",
    "WWW-Authenticate",
}
# JupyterLab aligns table cells to the right
_STYLE = "<style>.authnb-record :is(td,th){text-align:left!important;vertical-align:top}</style>"


def as_text(exchanges: Sequence[Exchange], *, details: bool = False) -> str:
    """A line for each exchange; with ``details`` followed by its parameters."""
    if not exchanges:
        return "Nothing recorded."
    lines = []
    for exchange in exchanges:
        lines.append(str(exchange))
        if details:
            lines += [f"      > {value.name}: {value.shown}" for value in exchange.sent]
            lines += [f"      > DPoP proof {value.name}: {value.shown}" for value in exchange.proof]
            lines += [f"      > client assertion {value.name}: {value.shown}" for value in exchange.assertion]
            lines += [f"      < {value.name}: {value.shown}" for value in exchange.received]
            lines += [f"      < ID token {value.name}: {value.shown}" for value in exchange.id_token]
    return "\n".join(lines)


def as_html(exchanges: Sequence[Exchange], notice: str = "") -> str:
    """A row for each exchange that opens to its parameters, their meaning, and the section of the standard."""
    if not exchanges:
        return "<p>Nothing recorded.</p>"
    body = "".join(_row(exchange) for exchange in exchanges)
    note = f"<p>{escape(notice)}</p>" if notice else ""
    return f'{_STYLE}<div class="authnb-record">{note}{body}</div>'


def _row(exchange: Exchange) -> str:
    tables = [
        _table("Sent", exchange.sent),
        _table("DPoP proof, decoded", exchange.proof),
        _table("Client assertion, decoded", exchange.assertion),
        _table("Received", exchange.received),
        _table("ID token, decoded", exchange.id_token),
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
    """The sequence diagram, with parameter names on the arrows and no values."""
    exchanges = tuple(exchanges)
    present = {name for exchange in exchanges for name in (exchange.sender, exchange.receiver)}
    lines = ["sequenceDiagram"]
    lines += [
        f"    participant {name}" for name in ("browser", "client", "provider", "API") if name in present
    ]
    for exchange in exchanges:
        path = re.sub(r"^\w+://[^/]+", "", exchange.address) or "/"
        request = _message(f"{exchange.method} {path}", exchange.sent)
        lines.append(f"    {exchange.sender}->>{exchange.receiver}: {request}")
        if exchange.error or exchange.status:
            response = _message(str(exchange.error or exchange.status), exchange.received)
            lines.append(f"    {exchange.receiver}-->>{exchange.sender}: {response}")
        if exchange.sender == "client" and any(value.name == "user_code" for value in exchange.received):
            lines.append(f"    Note over {exchange.receiver}: a person enters the user code")
    return "\n".join(lines)


def _message(what: str, values: Iterable[Value]) -> str:
    names = [value.name for value in values if value.name not in _HEADERS]
    text = " ".join([what, ", ".join(names)]).strip()
    while len(text) > _MAX_MESSAGE_LENGTH and names:
        names.pop()
        text = " ".join([what, ", ".join([*names, "…"])])
    return re.sub(r"[;#\n\r%<>]", " ", text)
