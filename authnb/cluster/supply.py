"""The kernel's side of a share: the session's newest token under a number, renewed once however many workers ask."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from authnb.cluster.grant import Grant, share_ended
from authnb.errors import LoginRequired, ProviderError, ShareError

if TYPE_CHECKING:
    from collections.abc import Callable

    from authnb.oauth.responses import Token

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0  # seconds between two attempts at a provider in trouble


class TokenSupply:
    """Grants of a session's token.

    ``patience`` in its requests: the seconds for which a provider in trouble is tried again. ``lost``: called with the
    reason by a channel whose workers are gone for good, to end the share.
    """

    def __init__(self, session: Any, lost: Callable[[str], None] = lambda _: None) -> None:
        self._session = session
        self.lost = lost
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._serial = 0
        self._token: Token | None = None  # which has this number
        self._why: ShareError | None = None

    def newer_than(self, serial: int, patience: float) -> Grant:
        """The token if its number is higher, else a renewed one.

        Raises `ShareError` once the share has ended or nobody is signed in, `LoginRequired` if the renewal was
        refused, and `ProviderError` if the provider was in trouble for longer than ``patience``.
        """
        deadline, pause = time.monotonic() + patience, _FIRST_PAUSE
        while True:
            try:
                with self._lock:
                    return self._newer_than(serial)
            except ProviderError as error:
                wait = max(pause, error.retry_after or 0.0)
                if error.is_refusal or time.monotonic() + wait > deadline:
                    raise
            if self._ended.wait(wait):
                raise self._why or share_ended("it was closed.")
            pause = min(2 * pause, _LONGEST_PAUSE)

    def serial_of(self, token: Token | None) -> int:
        """The number of this token; 0 if it has none."""
        return self._serial if token is self._token else 0

    def end(self, error: ShareError) -> None:
        """Give out nothing any more."""
        self._why = error
        self._ended.set()

    def _newer_than(self, serial: int) -> Grant:
        grant = self._current()
        if grant.serial > serial:
            return grant
        # The one who asks has this token, and found it refused or about to expire
        auth = self._session.token_auth
        auth.renew(self._token, auth.renewer)
        return self._current()

    def _current(self) -> Grant:
        if self._why is not None:
            raise self._why
        session = self._session
        try:
            session.ensure_active_token()
        except LoginRequired:
            if session.token is not None:
                raise
        token = session.token
        if token is None:
            raise share_ended("its session is signed out. Run the cell that signs in, and share it again.")
        if token is not self._token:
            self._serial += 1
            self._token = token
        expires_at, lifetime = token.get("expires_at"), token.get("expires_in")
        return Grant(
            serial=self._serial,
            access_token=str(token["access_token"]),
            lifetime=lifetime if isinstance(lifetime, int | float) else None,
            left=expires_at - session.provider_time() if isinstance(expires_at, int | float) else None,
            scope=token.get("scope"),
        )
