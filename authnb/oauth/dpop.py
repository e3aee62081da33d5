"""Proof of possession: tokens that are bound to a key, and a proof of that key with each request (RFC 9449)."""

from __future__ import annotations

import json
import re
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from joserfc import jws
from joserfc.jwk import ECKey

from authnb.errors import AuthnbError
from authnb.transport.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authnb.oauth.provider import Provider

ALGORITHM = "ES256"
_NONCE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,512}")  # RFC 9449 section 8.1, and no longer
_MAX_NONCES = 64


class Proof(str):
    """The value of a ``DPoP`` header, whose repr hides it: HTTP clients show headers."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


class DPoPKey:
    """The key pair of one sign-in, to which its tokens are bound.

    ::

        key = DPoPKey.generate()
        headers = {"DPoP": key.proof("GET", "https://api.example.org/items", time.time(), access_token=text)}

    It stays in memory, and in a remembered sign-in, encrypted. It is not pickled, and its repr shows nothing. The
    nonces of servers are kept with it.
    """

    def __init__(self, key: ECKey) -> None:
        self._key = key
        public = key.as_dict(private=False)
        self._header = {
            "typ": "dpop+jwt",
            "alg": ALGORITHM,
            "jwk": {name: public[name] for name in ("kty", "crv", "x", "y")},
        }
        self._nonces: dict[tuple[str, bool], str] = {}

    @classmethod
    def generate(cls) -> DPoPKey:
        """A new key on the curve P-256, for ES256 (RFC 7518 section 3.4)."""
        return cls(ECKey.generate_key("P-256", private=True))

    @classmethod
    def from_jwk(cls, members: Mapping[str, Any]) -> DPoPKey:
        """The inverse of `as_jwk`; `ValueError` for anything else."""
        try:
            key = ECKey.import_key(dict(members))
            usable = key.curve_name == "P-256" and key.is_private
        except Exception:  # noqa: BLE001 - of joserfc and cryptography, by kind of damage
            usable = False
        if not usable:
            raise ValueError("This is not the private key of a sign-in.")
        return cls(key)

    def as_jwk(self) -> dict[str, Any]:
        """The key as a JWK, private (RFC 7517): a secret."""
        return {**self._header["jwk"], "d": self._key.as_dict(private=True)["d"]}  # type: ignore[dict-item] # a dict

    @property
    def thumbprint(self) -> str:
        """The JWK thumbprint (RFC 7638), as in ``dpop_jkt`` and ``cnf``."""
        return self._key.thumbprint()

    def proof(self, method: str, url: str, now: float, *, access_token: str | None = None) -> Proof:
        """A proof for one request (RFC 9449 section 4.2), with the latest nonce of its server.

        ``now``: seconds since the Unix epoch by the clock of the provider; ``access_token``: that of an API call,
        None for a token request.
        """
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method.upper(),
            "htu": _target(url),
            "iat": int(now),
        }
        if access_token is not None:
            claims["ath"] = urlsafe_b64encode(sha256(access_token.encode()).digest()).decode().rstrip("=")
        if (nonce := self._nonces.get(_server(url, is_api=access_token is not None))) is not None:
            claims["nonce"] = nonce
        text = json.dumps(claims, separators=(",", ":"))
        return Proof(jws.serialize_compact(self._header, text, self._key, algorithms=[ALGORITHM]))

    def keep_nonce(self, url: str, nonce: str | None, *, is_api: bool) -> None:
        """Use this nonce from a ``DPoP-Nonce`` header for the next proofs to its server (RFC 9449 section 8.2).

        A provider and an API at one origin have nonces of their own (section 9).
        """
        if nonce is None or not _NONCE.fullmatch(nonce):
            return
        if len(self._nonces) >= _MAX_NONCES:
            self._nonces.clear()
        self._nonces[_server(url, is_api=is_api)] = nonce

    def __repr__(self) -> str:
        return "<DPoPKey>"

    def __copy__(self) -> DPoPKey:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> DPoPKey:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("The key of a sign-in is not pickled: tokens are bound to it. Pickle the session.")


def key_for(provider: Provider, wanted: bool | None) -> DPoPKey | None:  # noqa: FBT001 - the argument dpop= of login
    """A new key for a sign-in at this provider; None where its tokens are not to be bound.

    ``wanted``: None for where the provider offers it. Raises `AuthnbError` if it is wanted of one that says it takes
    other algorithms only.
    """
    offered = provider.dpop_signing_alg_values_supported
    if wanted is False or (wanted is None and ALGORITHM not in offered):
        return None
    if offered and ALGORITHM not in offered:
        raise AuthnbError(
            "not_supported",
            f"dpop=True cannot be had at {provider.host}: it takes proofs signed by "
            f"{printable(', '.join(offered), 80)}, and authnb signs with {ALGORITHM}. Ask the provider, or leave dpop= "
            "out.",
        )
    return DPoPKey.generate()


def _target(url: str) -> str:
    """The URL without query and fragment, normalised (RFC 9449 sections 4.2 and 4.3)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}{parts.path or '/'}"


def _server(url: str, *, is_api: bool) -> tuple[str, bool]:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}", is_api
