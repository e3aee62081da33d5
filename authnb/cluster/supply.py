"""The kernel's side of a share: the session's newest token under a number, renewed once however many workers ask."""

from __future__ import annotations

import hashlib
import threading
import time
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from authnb.cluster.grant import Grant, share_ended
from authnb.errors import AuthnbError, ProviderError, ShareError, without_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authnb.oauth.responses import Token

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0  # seconds between two attempts at a provider in trouble


@dataclass(frozen=True)
class _Failure:
    """A renewal that failed, not to be tried again before ``until`` (`time.monotonic`)."""

    token: Token
    error: AuthnbError
    pause: float
    until: float


def fingerprint(token: Mapping[str, Any]) -> str:
    """What tells an access token from others, and cannot be used."""
    return hashlib.sha256(str(token["access_token"]).encode()).hexdigest()


class TokenSupply:
    """Grants of a session's token.

    ``patience`` in its requests: the seconds for which a provider in trouble is tried again. ``lost``: called with the
    reason by a channel whose workers are gone for good, to end the share.
    """

    def __init__(self, session: Any, lost: Callable[[str], None] = lambda _: None) -> None:
        self._session = session
        self.lost = lost
        self._lock = threading.Lock()  # of what follows; not held while anything is awaited
        self._ended = threading.Event()
        self._serial = 0
        self._token: Token | None = None  # which has this number
        self._why: ShareError | None = None
        self._failure: _Failure | None = None

    @property
    def session_type(self) -> type:
        """The class of the session."""
        return type(self._session)

    def newer_than(self, serial: int, patience: float, has: str = "") -> Grant:
        """The token if its number is higher and its `fingerprint` is not ``has``, else a renewed one.

        Raises `ShareError` once the share has ended or nobody is signed in, `LoginRequired` if the renewal was
        refused, and `ProviderError` if the provider was in trouble for longer than ``patience``.
        """
        deadline = time.monotonic() + patience
        while True:
            try:
                return self._newer_than(serial, has)
            except ProviderError as error:
                failure, now = self._failure, time.monotonic()
                wait = _FIRST_PAUSE if failure is None else max(0.0, failure.until - now)
                if error.is_refusal or now + wait > deadline:
                    raise
            self._ended.wait(wait)

    def end(self, error: ShareError) -> None:
        """Give out nothing any more."""
        with self._lock:
            self._why, self._token, self._failure = error, None, None
        self._ended.set()

    def forget(self) -> None:
        """In a forked process: have no token, which is the parent's."""
        self._lock, self._token, self._failure = threading.Lock(), None, None

    def _newer_than(self, serial: int, has: str) -> Grant:
        token, number = self._current()
        # The one who asks has it, and found it refused or about to expire
        known = number <= serial or has == fingerprint(token)
        if known or self._session.token_auth.renewal_due:
            try:
                self._renew(token)
            except AuthnbError:
                if known or self._left(token) == 0:
                    raise
            token, number = self._current()
        lifetime = token.get("expires_in")
        return Grant(
            serial=number,
            access_token=str(token["access_token"]),
            lifetime=lifetime if isinstance(lifetime, int | float) else None,
            left=self._left(token),
            scope=str(token["scope"]) if "scope" in token else None,
        )

    def _current(self) -> tuple[Token, int]:
        with self._lock:
            if self._why is not None:
                raise without_frames(copy(self._why))
            token: Token | None = self._session.token
            if token is None:
                raise share_ended(
                    "its session is signed out. Run the cell that signs in, and share it again."
                )
            if token is not self._token:
                self._serial += 1
                self._token = token
            return token, self._serial

    def _left(self, token: Token) -> float | None:
        """The seconds until it expires, None if unknown."""
        expires_at = token.get("expires_at")
        if not isinstance(expires_at, int | float):
            return None
        return max(0.0, float(expires_at - self._session.provider_time()))

    def _renew(self, token: Token) -> None:
        """Renew it, unless that has just failed: many ask."""
        failure = self._failure
        if failure is not None and failure.token is token and time.monotonic() < failure.until:
            raise without_frames(copy(failure.error))
        auth = self._session.token_auth
        try:
            auth.renew_or_report(token, auth.renewer)
        except AuthnbError as error:
            self._note(token, error)
            raise

    def _note(self, token: Token, error: AuthnbError) -> None:
        now = time.monotonic()
        with self._lock:
            last, pause = self._failure, _FIRST_PAUSE
            if last is not None and last.token is token:
                if now < last.until:  # noted by another thread
                    return
                pause = min(2 * last.pause, _LONGEST_PAUSE)
            wait = max(pause, getattr(error, "retry_after", None) or 0.0)
            self._failure = _Failure(token, copy(error), pause, now + wait)
