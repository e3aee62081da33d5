"""`Share`: what `Session.share_with` returns, and how the kind of worker is recognised."""

from __future__ import annotations

import atexit
import secrets
import threading
import warnings
import weakref
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, Self

from authnb.cluster import member
from authnb.cluster.grant import PROTOCOL, VERSION, Reference, share_ended
from authnb.cluster.supply import TokenSupply
from authnb.compat import register_fork_aware
from authnb.errors import unexpected_error

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from authnb.errors import ShareError

# The module of an object, or of its type, and the file that shares with it
_KINDS = {
    "distributed": "dask",
    "dask_gateway": "dask",
    "ray": "ray",
    "multiprocessing": "processes",
    "concurrent": "processes",
    "joblib": "processes",
    "loky": "processes",
    "subprocess": "processes",
}
_SHOWN = 8  # workers in a repr
_ACCEPTED = (
    "a Dask client (distributed.Client), the module ray, or for processes of this machine the module multiprocessing, "
    "concurrent.futures, joblib or subprocess, or an executor or pool of theirs"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A worker that was given a token. ``expires_in``: seconds until the last one expires, None if unknown."""

    worker: str
    expires_in: float | None


class WorkerChannel(Protocol):
    """The kernel's end of the channel to the workers of one kind."""

    kind: str
    address: str
    description: str

    def start(self, name: str, supply: TokenSupply) -> None:
        """Answer the workers of the share of this name from this supply. Raises `ShareError` if that cannot be."""

    def end(self, error: ShareError) -> None:
        """Tell the workers that the share has ended, as far as they can be reached, and forget every token."""

    def holders(self) -> Sequence[Holder]:
        """The workers that hold a token, as far as is known."""


class Share:
    """A sign-in that workers use too, until `close`, the end of the ``with`` block, `Session.logout`, or of the kernel.

    While it is open, the session is pickled as its name: a task that has the session has it on the worker as well,
    with an access token of its own, renewed by this process, which alone has the refresh token.
    """

    name: str

    def __init__(self, owner: Any, session: Any, channel: WorkerChannel) -> None:
        """``owner``: the session that is shared; ``session``: what workers have of it, itself or a narrowed one."""
        self.name = secrets.token_hex(16)
        self._owner, self._session, self._channel = owner, session, channel
        self._supply = TokenSupply(session, self.close)
        self._lock = threading.Lock()
        self._closed = False
        channel.start(self.name, self._supply)
        self._joined = member.Member((self.reference,))
        self._joined.session = session
        member.add(self._joined)
        _open_shares.add(self)
        register_fork_aware(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        what = f"<Share of {self._session!r} with {self._channel.description}"
        if self._closed:
            return f"{what}: closed>"
        holders = self._channel.holders()
        if not holders:
            return f"{what}: no worker holds a token>"
        known = [each.expires_in for each in holders if each.expires_in is not None]
        until = f", for {max(0.0, *known):.0f} s at most" if len(known) == len(holders) else ""
        names = [each.worker for each in holders[:_SHOWN]]
        if len(holders) > _SHOWN:
            names.append(f"{len(holders) - _SHOWN} more")
        return f"{what}: a token is held by {', '.join(names)}{until}>"

    @property
    def reference(self) -> Reference:
        """What the session is pickled as."""
        client = self._session.token_auth.renewer.client
        return Reference(
            name=self.name,
            kind=self._channel.kind,
            address=self._channel.address,
            issuer=client.provider.issuer,
            client_id=client.client_id,
            scope=client.scope,
            api=self._session.api_addresses,
            protocol=PROTOCOL,
            version=VERSION,
        )

    @property
    def holders(self) -> tuple[Holder, ...]:
        """The workers that hold a token, as far as is known."""
        return () if self._closed else tuple(self._channel.holders())

    def close(self, why: str = "it was closed. Share the session again.") -> None:
        """End the share: workers forget their tokens, and their calls fail with `ShareError`. Harmless if repeated."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        error = share_ended(why)
        self._supply.end(error)
        self._owner.forget_share(self)
        _open_shares.discard(self)
        member.remove(self.name)
        try:
            self._channel.end(error)
        except Exception as failure:  # noqa: BLE001 - what a cluster raises is its own choice, and a logout goes on
            problem = unexpected_error("Telling the workers that their share has ended", failure)
            warnings.warn(problem.description, stacklevel=2)

    def after_fork(self) -> None:
        """In a forked process the session is one of a worker's: its token comes from the parent."""
        self._lock = threading.Lock()
        self._supply.forget()
        if self._closed:
            return
        self._closed = True  # for this process: it is not the one to end it
        _open_shares.discard(self)
        if self._channel.kind != "processes":  # a forked process is no worker there
            return
        forked = member.Member((self.reference,))
        forked.session = self._session
        self._session.become_worker(forked)
        if self._owner is not self._session and self._owner.references[0].name == self.name:
            self._owner.become_alias(self._session)
        member.add(forked)


_open_shares: weakref.WeakSet[Share] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for share in tuple(_open_shares):
        share.close("the process that shared it has ended.")


def open_channel(target: Any, **options: Any) -> WorkerChannel:
    """The channel to the workers of this client, module, executor or pool. `TypeError` if it is none of them."""
    for name in _origins(target):
        kind = _KINDS.get(name.partition(".")[0])
        if kind is not None:
            channel: WorkerChannel = import_module(f"authnb.cluster.{kind}").open_channel(target, **options)
            return channel
    raise TypeError(f"A session is shared with {_ACCEPTED}, not with {target!r}.")


def _origins(target: Any) -> list[str]:
    """The name of a module; the modules in which a class, or the class of anything else, and its bases are."""
    if isinstance(target, ModuleType):
        return [target.__name__]
    cls = target if isinstance(target, type) else type(target)
    return [base.__module__ for base in cls.__mro__]
