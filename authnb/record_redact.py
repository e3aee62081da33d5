"""What of an exchange may be kept: names always, values only where they open nothing and tell of nobody."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from joserfc.util import urlsafe_b64decode

from authnb.record_explain import EXPLANATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from authnb.exchange import Seen
    from authnb.record_explain import Explanation

_REQUEST_HEADERS = ("Authorization", "Content-Type", "Cookie")
_ANSWER_HEADERS = (
    "Content-Type",
    "Location",
    "WWW-Authenticate",
    "Retry-After",
    "Cache-Control",
    "Set-Cookie",
)
_TIMES = {"exp", "iat", "auth_time"}
_MOST_MEMBERS = 60  # shown of one answer
_LONGEST = 200  # characters shown of one value
_SHORTEST_SECRET = 4  # characters; shorter ones would blot out ordinary words


@dataclass(frozen=True)
class Value:
    """A parameter, header or claim as it may be shown."""

    name: str
    shown: str

    @property
    def explanation(self) -> Explanation | None:
        """What it means, if we know."""
        return EXPLANATIONS.get(self.name)


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One exchange as it may be shown. ``status`` is None where the answer was not ours to see."""

    number: int
    sender: str
    receiver: str
    method: str
    address: str
    sent: tuple[Value, ...]
    status: int | None
    received: tuple[Value, ...]
    id_token: tuple[Value, ...]
    error: str | None

    def __str__(self) -> str:
        came = self.error or self.status or ""
        return (
            f"{self.number:2}  {self.sender} → {self.receiver}  {self.method} {self.address}  {came}".rstrip()
        )


def length(value: object) -> str:
    """What is told of a value that is not shown."""
    return f"[{len(value)} characters]" if isinstance(value, str) else "[not shown]"


class Redactor:
    """Turns what was seen into what may be shown, and remembers secrets to find them in other places too."""

    def __init__(self, *, reveal: bool) -> None:
        self._reveal = reveal
        self._secrets: set[str] = set()

    def exchange(self, number: int, seen: Seen, receiver: str) -> Exchange:
        """The exchange, redacted."""
        sent, received = [*_request(seen)], [*_answer(seen)]
        id_token = [*_id_token(dict(received).get("id_token"))]
        for name, value in (*sent, *received, *id_token):
            self._learn(name, value)
        return Exchange(
            number=number,
            sender=seen.sender,
            receiver=receiver,
            method=seen.method,
            address=self._text(seen.url.partition("?")[0].partition("#")[0]),
            sent=self._values(sent),
            status=seen.status,
            received=self._values(received),
            id_token=self._values(id_token),
            error=seen.error,
        )

    def _learn(self, name: str, value: object) -> None:
        explanation = EXPLANATIONS.get(name)
        secret = explanation is not None and not explanation.public and isinstance(value, str)
        if secret and len(str(value)) >= _SHORTEST_SECRET:
            self._secrets.update((str(value), str(value).partition(" ")[2] or str(value)))

    def _values(self, pairs: Iterable[tuple[str, Any]]) -> tuple[Value, ...]:
        return tuple(Value(self._text(name), self._shown(name, value)) for name, value in pairs)

    def _shown(self, name: str, value: Any) -> str:
        if self._reveal:
            return str(value)[:2000]
        if name == "Authorization":
            scheme, _, rest = str(value).partition(" ")
            return f"{scheme} {length(rest)}"
        explanation = EXPLANATIONS.get(name)
        if explanation is None or not explanation.public:  # the length of a password helps to guess it
            return length(None if "password" in name.lower() else value)
        if name in _TIMES and isinstance(value, int | float):
            return _from_now(value)
        if name == "Location":
            value = str(value).partition("?")[0].partition("#")[0]
        if isinstance(value, bool):
            return str(value).lower()
        return self._text(" ".join(map(str, value)) if isinstance(value, list) else str(value))

    def _text(self, text: str) -> str:
        """Printable, not too long, without a secret that was seen before, loopback ports left out."""
        if self._reveal:
            return text
        for secret in self._secrets:
            text = text.replace(secret, "[…]")
        text = re.sub(r"(//(?:127\.0\.0\.1|localhost|\[::1\])):\d+", r"\1:PORT", text)
        text = re.sub(r"//[^/@\s]*@", "//", text)
        return "".join(c if c.isprintable() else " " for c in text)[:_LONGEST]


def _from_now(moment: float) -> str:
    """When that is, in minutes, as people say it."""
    try:
        minutes = round((moment - time.time()) / 60)
    except (ValueError, OverflowError):  # as JSON has it, a number may be of any size, or none
        return "at no time"
    much = "1 minute" if abs(minutes) == 1 else f"{abs(minutes)} minutes"
    if minutes:
        return f"in {much}" if minutes > 0 else f"{much} ago"
    return "now"


def _request(seen: Seen) -> Iterable[tuple[str, Any]]:
    yield from _headers(seen.headers, _REQUEST_HEADERS)
    yield from _pairs(urlsplit(seen.url).query)
    kind = _header(seen.headers, "Content-Type") or ""
    if "json" in kind:
        yield from _members(seen.body)
    elif "form" in kind:
        yield from _pairs(seen.body.decode(errors="replace"))


def _answer(seen: Seen) -> Iterable[tuple[str, Any]]:
    yield from _headers(seen.answer_headers, _ANSWER_HEADERS)
    if location := _header(seen.answer_headers, "Location"):
        yield from _pairs(location.partition("#")[0].partition("?")[2])
    kind = _header(seen.answer_headers, "Content-Type") or ""
    if seen.answer and "json" in kind:
        yield from _members(seen.answer)
    elif seen.answer and "form-urlencoded" in kind:
        yield from _pairs(seen.answer.decode(errors="replace"))


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _members(body: bytes) -> Iterable[tuple[str, Any]]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    yield from list(document.items())[:_MOST_MEMBERS]


def _headers(headers: Mapping[str, str], names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        if (value := _header(headers, name)) is not None:
            yield name, value


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name.lower()), None)


def _id_token(id_token: object) -> Iterable[tuple[str, Any]]:
    """Header and claims, unverified: this is for looking at, not for believing."""
    for part in str(id_token).split(".")[:2] if isinstance(id_token, str) else ():
        try:
            members = json.loads(urlsafe_b64decode(part.encode()))
        except (ValueError, RecursionError):
            return
        if isinstance(members, dict):
            yield from members.items()
