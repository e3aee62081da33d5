"""Collects the secrets of a scenario at the provider, where all of them pass."""

from __future__ import annotations

import base64
import binascii
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, quote, urlsplit

import flask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KINDS = (
    "password",
    "code",
    "state",
    "code_verifier",
    "access_token",
    "refresh_token",
    "id_token",
    "device_code",
    "user_code",
    "client_secret",
    "client_assertion",
    "registration_access_token",
    "proof",
)
_SHORTEST = 8  # characters; the provider's own are longer


class SecretCollector:
    """Records the secrets in requests to the embedded provider and in its responses, within the `with` block."""

    def __init__(self) -> None:
        self.secrets: dict[str, set[str]] = defaultdict(set)

    def __enter__(self) -> Self:
        flask.request_finished.connect(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        flask.request_finished.disconnect(self._see)

    def take(self) -> dict[str, set[str]]:
        """What was learned since the last call."""
        learned, self.secrets = self.secrets, defaultdict(set)
        return dict(learned)

    def _see(self, _app: flask.Flask, response: flask.Response, **_: Any) -> None:
        request = flask.request
        self._learn(request.values.items(multi=True))
        if request.authorization is not None and request.authorization.type == "basic":
            self._learn([("client_secret", request.authorization.password)])
        self._learn([("proof", request.headers.get("DPoP"))])
        self._learn(parse_qsl(urlsplit(response.headers.get("Location", "")).query))
        for document in (request.get_json(silent=True), response.get_json(silent=True)):
            if isinstance(document, dict):
                self._learn(document.items())

    def _learn(self, pairs: Iterable[tuple[str, Any]]) -> None:
        for name, value in pairs:
            kind = "password" if name.startswith("password") else name
            if kind in KINDS and isinstance(value, str) and len(value) >= _SHORTEST:
                self.secrets[kind].add(value)


def encodings(secret: str) -> Iterator[str]:
    """How a secret may be written: as it is, in an address, in hex, inside of something in base64."""
    raw = secret.encode()
    yield secret
    yield quote(secret, safe="")
    yield binascii.hexlify(raw).decode()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        inner = text[(0, 2, 3)[before] : -1]  # the ends depend on what stands beside it
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def count(secrets: dict[str, set[str]], text: str) -> dict[str, int]:
    """How often each kind of secret stands in a text."""
    counts = {
        kind: sum(max(text.count(form) for form in encodings(secret)) for secret in several)
        for kind, several in secrets.items()
    }
    return {kind: number for kind, number in counts.items() if number}
