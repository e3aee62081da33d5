"""The values that the provider makes up: random ones, or for documents the same ones each time."""

from __future__ import annotations

import hmac
import threading
from base64 import urlsafe_b64encode
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "learn_"
USER_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 section 6.1


class Values:
    """Codes, tokens and identifiers; with a seed everybody who knows it can compute each of them.

    The n-th value for a purpose is an HMAC (RFC 2104, with SHA-256) of purpose and n under the seed, after ``learn_``,
    so that nobody takes it for a real secret.
    """

    def __init__(self, seed: str | None) -> None:
        self._seed = None if seed is None else seed.encode()
        self._made: Counter[str] = Counter()
        self._lock = threading.Lock()

    def new(self, purpose: str, random: Callable[[], str]) -> str:
        """Give the next value for `purpose`: what `random` gives, unless there is a seed."""
        if self._seed is None:
            return random()
        return PREFIX + urlsafe_b64encode(self._next(purpose, self._seed)[:24]).decode()

    def new_user_code(self, random: Callable[[], str]) -> str:
        """Give the next code that a person types, such as ``WDJB-MJHT``."""
        if self._seed is None:
            return random()
        digest = self._next("user code", self._seed)
        letters = "".join(USER_CODE_ALPHABET[byte % len(USER_CODE_ALPHABET)] for byte in digest[:8])
        return f"{letters[:4]}-{letters[4:]}"

    def _next(self, purpose: str, seed: bytes) -> bytes:
        with self._lock:
            self._made[purpose] += 1
            count = self._made[purpose]
        return hmac.digest(seed, f"{purpose} {count}".encode(), "sha256")
