"""How many clients may register themselves, since anybody may try (RFC 7591 section 5)."""

from __future__ import annotations

import threading
from collections import deque

UNUSED_LIFETIME = 3600.0  # seconds until a client is forgotten that never got a token
MINUTE = 60.0


class RegistrationLimits:
    """At most so many registrations in any minute, by the provider's clock."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._moments: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self, moment: float) -> float:
        """Count a registration and give 0, or give the seconds to wait and count none."""
        with self._lock:
            while self._moments and self._moments[0] <= moment - MINUTE:
                self._moments.popleft()
            if len(self._moments) < self._per_minute:
                self._moments.append(moment)
                return 0.0
            return self._moments[0] + MINUTE - moment if self._moments else MINUTE
