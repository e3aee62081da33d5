"""A provider's keys (JWK Set, RFC 7517), with which its ID tokens are verified."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any

from authnb.compat import register_fork_aware
from authnb.errors import ProviderError
from authnb.transport import documents
from authnb.transport.bounded import RESPONSE_TIMEOUT
from authnb.transport.http import present

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS_REFETCH_INTERVAL = 5.0  # seconds between two forced fetches of one JWKS
_KEY_NUMBERS = {"n", "e", "x", "y"}
_BASE64URL = str.maketrans("+/", "-_")


class KeySet:
    """A provider's JWKS, fetched on first use and again when keys have been rotated."""

    def __init__(self, jwks_uri: str | None, response_timeout: float = RESPONSE_TIMEOUT) -> None:
        self._jwks_uri, self._response_timeout = jwks_uri, response_timeout
        self._lock = threading.Lock()
        register_fork_aware(self)
        self._keys: list[dict[str, Any]] | None = None
        self._refetched_at = -math.inf

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may hold."""
        self._lock = threading.Lock()

    def current(self) -> list[dict[str, Any]]:
        """The keys of the JWK Set (RFC 7517), fetched once."""
        with self._lock:
            return self._fetch() if self._keys is None else self._keys

    def refetch(self) -> list[dict[str, Any]] | None:
        """The keys, fetched again; None within seconds of the last time, so that bad tokens cannot cause a flood."""
        with self._lock:
            if time.monotonic() - self._refetched_at < _KEYS_REFETCH_INTERVAL:
                return None
            self._refetched_at = time.monotonic()
            return self._fetch(anew=True)

    def _fetch(self, *, anew: bool = False) -> list[dict[str, Any]]:
        operation = "Reading the provider's keys"
        if self._jwks_uri is None:
            raise ProviderError(
                "invalid_metadata",
                "The provider names no jwks_uri, so its ID tokens cannot be verified. Give "
                "its address: Provider.discover(…, jwks_uri=…).",
            )
        keys = documents.fetch(
            self._jwks_uri, operation, anew=anew, response_timeout=self._response_timeout
        ).get("keys")
        if not isinstance(keys, list):
            raise ProviderError(
                "invalid_response", f"{operation} failed: {self._jwks_uri} holds no list named 'keys'."
            )
        self._keys = [_normalized_key(key) for key in keys if isinstance(key, dict)]
        return self._keys


def _normalized_key(key: Mapping[str, Any]) -> dict[str, Any]:
    """A JWK without members that are null or empty, its numbers as unpadded base64url (RFC 7518 section 2)."""
    members = present(key)
    for name in _KEY_NUMBERS & members.keys():
        if isinstance(value := members[name], str):
            members[name] = value.rstrip("=").translate(_BASE64URL)
    return members
