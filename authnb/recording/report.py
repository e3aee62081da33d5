"""A report that `Recording.save` wrote, read again. It may come from somebody else: nothing in it is believed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from authnb.errors import AuthnbError
from authnb.recording.explain import explanation_of
from authnb.recording.known import CHALLENGES, is_of_its_type
from authnb.recording.redact import Exchange, Value, length
from authnb.transport.text import printable

if TYPE_CHECKING:
    from pathlib import Path

_MAX_SIZE = 4_000_000  # bytes; a sign-in has some ten thousand
_MAX_LENGTH = 200  # characters of a value, as they are written
_EXCHANGE = re.compile(
    r" *(?P<number>\d{1,6})  (?P<sender>browser|client) → (?P<receiver>client|provider|API)"
    r"  (?P<method>[A-Z]{1,20}) (?P<address>https?://\S+)(?:  (?:(?P<status>\d{3})|(?P<error>\w{1,60})))?\s*"
)
_VALUE = re.compile(
    r"      (?P<way>[<>]) (?:(?P<jwt>ID token|DPoP proof|client assertion) )?(?P<name>\S.{0,199}?):(?: (?P<shown>.*))?"
)
_JWTS = {
    "ID token": "",
    "DPoP proof": "proof",
    "client assertion": "assertion",
}  # as `explanation_of` takes them
_REWRITTEN = re.compile(r"true|false|now|at no time|in \d{1,9} minutes?|\d{1,9} minutes? ago")
_PLACEHOLDER = re.compile(
    rf'(?:(?:Bearer|DPoP|Basic)(?: error="(?:{"|".join(CHALLENGES)})")? )?\[(?:\d{{1,9}} characters|not shown|…)\]',
    re.IGNORECASE,
)


def read_report(path: Path) -> tuple[Exchange, ...]:
    """The exchanges of a report; lines that are none of its are passed over.

    What is secret or unknown by its name is hidden here again, in case the file was changed. Raises OSError if the
    file cannot be read, and `AuthnbError` if there is no exchange in it.
    """
    with path.open("rb") as file:
        text = file.read(_MAX_SIZE).decode("utf-8", errors="replace")
    found: list[tuple[re.Match[str], dict[str, list[Value]]]] = []
    for line in text.splitlines():
        if exchange := _EXCHANGE.fullmatch(line):
            found.append((exchange, {name: [] for name in ("<", ">", *_JWTS)}))
        elif found and (value := _VALUE.fullmatch(line)):
            found[-1][1][value["jwt"] or value["way"]].append(_value(value))
    if not found:
        raise AuthnbError(
            "invalid_report",
            f"Reading {path.name} as a recording failed: it has no line of an exchange. Give the file that "
            "recording.save() wrote, whole and as text.",
        )
    return tuple(_exchange(number, match, values) for number, (match, values) in enumerate(found, 1))


def _exchange(number: int, match: re.Match[str], values: dict[str, list[Value]]) -> Exchange:
    return Exchange(
        number=number,
        sender=match["sender"],
        receiver=match["receiver"],
        method=match["method"],
        address=_address(match["address"]),
        sent=tuple(values[">"]),
        status=int(match["status"]) if match["status"] else None,
        received=tuple(values["<"]),
        id_token=tuple(values["ID token"]),
        proof=tuple(values["DPoP proof"]),
        assertion=tuple(values["client assertion"]),
        error=match["error"],
    )


def _value(match: re.Match[str]) -> Value:
    name, shown = printable(match["name"], _MAX_LENGTH), printable(match["shown"] or "", _MAX_LENGTH)
    jwt = _JWTS.get(match["jwt"], "")
    explanation = explanation_of(name, shown, jwt)
    known = explanation is not None and explanation.public
    if name == "Location":
        shown = re.split(r"[?#]", shown)[0]
    as_written = known and (is_of_its_type(name, shown) or _REWRITTEN.fullmatch(shown))
    return Value(name, shown if as_written or _PLACEHOLDER.fullmatch(shown) else length(shown), jwt)


def _address(text: str) -> str:
    """Without user name, query and fragment, in which a secret could be."""
    return printable(re.sub(r"//[^/@]*@", "//", re.split(r"[?#]", text)[0]), _MAX_LENGTH)
