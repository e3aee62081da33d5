"""The check of an ID token's signature, where the token itself was recorded: at the provider for learning."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import import_key

from authnb.oauth.id_token import ALGORITHMS
from authnb.recording.replay import Signature

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from authnb.recording.redact import Exchange
    from authnb.transport.exchange import HTTPExchange

_NO_TOKEN = "not checked here: the token is not in the recording"  # noqa: S105 - a sentence
_NO_KEYS = "not checked here: the provider's keys are not in the recording"


@dataclass(frozen=True, kw_only=True)
class _KeySet:
    exchange: int
    keys: tuple[Mapping[str, Any], ...]


class Signatures:
    """ID tokens and keys as they were received; kept in memory only, and only of a recording that shows values."""

    def __init__(self) -> None:
        self._id_tokens: dict[int, str] = {}
        self._key_sets: list[_KeySet] = []

    def add(self, number: int, exchange: HTTPExchange) -> None:
        """Keep the ID token or the keys of a response, if it has any."""
        try:
            received = json.loads(exchange.response_body or b"")
        except (ValueError, RecursionError):
            return
        if not isinstance(received, dict):
            return
        if isinstance(received.get("id_token"), str):
            self._id_tokens[number] = received["id_token"]
        if isinstance(received.get("keys"), list):
            keys = tuple(key for key in received["keys"] if isinstance(key, dict))
            self._key_sets.append(_KeySet(exchange=number, keys=keys))

    def of(self, exchange: Exchange) -> Signature:
        """The signature of this exchange's ID token, checked with the recorded keys."""
        id_token = self._id_tokens.get(exchange.number)
        if id_token is None or not self._key_sets:
            return unchecked(exchange, _NO_TOKEN if id_token is None else _NO_KEYS)
        kid = _header(id_token).get("kid")
        signed_by = next((keys for keys, key in self._candidates(kid) if _signed(id_token, key)), None)
        if signed_by is None:
            return Signature(
                algorithm=_algorithm(exchange),
                verified=False,
                signed_by="none of the provider's keys",
                checked_with="all public keys of the provider that the recording has",
            )
        which = "the public key that the kid of the header names" if kid else "one of the public keys"
        return Signature(
            algorithm=_algorithm(exchange),
            verified=True,
            signed_by="the provider's private key, which the provider alone has",
            checked_with=f"{which}, received in exchange {signed_by.exchange}",
        )

    def _candidates(self, kid: object) -> Iterator[tuple[_KeySet, Mapping[str, Any]]]:
        for key_set in self._key_sets:
            for key in key_set.keys:
                if kid is None or key.get("kid") in {kid, None}:
                    yield key_set, key


def unchecked(exchange: Exchange, why: str = _NO_TOKEN) -> Signature:
    """The signature of an ID token that is not known here."""
    return Signature(
        algorithm=_algorithm(exchange),
        verified=None,
        signed_by="one of the provider's keys",
        checked_with=why,
    )


def _algorithm(exchange: Exchange) -> str | None:
    return next((value.shown for value in exchange.id_token if value.name == "alg"), None)


def _header(id_token: str) -> Mapping[str, Any]:
    try:
        header = jws.extract_compact(id_token.encode()).headers()
    except (JoseError, ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def _signed(id_token: str, key: Mapping[str, Any]) -> bool:
    try:
        jws.deserialize_compact(id_token, import_key(dict(key)), algorithms=[*ALGORITHMS])
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        return False
    return True
