"""Waiting for a `Login`, in a script or with ``await``, while its view is open."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol, TypeVar

from authnb.errors import LoginTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from authnb.signin.view import View

T = TypeVar("T")

_POLL_INTERVAL = 0.2  # seconds


class Awaited(Protocol):
    """What waiting reads and sets of a `Login`."""

    awaited: bool
    blocks_thread: bool
    shown_since: float | None
    status: str
    pending: str

    @property
    def host(self) -> str:
        """The provider's host name."""

    def cancel(self) -> None:
        """End it, as the person wants none."""


L = TypeVar("L", bound=Awaited)


@contextmanager
def displayed(
    login: L, view: View[L] | None, *interrupts: type[BaseException], blocks_thread: bool
) -> Iterator[None]:
    """Open the view, if any, while the caller waits, and update it afterwards; one of ``interrupts`` cancels it first.

    Also while the view opens: what it shows may be there, and may be what the person does not want.
    """
    try:
        if view is not None:
            login.awaited, login.blocks_thread, login.shown_since = True, blocks_thread, time.monotonic()
            view.open(login)
        yield
    except interrupts:
        login.cancel()
        raise
    finally:
        if view is not None:
            login.awaited = False
            view.update(login)


def await_result(login: Awaited, future: Future[T], timeout: float | None) -> T:
    """The result of a future of this login; `LoginTimeout` if it takes longer."""
    try:
        return future.result(timeout)
    except TimeoutError:
        pending = f"{login.pending} " if login.pending else ""
        raise LoginTimeout(
            "timeout",
            f"The sign-in at {login.host} has not ended yet ({login.status}). {pending}It goes on: wait() again, or "
            "cancel() it.",
        ) from None


def await_end(login: L, view: View[L] | None, finished: Future[None], timeout: float | None) -> None:
    """Wait until the login has ended, the view reading input meanwhile; `LoginTimeout` if it takes longer."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while view is not None and (deadline is None or deadline - time.monotonic() > _POLL_INTERVAL):
        with suppress(TimeoutError):
            return finished.result(_POLL_INTERVAL)
        view.poll(login)
    return await_result(login, finished, None if deadline is None else max(0.0, deadline - time.monotonic()))


async def end(login: L, view: View[L] | None, finished: Future[None]) -> None:
    """The same with ``await``, with periodic wake-ups: ipykernel's interrupt does not wake the event loop."""
    import asyncio  # noqa: PLC0415 - already loaded where something awaits

    wrapped = asyncio.wrap_future(finished)
    while not (await asyncio.wait([wrapped], timeout=_POLL_INTERVAL))[0]:
        if view is not None:
            view.poll(login)
