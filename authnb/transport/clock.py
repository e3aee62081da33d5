"""The provider's clock, which decides when a token expires."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_TOLERANCE = 5.0  # seconds; a smaller difference between two clocks is ignored


class Clock:
    """A provider's clock, estimated from this machine's, in seconds of the Unix epoch.

    The wall clock runs on while a computer is suspended, but may be set back; the monotonic clock is never set back,
    but may stop during suspension. The later of the two counts: at worst a token is renewed too early.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall, self._steady = wall, steady
        self._offset = 0.0
        self._start = wall(), steady()

    def now(self) -> float:
        """The current time by the provider's clock."""
        return self.local_time() + self._offset

    @property
    def differs(self) -> bool:
        """Whether it is not this machine's, as far as is known."""
        return self._offset != 0.0

    @property
    def offset(self) -> float:
        """The seconds by which it is ahead of this machine's, as far as is known."""
        return self._offset

    def local_time(self) -> float:
        """The current time by this machine's clocks, to be passed to `synchronize`."""
        wall, steady = self._start
        return max(self._wall(), wall + self._steady() - steady)

    def synchronize(self, date: str | None, sent_at: float | None = None) -> float:
        """Set the clock by a response's ``Date`` header (RFC 9110 section 6.6.1).

        Returns the provider's time at which the request was sent. ``sent_at`` is the `local_time` of that moment, now
        unless given. The response may be old when it is read: this computer may have been suspended in between.
        """
        local = self._wall()
        sent = local if sent_at is None else local - max(0.0, self.local_time() - sent_at)
        try:
            remote = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, OverflowError):
            return sent + self._offset
        self._start = local, self._steady()
        lowest, highest = remote - local, remote - sent
        if not lowest - _TOLERANCE <= self._offset <= highest + _TOLERANCE:
            self._offset = highest if abs(highest) > _TOLERANCE else 0.0
        return sent + self._offset
