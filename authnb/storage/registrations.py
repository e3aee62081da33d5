"""Where clients are kept that authnb registered itself: the protocol, and in memory; see `registration_files`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from authnb.compat import register_fork_aware

if TYPE_CHECKING:
    from authnb.oauth.dynamic_registration import Registration


class RegistrationStorage(Protocol):
    """Keeps registrations by the issuer and by what they are used for, the redirect URIs as one text."""

    def load(self, issuer: str, used_for: str) -> Registration | None:
        """The registration, or None if there is none that can be used."""

    def save(self, used_for: str, registration: Registration) -> None:
        """Keep it, in place of the one before."""

    def remove(self, used_for: str, registration: Registration) -> None:
        """Forget it, unless another has taken its place."""


class RegistrationMemory:
    """Keeps registrations for the life of this process."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Registration] = {}
        self._lock = threading.Lock()
        register_fork_aware(self)

    def __repr__(self) -> str:
        return f"RegistrationMemory({len(self._kept)} registrations)"

    def after_fork(self) -> None:
        """Have a lock of its own: another thread of the parent may hold that one."""
        self._lock = threading.Lock()

    def load(self, issuer: str, used_for: str) -> Registration | None:
        """The registration, or None."""
        return self._kept.get((issuer, used_for))

    def save(self, used_for: str, registration: Registration) -> None:
        """Keep it, in place of the one before."""
        with self._lock:
            self._kept[registration.issuer, used_for] = registration

    def remove(self, used_for: str, registration: Registration) -> None:
        """Forget it, unless another has taken its place."""
        with self._lock:
            if self._kept.get((registration.issuer, used_for)) == registration:
                del self._kept[registration.issuer, used_for]


memory: RegistrationMemory = RegistrationMemory()
