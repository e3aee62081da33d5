"""The check of signatures, where the JWT itself was recorded: at the provider for learning."""

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
    from collections.abc import Iterable, Iterator, Mapping

    from authnb.recording.redact import Exchange, Value
    from authnb.transport.exchange import HTTPExchange

_NO_TOKEN = "not checked here: the token is not in the recording"  # noqa: S105 - a sentence
_NO_KEYS = "not checked here: the provider's keys are not in the recording"
_NO_PROOF = "not checked here: the proof itself is not in the recording"
_NO_KEY_OF_THE_CLIENT = "not checked here: the client's public key is with the provider, not in the recording"
_BY_KID = "the public key that the kid of the header names, received in exchange {number}"
_BY_ANY = "one of the public keys, received in exchange {number}"
_SIGNERS = {
    "id_token": "one of the provider's keys",
    "proof": "the private key to which tokens are bound",
    "assertion": "the client's private key",
}
_UNCHECKED = {"id_token": _NO_TOKEN, "proof": _NO_PROOF, "assertion": _NO_KEY_OF_THE_CLIENT}


@dataclass(frozen=True, kw_only=True)
class _KeySet:
    exchange: int
    keys: tuple[Mapping[str, Any], ...]


class Signatures:
    """ID tokens and keys as they were received; kept in memory only, and only of a recording that shows values.

    Of a DPoP proof only what its check showed is kept: its key is in its own header.
    """

    def __init__(self) -> None:
        self._id_tokens: dict[int, str] = {}
        self._key_sets: list[_KeySet] = []
        self._proofs: dict[int, bool] = {}

    def add(self, number: int, exchange: HTTPExchange) -> None:
        """Keep the ID token or the keys of a response, and the check of a request's proof, if it has any."""
        proof = next((value for name, value in exchange.headers.items() if name.lower() == "dpop"), None)
        if proof is not None:
            key = _header(proof).get("jwk")
            self._proofs[number] = isinstance(key, dict) and _signed(proof, key)
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

    def of(self, exchange: Exchange, jwt: str = "id_token") -> Signature:
        """The signature of a JWT of this exchange, checked with the recorded keys or with the key in a proof."""
        if jwt == "proof" and exchange.number in self._proofs:
            verified = self._proofs[exchange.number]
            return Signature(
                algorithm=_algorithm(exchange.proof),
                verified=verified,
                signed_by="the notebook's private key, which it sends to nobody"
                if verified
                else "another key",
                checked_with="the public key in the proof's own header (jwk)",
            )
        return unchecked(exchange, jwt) if jwt != "id_token" else self._of_the_id_token(exchange)

    def _of_the_id_token(self, exchange: Exchange) -> Signature:
        id_token = self._id_tokens.get(exchange.number)
        if id_token is None or not self._key_sets:
            return unchecked(exchange, why=_NO_TOKEN if id_token is None else _NO_KEYS)
        kid = _header(id_token).get("kid")
        signed_by = next((keys for keys, key in self._candidates(kid) if _signed(id_token, key)), None)
        if signed_by is None:
            return Signature(
                algorithm=_algorithm(exchange.id_token),
                verified=False,
                signed_by="none of the provider's keys",
                checked_with="all public keys of the provider that the recording has",
            )
        which = _BY_KID if kid else _BY_ANY
        return Signature(
            algorithm=_algorithm(exchange.id_token),
            verified=True,
            signed_by="the provider's private key, which the provider alone has",
            checked_with=which.format(number=signed_by.exchange),
        )

    def _candidates(self, kid: object) -> Iterator[tuple[_KeySet, Mapping[str, Any]]]:
        for key_set in self._key_sets:
            for key in key_set.keys:
                if kid is None or key.get("kid") in {kid, None}:
                    yield key_set, key


def unchecked(exchange: Exchange, jwt: str = "id_token", *, why: str | None = None) -> Signature:
    """The signature of a JWT that is not known here."""
    values: tuple[Value, ...] = getattr(exchange, jwt)
    return Signature(
        algorithm=_algorithm(values),
        verified=None,
        signed_by=_SIGNERS[jwt],
        checked_with=why or _UNCHECKED[jwt],
    )


def _algorithm(values: Iterable[Value]) -> str | None:
    return next((value.shown for value in values if value.name == "alg"), None)


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
