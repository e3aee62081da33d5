"""Redaction of recorded exchanges with a provider: names are kept, values only where they are known to be harmless.

Of calls to an API, and to endpoints that are not known, only method, origin and status remain, and what kind of token,
proof or challenge there was: its scheme, its error code and its members, as far as standards define them.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from joserfc.util import urlsafe_b64decode

from authnb.recording.explain import EXPLANATIONS, explanation_of
from authnb.recording.known import CHALLENGES, endpoint_of, may_be_shown
from authnb.transport.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from authnb.recording.explain import Explanation
    from authnb.transport.exchange import HTTPExchange

_REQUEST_HEADERS = ("Authorization", "DPoP", "Content-Type", "Cookie")
_RESPONSE_HEADERS = (
    "Content-Type",
    "Location",
    "WWW-Authenticate",
    "DPoP-Nonce",
    "Retry-After",
    "Cache-Control",
    "Set-Cookie",
)
_OF_ANY_CALL = {"Authorization", "DPoP", "WWW-Authenticate", "DPoP-Nonce"}
_SCHEMES = {"bearer", "dpop", "basic"}
_ERROR_CODE = re.compile(rf'\berror="?({"|".join(CHALLENGES)})\b')
_TIMES = {"exp", "iat", "nbf", "auth_time"}
_MAX_MEMBERS = 60  # shown of one JSON object
_MAX_LENGTH = 200  # characters shown of one value
_MIN_SECRET_LENGTH = 4  # characters; replacing shorter ones would garble ordinary words


@dataclass(frozen=True)
class Value:
    """A parameter, header or claim, redacted; ``jwt`` as in `explanation_of`."""

    name: str
    shown: str
    jwt: str = ""

    @property
    def explanation(self) -> Explanation | None:
        """The meaning, if known."""
        return explanation_of(self.name, self.shown, self.jwt)


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """An HTTP exchange, redacted. ``status`` is None if the response was not observed.

    ``id_token``, ``proof`` and ``assertion``: header and claims of the ID token that was received, and of the DPoP
    proof and the client assertion that were sent.
    """

    number: int
    sender: str
    receiver: str
    method: str
    address: str
    sent: tuple[Value, ...]
    status: int | None
    received: tuple[Value, ...]
    id_token: tuple[Value, ...]
    proof: tuple[Value, ...]
    assertion: tuple[Value, ...]
    error: str | None

    def __str__(self) -> str:
        outcome = self.error or self.status or ""
        return f"{self.number:2}  {self.sender} → {self.receiver}  {self.method} {self.address}  {outcome}".rstrip()


def length(value: object) -> str:
    """The placeholder for a hidden value."""
    return f"[{len(value)} characters]" if isinstance(value, str) else "[not shown]"


class Redactor:
    """Redacts exchanges, and remembers their secrets to redact them wherever else they appear."""

    def __init__(self, *, reveal: bool) -> None:
        self._reveal = reveal
        self._secrets: set[str] = set()

    def exchange(self, number: int, exchange: HTTPExchange, receiver: str) -> Exchange:
        """The exchange, redacted."""
        sent, received = [*_request(exchange)], [*_response(exchange)]
        id_token = [*_members_of(dict(received).get("id_token"))]
        proof, assertion = (dict(_members_of(dict(sent).get(name))) for name in ("DPoP", "client_assertion"))
        for name, value in (*sent, *received, *id_token):
            self._remember_secrets(name, value)
        endpoint = endpoint_of(exchange, receiver, dict(sent), dict(received))
        address = exchange.url.partition("?")[0].partition("#")[0]
        if endpoint is None and not self._reveal:  # paths, parameters and even their names may be personal
            address, id_token, assertion, endpoint = _origin(address), [], {}, "userinfo"
            proof = {name: value for name, value in proof.items() if explanation_of(name, "", "proof")}
            sent, received = (
                [pair for pair in pairs if pair[0] in _OF_ANY_CALL] for pairs in (sent, received)
            )
        endpoint = endpoint or "userinfo"
        return Exchange(
            number=number,
            sender=exchange.sender,
            receiver=receiver,
            method=exchange.method,
            address=self._text(address),
            sent=self._values(endpoint, sent),
            status=exchange.status,
            received=self._values(endpoint, received),
            id_token=self._values("id_token", id_token),
            proof=self._values("proof", proof.items()),
            assertion=self._values("assertion", assertion.items()),
            error=exchange.error,
        )

    def _remember_secrets(self, name: str, value: object) -> None:
        explanation = EXPLANATIONS.get(name)
        secret = explanation is not None and not explanation.public and isinstance(value, str)
        if secret and len(str(value)) >= _MIN_SECRET_LENGTH:
            self._secrets.update((str(value), str(value).partition(" ")[2] or str(value)))

    def _values(self, endpoint: str, pairs: Iterable[tuple[str, Any]]) -> tuple[Value, ...]:
        jwt = endpoint if endpoint in {"proof", "assertion"} else ""
        return tuple(
            Value(self._text(name), self._shown(endpoint, name, value), jwt) for name, value in pairs
        )

    def _shown(self, endpoint: str, name: str, value: Any) -> str:
        if self._reveal:
            return printable(json.dumps(value) if isinstance(value, dict) else value, 2000)
        if name in {"Authorization", "WWW-Authenticate"}:
            return _authentication(name, str(value))
        if name == "error_description" and isinstance(value, str):
            value = self._text(value)  # without known secrets
        if not may_be_shown(
            endpoint, name, value
        ):  # the length of a password helps to guess it, that of a path too
            return length(None if "password" in name.lower() or name == "htu" else value)
        if name in _TIMES and isinstance(value, int | float):
            return _from_now(value)
        if name == "Location":
            value = str(value).partition("?")[0].partition("#")[0]
        if isinstance(value, bool):
            return str(value).lower()
        return self._text(" ".join(map(str, value)) if isinstance(value, list) else str(value))

    def _text(self, text: str) -> str:
        """Printable text of limited length, without known secrets and without loopback port numbers."""
        if self._reveal:
            return printable(text, 2000)
        for secret in self._secrets:
            text = text.replace(secret, "[…]")
        text = re.sub(r"(//(?:127\.0\.0\.1|localhost|\[::1\])):\d+", r"\1:PORT", text)
        text = re.sub(r"//[^/@\s]*@", "//", text)
        return printable(text, _MAX_LENGTH)


def _authentication(name: str, value: str) -> str:
    """Scheme, and error code of a challenge, where a standard defines them, and the length of the rest."""
    scheme, _, rest = value.partition(" ")  # or, of servers of their own kind, a secret alone
    if scheme.lower() not in _SCHEMES:
        return length(value)
    error = _ERROR_CODE.search(rest) if name == "WWW-Authenticate" else None
    code = f' error="{error[1]}"' if error else ""
    return f"{scheme}{code} {length(rest)}"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _from_now(moment: float) -> str:
    """The moment relative to now, in minutes."""
    try:
        minutes = round((moment - time.time()) / 60)
    except (ValueError, OverflowError):  # JSON numbers may be huge, infinite or NaN
        return "at no time"
    amount = "1 minute" if abs(minutes) == 1 else f"{abs(minutes)} minutes"
    if minutes:
        return f"in {amount}" if minutes > 0 else f"{amount} ago"
    return "now"


def _request(exchange: HTTPExchange) -> Iterable[tuple[str, Any]]:
    yield from _headers(exchange.headers, _REQUEST_HEADERS)
    yield from _pairs(urlsplit(exchange.url).query)
    kind = _header(exchange.headers, "Content-Type") or ""
    if "json" in kind:
        yield from _members(exchange.body)
    elif "form" in kind:
        yield from _pairs(exchange.body.decode(errors="replace"))


def _response(exchange: HTTPExchange) -> Iterable[tuple[str, Any]]:
    yield from _headers(exchange.response_headers, _RESPONSE_HEADERS)
    if location := _header(exchange.response_headers, "Location"):
        yield from _pairs(location.partition("#")[0].partition("?")[2])
    kind = _header(exchange.response_headers, "Content-Type") or ""
    if exchange.response_body and "json" in kind:
        yield from _members(exchange.response_body)
    elif exchange.response_body and "form-urlencoded" in kind:
        yield from _pairs(exchange.response_body.decode(errors="replace"))


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _members(body: bytes) -> Iterable[tuple[str, Any]]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    yield from list(document.items())[:_MAX_MEMBERS]


def _headers(headers: Mapping[str, str], names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        if (value := _header(headers, name)) is not None:
            yield name, value


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name.lower()), None)


def _members_of(jwt: object) -> Iterable[tuple[str, Any]]:
    """Header and claims, unverified: for display only."""
    for part in str(jwt).split(".")[:2] if isinstance(jwt, str) else ():
        try:
            members = json.loads(urlsafe_b64decode(part.encode()))
        except (ValueError, RecursionError):
            return
        if isinstance(members, dict):
            yield from members.items()
