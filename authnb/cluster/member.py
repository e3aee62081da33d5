"""A share as a process has it that unpickled its session: one session for all tasks, whose renewal asks the kernel."""

from __future__ import annotations

import threading
from copy import copy
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from authnb.cluster.grant import PROTOCOL, VERSION, Grant, Reference
from authnb.compat import register_fork_aware
from authnb.errors import AuthnbError, ShareError, without_frames
from authnb.oauth.responses import Token

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 120.0  # seconds for which a call without a valid token waits for a provider in trouble


class Channel(Protocol):
    """The way from this process to the kernel that shares."""

    def newer_than(self, serial: int, patience: float) -> Grant:
        """A token with a higher number; raises as `authnb.cluster.supply.TokenSupply.newer_than`."""


class Member:
    """A share in this process. ``session`` is the one that all its tasks use."""

    session: Any

    def __init__(self, references: tuple[Reference, ...]) -> None:
        self.references = references
        self._serial = 0  # of the token in use, if it came this way
        self._ended: AuthnbError | None = None

    def renew(self) -> Token:
        """Another token than the one in use, from the kernel; called by one thread at a time."""
        self._check()
        clock = self.session.token_auth.renewer.client.provider.clock
        expired = (self.session.token or {}).get("expires_at", 0) <= clock.now()
        grant = self._channel().newer_than(self._serial, PATIENCE if expired else 0.0)
        self._check()  # it may have ended meanwhile
        self._serial = grant.serial
        token: dict[str, Any] = {
            "access_token": grant.access_token,
            "token_type": "Bearer",
            "scope": grant.scope,
        }
        if grant.left is not None:
            token |= {"expires_in": grant.lifetime, "expires_at": clock.now() + grant.left}
        return Token({name: value for name, value in token.items() if value is not None})

    def end(self, error: AuthnbError) -> None:
        """Forget the token: every call from now on fails with this error."""
        self._ended = error
        self.session.token_auth.withdraw(expired_token())

    def forget(self) -> None:
        """Forget the token: the next call asks for one."""
        self._serial = 0
        if self.session.token is not None:
            self.session.token = expired_token()

    def _check(self) -> None:
        if self._ended is not None:
            raise without_frames(copy(self._ended))

    def _channel(self) -> Channel:
        for each in self.references:
            if each.protocol != PROTOCOL:
                raise ShareError(
                    "version_mismatch",
                    f"The session was shared by authnb {each.version}, and this process has {VERSION}, which speaks "
                    "another protocol. Install the same version in both.",
                )
            channel: Channel | None = import_module(f"authnb.cluster.{each.kind}").find_channel(each, self)
            if channel is not None:
                return channel
        kinds = " and ".join(each.kind for each in self.references)
        raise ShareError(
            "share_not_found",
            f"The sign-in was shared with {kinds}, and cannot be had in this process: the share has ended, or is not "
            "with what runs this task. Share it again, with that: api.share_with(…).",
        )


def expired_token() -> Token:
    """A token that is renewed before its first use."""
    return Token({"access_token": "", "token_type": "Bearer", "expires_at": 0})


class _Members:
    """The shares of this process, by name."""

    def __init__(self) -> None:
        self.lock = threading.Lock()  # a session is made once for each share
        self.by_name: dict[str, Member] = {}
        register_fork_aware(self)

    def after_fork(self) -> None:
        """Let go of the parent's lock."""
        self.lock = threading.Lock()


_members = _Members()


def join(references: tuple[Reference, ...], make_session: Callable[[Member], Any]) -> Any:
    """The session for these references; made once for each share and process."""
    with _members.lock:
        for each in references:
            if (member := _members.by_name.get(each.name)) is not None:
                return member.session
        member = Member(references)
        member.session = make_session(member)
        add(member)
        return member.session


def add(member: Member) -> None:
    """Let references to the member's share be its session in this process."""
    for each in member.references:
        _members.by_name[each.name] = member


def end(name: str, error: AuthnbError) -> None:
    """End a share in this process, if it is here and not the one that shares."""
    member = _members.by_name.get(name)
    if member is not None and member.session.share_references:
        member.end(error)


def remove(name: str) -> None:
    """Forget a share: its session is found no more."""
    _members.by_name.pop(name, None)
