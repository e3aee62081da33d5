"""A share as a process has it that unpickled its session: one session for all tasks, whose renewal asks the kernel."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from authnb.cluster.grant import PROTOCOL, VERSION, Grant, Reference
from authnb.compat import register_fork_aware
from authnb.errors import AuthnbError, ShareError
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

    def __init__(self, references: tuple[Reference, ...], serial: int = 0) -> None:
        self.references = references
        self._serial = serial  # of the token in use
        self._ended: AuthnbError | None = None

    def renew(self) -> Token:
        """Another token than the one in use, from the kernel; called by one thread at a time."""
        if self._ended is not None:
            raise self._ended
        clock = self.session.token_auth.renewer.client.provider.clock
        expired = self.session.token.get("expires_at", 0) <= clock.now()
        grant = self._channel().newer_than(self._serial, PATIENCE if expired else 0.0)
        if self._ended is not None:  # meanwhile
            raise self._ended
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
        self.session.token = expired_token()

    def _channel(self) -> Channel:
        kinds = []
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
            kinds.append(each.kind)
        raise ShareError(
            "share_not_found",
            f"The session was shared with {' and '.join(kinds)}, and this process is no worker there, or was started "
            "before. Share it with what runs this task: api.share_with(…).",
        )


def expired_token() -> Token:
    """A token that is renewed before its first use."""
    return Token({"access_token": "", "token_type": "Bearer", "expires_at": 0})


class _Members:
    """The shares of this process, by name."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
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
        for each in references:
            _members.by_name[each.name] = member
        return member.session


def add(member: Member) -> None:
    """Let references to the member's share be its session in this process."""
    with _members.lock:
        for each in member.references:
            _members.by_name[each.name] = member


def end(name: str, error: AuthnbError) -> None:
    """End a share in this process, if it is here and not the one that shares."""
    with _members.lock:
        member = _members.by_name.get(name)
    if member is not None and member.session.share_references:
        member.end(error)


def remove(name: str) -> None:
    """Forget a share: its session is found no more."""
    with _members.lock:
        _members.by_name.pop(name, None)
