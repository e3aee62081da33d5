"""A share with the workers of Dask (``distributed``), through its scheduler, over connections that Dask has anyway.

Needs nothing on a worker but authnb: there the first task that needs a token asks for it. So new and restarted
workers have what the others have. One that comes later without authnb is told of by a warning.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import pickle
import sys
import threading
import time
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from authnb.cluster.grant import VERSION, Grant, error_from_message, error_to_message
from authnb.cluster.relay import MARGIN, Feeder
from authnb.cluster.share import Holder
from authnb.compat import after_fork
from authnb.errors import AuthnbError, ShareError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from authnb.cluster import member
    from authnb.cluster.grant import Reference
    from authnb.cluster.supply import TokenSupply

_ANSWER = 30.0  # seconds for a request that the scheduler answers at once
_SHOWN = 5.0  # seconds that the repr of a share waits for who holds a token
_ABSENT = 30.0  # seconds for which a worker asks a scheduler that does not know the share, yet or again
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0  # seconds between such requests
_UNREACHABLE = (
    OSError,
    TimeoutError,
    RuntimeError,
)  # what Dask raises where a connection is gone or is closing


class DaskChannel:
    """The kernel's end: a client of a Dask cluster."""

    kind = "dask"

    def __init__(self, client: Any, *, allow_unencrypted: bool) -> None:
        from authnb.cluster.dask_scheduler import (  # noqa: PLC0415 - needs distributed
            insecure_channel,
            is_private,
        )

        self._client, self._allow_unencrypted = client, allow_unencrypted
        self.address: str = str(client.scheduler.address)
        self.description: str = f"the Dask workers at {self.address}"
        self._holders: list[tuple[str, float | None]] = []
        self._reported = 0.0  # time.monotonic() of the holders
        self._ending: set[asyncio.Future[Any]] = set()
        if not allow_unencrypted and not is_private(self.address):
            raise insecure_channel("The scheduler is at", self.address)

    def start(self, name: str, supply: TokenSupply) -> None:
        """Set the relay up in the scheduler. With an asynchronous client that goes on after this returns."""
        self._share, self._supply = name, supply
        self._feeder = Feeder(supply, self)
        if self._on_loop():
            threading.Thread(target=self._start_in_background, name="authnb-share", daemon=True).start()
        else:
            self._open()
            self._feeder.start()

    def end(self, error: ShareError) -> None:
        """Tell the scheduler, which tells the workers."""
        self._feeder.end()
        with suppress(Exception):  # it is gone, and with it what it held
            if self._on_loop():
                task = asyncio.ensure_future(self._send("end", error=error_to_message(error)))
                self._ending.add(task)
                task.add_done_callback(_forget_outcome)
                task.add_done_callback(self._ending.discard)
            else:
                self._ask("end", _ANSWER, error=error_to_message(error))

    def holders(self) -> Sequence[Holder]:
        """The workers that hold a token, by address; as known some seconds ago in an asynchronous client's loop."""
        if not self._on_loop():
            with suppress(Exception):
                self._ask_needed(0.0, _SHOWN)
        age = time.monotonic() - self._reported
        return [
            Holder(worker=worker, expires_in=None if left is None else left - age)
            for worker, left in self._holders
        ]

    def attend(self, timeout: float) -> tuple[int, float] | dict[str, Any] | None:
        """As `authnb.cluster.relay.Relay`."""
        return self._ask_needed(timeout, timeout + _ANSWER)

    def put(self, grant: Grant) -> None:
        """As `authnb.cluster.relay.Relay`."""
        from distributed.protocol import ToPickle  # noqa: PLC0415 - here there is a client

        self._ask("put", _ANSWER, grant=ToPickle(grant))

    def fail(self, error: dict[str, Any]) -> None:
        """As `authnb.cluster.relay.Relay`."""
        self._ask("fail", _ANSWER, error=error)

    def reopen(self) -> bool:
        """As `authnb.cluster.relay.Relay`: the scheduler may be another by now, at the same address."""
        if self._client.status == "closed":
            return False
        self._run(self._register, _ANSWER)
        return True

    def _start_in_background(self) -> None:
        try:
            self._open()
        except AuthnbError as error:
            warnings.warn(f"The session is not shared: {error}", stacklevel=1)
            self._supply.lost(error.description)
        else:
            self._feeder.start()

    def _open(self) -> None:
        try:
            self._run(self._check_versions, 2 * _ANSWER)
            self._run(self._register, _ANSWER)
            self.put(self._supply.newer_than(0, 0.0))
            self._run(self._prepare_workers, 2 * _ANSWER)
        except AuthnbError:
            raise
        except _UNREACHABLE as error:
            raise ShareError(
                "unreachable", f"Dask's scheduler at {self.address} did not answer ({type(error).__name__})."
            ) from None
        except Exception as error:  # noqa: BLE001 - Dask raises here what the scheduler raised there
            raise ShareError(
                "not_supported",
                f"Dask's scheduler at {self.address} refused: {type(error).__name__}: {error}",
            ) from None

    async def _check_versions(self) -> None:
        from authnb.cluster.dask_scheduler import version_mismatch  # noqa: PLC0415 - needs distributed

        client = self._client
        try:
            found = {"The scheduler": await client.run_on_scheduler(importlib.metadata.version, "authnb")}
        except importlib.metadata.PackageNotFoundError as error:
            found = {"The scheduler": error}
        with suppress(TimeoutError):  # a worker may be too busy to answer
            async with asyncio.timeout(_ANSWER):
                run = await client.run(importlib.metadata.version, "authnb", on_error="return")
                found |= {f"The worker {worker}": version for worker, version in run.items()}
        for where, version in found.items():
            if isinstance(version, importlib.metadata.PackageNotFoundError):
                raise version_mismatch(where, "no authnb")
            if isinstance(version, str) and version != VERSION:
                raise version_mismatch(where, f"authnb {version}")

    async def _prepare_workers(self) -> None:
        """Those that are there; the scheduler does it for others as they come."""
        with suppress(TimeoutError):  # what is not loaded by then is when it is needed
            async with asyncio.timeout(_ANSWER):
                await self._client.run(prepare, self._share, self._supply.session_type, on_error="ignore")

    async def _register(self) -> None:
        from authnb.cluster.dask_scheduler import RelayPlugin  # noqa: PLC0415 - needs distributed

        client = self._client
        arguments = pickle.dumps((self._share, self._supply.session_type))
        greeting = {"function": pickle.dumps(prepare), "args": arguments}
        plugin = RelayPlugin(self._share, client.id, greeting, allow_unencrypted=self._allow_unencrypted)
        await client.register_plugin(plugin)

    def _ask_needed(self, timeout: float, limit: float) -> tuple[int, float] | dict[str, Any] | None:
        answer = self._ask("attend", limit, timeout=timeout)
        self._reported = time.monotonic()
        self._holders = [(str(worker), left) for worker, left in answer["holders"]]
        needed = answer["needed"]
        if needed is None or isinstance(needed, dict):
            return needed
        newer_than, patience = needed
        return int(newer_than), float(patience)

    def _ask(self, verb: str, limit: float, **arguments: Any) -> Any:
        answer = self._run(lambda: self._send(verb, **arguments), limit)
        if answer is None:
            raise ConnectionError("The scheduler does not know the share.")
        return answer

    async def _send(self, verb: str, **arguments: Any) -> Any:
        from authnb.cluster.dask_scheduler import operation  # noqa: PLC0415 - needs distributed

        return await getattr(self._client.scheduler, operation(self._share, verb))(**arguments)

    def _run(self, function: Callable[[], Coroutine[Any, Any, Any]], timeout: float) -> Any:
        return _run_on(self._client.loop.asyncio_loop, function, timeout)

    def _on_loop(self) -> bool:
        """Whether the event loop of the client is this thread's, which then must not wait for it."""
        try:
            return asyncio.get_running_loop() is self._client.loop.asyncio_loop
        except RuntimeError:
            return False


async def prepare(share: str, session_type: type, dask_worker: Any) -> None:  # noqa: ARG001 - it is loaded thereby
    """In a worker, before its first task: load authnb, open the connection it asks by, and say its version."""
    from authnb.cluster.dask_scheduler import operation  # noqa: PLC0415 - in a worker

    greet = getattr(dask_worker.scheduler, operation(share, "greet"))
    await greet(worker=dask_worker.address, version=VERSION)


class _Worker:
    """A worker's end, in its process: asks the scheduler, on a thread of the session's renewal."""

    def __init__(self, share: str, joined: member.Member, workers: Sequence[Any]) -> None:
        self._share, self._member, self._workers = share, joined, workers

    def newer_than(self, serial: int, patience: float) -> Grant:
        """A token with a higher number."""
        from authnb.cluster.dask_scheduler import operation, unwrapped  # noqa: PLC0415 - in a worker

        end = operation(self._share, "end")
        for worker in self._workers:
            worker.handlers[end] = self._end
        pause, deadline = _FIRST_PAUSE, time.monotonic() + _ABSENT
        while time.monotonic() < deadline:
            for answer in self._answers(operation(self._share, "pull"), serial, patience):
                if "error" in answer:
                    raise error_from_message(answer["error"])
                grant: Grant = unwrapped(answer["grant"])
                return grant
            threading.Event().wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise ShareError(
            "share_not_found",
            f"Dask's scheduler does not know the share of this session, or did not answer, for {_ABSENT:.0f} s: it "
            "was started again, or the share has ended. Share the session again: api.share_with(client).",
        )

    def _answers(self, pull: str, serial: int, patience: float) -> Iterator[dict[str, Any]]:
        for worker in self._workers:

            def ask(worker: Any = worker) -> Coroutine[Any, Any, Any]:
                sent: Coroutine[Any, Any, Any] = getattr(worker.scheduler, pull)(
                    newer_than=serial, patience=patience, worker=worker.address
                )
                return sent

            with suppress(*_UNREACHABLE):
                answer = _run_on(worker.loop.asyncio_loop, ask, patience + MARGIN + _ANSWER)
                if answer is not None:
                    yield answer

    async def _end(self, error: dict[str, Any]) -> str:
        self._member.end(error_from_message(error))
        return "OK"


def _run_on(
    loop: asyncio.AbstractEventLoop, function: Callable[[], Coroutine[Any, Any, Any]], timeout: float
) -> Any:
    """What the coroutine returns, in the loop of another thread."""
    if not loop.is_running():
        raise ConnectionError("The event loop of Dask has ended.")

    async def called() -> Any:
        async with asyncio.timeout(timeout):
            return await function()

    future = asyncio.run_coroutine_threadsafe(called(), loop)
    try:
        return future.result(timeout + _ANSWER)  # longer, for a loop that has stopped meanwhile
    finally:
        future.cancel()


def _forget_outcome(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()


_parents: WeakSet[Any] = WeakSet()  # workers of the process from which this one was forked


@after_fork
def _leave_workers() -> None:
    for worker in _workers_here():
        _parents.add(worker)


def _workers_here() -> list[Any]:
    module = sys.modules.get("distributed.worker")
    return [] if module is None else list(module.Worker._instances)  # noqa: SLF001 - get_worker() knows tasks only


def find_channel(reference: Reference, joined: member.Member) -> _Worker | None:
    """The channel of this reference; None if this process is no worker of Dask."""
    workers = [
        each
        for each in _workers_here()
        if each not in _parents and each.status.name not in {"closed", "failed"}
    ]
    return _Worker(reference.name, joined, workers) if workers else None


def open_channel(target: Any, *, allow_unencrypted: bool) -> DaskChannel:
    """The channel to the workers of this client. `TypeError` for what is no client."""
    if not hasattr(target, "register_plugin") or not hasattr(target, "scheduler"):
        raise TypeError(
            f"A session is shared with a client of Dask, not with {type(target).__name__}: share_with(Client(cluster))."
        )
    return DaskChannel(target, allow_unencrypted=allow_unencrypted)
