"""What time it is at the provider: its clock decides when a token ends."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_AGREE = 5.0  # seconds; clocks that differ by less are taken as one


class Clock:
    """A provider's clock as seen from here, in seconds of the Unix epoch.

    The wall clock goes on while a computer sleeps, but may be set back; the steady one is never set back, but
    may sleep too. The later of the two counts: at worst a token is renewed too early.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall, self._steady = wall, steady
        self._ahead = 0.0
        self._start = wall(), steady()

    def now(self) -> float:
        """The time at the provider."""
        wall, steady = self._start
        return max(self._wall(), wall + self._steady() - steady) + self._ahead

    def heard(self, date: str | None) -> None:
        """Set the clock by an answer that came just now: its ``Date`` header (RFC 9110 section 6.6.1)."""
        try:
            said = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, OverflowError):
            return
        self._start = self._wall(), self._steady()
        ahead = said - self._start[0]
        self._ahead = ahead if abs(ahead) > _AGREE else 0.0
