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
        return self.reading() + self._ahead

    def reading(self) -> float:
        """The time here, as a mark for `heard`."""
        wall, steady = self._start
        return max(self._wall(), wall + self._steady() - steady)

    def heard(self, date: str | None, asked: float | None = None) -> float:
        """Set the clock by an answer's ``Date`` header (RFC 9110 section 6.6.1); the provider's time of asking.

        ``asked``: the `reading` when the request was sent, now unless given. The answer may be old when it is read:
        this computer may have slept before.
        """
        here = self._wall()
        sent = here if asked is None else here - max(0.0, self.reading() - asked)
        try:
            said = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, OverflowError):
            return sent + self._ahead
        self._start = here, self._steady()
        least, most = said - here, said - sent
        if not least - _AGREE <= self._ahead <= most + _AGREE:
            self._ahead = most if abs(most) > _AGREE else 0.0
        return sent + self._ahead
