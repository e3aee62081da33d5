"""The nonces that DPoP proofs must have, and the proofs that were seen with each (RFC 9449 sections 8 and 11.1)."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authnb.demo.values import Values

ROTATION = 60.0  # seconds that a nonce is the newest; the one before it stays good for as long again
MOST_PROOFS = 10_000  # with one nonce, so that memory has a bound


class UnknownNonce(Exception):
    """It was never given out, or too long ago: the proof must be made anew with the newest."""


class ProofReplayed(Exception):
    """A proof with this identifier and nonce was seen before."""


@dataclass(frozen=True, kw_only=True)
class _Nonce:
    issued_at: float
    value: str
    proofs: set[str] = field(default_factory=set)


class ProofNonces:
    """A nonce for everybody, a new one each minute by the provider's clock.

    A proof is good for its nonce alone, so the identifiers of proofs need to be kept no longer than that; and where
    there are too many of them, a new nonce begins early: nothing is forgotten that could still be replayed.
    """

    def __init__(self, values: Values) -> None:
        self._values = values
        self._newest: _Nonce | None = None
        self._previous: _Nonce | None = None
        self._lock = threading.Lock()

    def newest(self, moment: float) -> str:
        """Give the nonce for the next proof."""
        with self._lock:
            return self._rotated(moment).value

    def use(self, nonce: str, proof: str, moment: float) -> None:
        """Note that a proof was seen; raises UnknownNonce or ProofReplayed.

        ``proof`` is the proof's identifier: the digest of its key and its ``jti``.
        """
        with self._lock:
            for known in (self._rotated(moment), self._previous):
                if known and known.value == nonce and _age(known, moment) < 2 * ROTATION:
                    if proof in known.proofs:
                        raise ProofReplayed
                    if len(known.proofs) < MOST_PROOFS:
                        known.proofs.add(proof)
                        return
            raise UnknownNonce

    def _rotated(self, moment: float) -> _Nonce:
        newest = self._newest
        if newest is None or _age(newest, moment) >= ROTATION or len(newest.proofs) >= MOST_PROOFS:
            value = self._values.new("nonce", lambda: secrets.token_urlsafe(24))
            self._previous, newest = newest, _Nonce(issued_at=moment, value=value)
            self._newest = newest
        return newest


def _age(nonce: _Nonce, moment: float) -> float:
    """Seconds since it was issued; endless if the clock was put back."""
    return moment - nonce.issued_at if moment >= nonce.issued_at else float("inf")
