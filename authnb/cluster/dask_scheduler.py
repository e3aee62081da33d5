"""The relay of a share in Dask's scheduler. Unpickled there, so it imports what a scheduler has and little else."""

from __future__ import annotations

import asyncio
import pickle
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.protocol import ToPickle

from authnb.cluster import member
from authnb.cluster.grant import VERSION, error_from_message, error_to_message, share_ended
from authnb.cluster.relay import ATTENDED, TokenRelay
from authnb.errors import ShareError
from authnb.transport.http import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from authnb.cluster.grant import Grant

RECONNECTS = 10.0  # seconds that a client which lost its connection has to come back
_TELLING = 5.0  # seconds to tell a worker of the end
_GREETING = 60.0  # seconds for a worker to start and to load authnb
_GONE = (OSError, TimeoutError, RuntimeError)  # what Dask raises where a worker is gone
_PRIVATE = {"tls", "wss", "inproc", "gateway"}  # the last is dask-gateway's, over TLS


def is_private(address: str) -> bool:
    """Whether nobody can read what passes between this process and that address, ``tls://10.0.0.7:8786``."""
    return urlsplit(address).scheme in _PRIVATE or is_loopback(address)


def insecure_channel(what: str, address: str) -> ShareError:
    """The error for an address over which a token can be read on its way."""
    return ShareError(
        "insecure_channel",
        f"{what} {address}, which is not encrypted: others on the network could read the token. Turn on TLS: "
        "LocalCluster(security=Security.temporary()), or --tls-ca-file, --tls-cert and --tls-key of dask scheduler and "
        "dask worker; see https://distributed.dask.org/en/stable/tls.html. On a network that is yours alone: "
        "share_with(client, allow_unencrypted=True).",
    )


def version_mismatch(where: str, what: str) -> ShareError:
    """The error for a scheduler or worker without authnb, or with another version."""
    return ShareError(
        "version_mismatch",
        f"{where} has {what}, and the process that shares has authnb {VERSION}. Install the same version in the "
        f"environment of the cluster, pip install authnb=={VERSION}, and share again.",
    )


def operation(share: str, verb: str) -> str:
    """The name of a handler in Dask's servers."""
    return f"authnb_{share}_{verb}"


def unwrapped(sent: Any) -> Any:
    """An object sent as ``ToPickle``, which stays so within a process."""
    return sent.data if isinstance(sent, ToPickle) else sent


class RelayPlugin(SchedulerPlugin):
    """Answers the workers and the kernel of one share; ends it when the kernel's client is gone.

    Grants travel as ``ToPickle``, for the servers log the repr of a message at DEBUG.
    """

    idempotent = True

    def __init__(
        self, share: str, client: str, greeting: dict[str, bytes], *, allow_unencrypted: bool
    ) -> None:
        """``greeting``: what a new worker is told to run, pickled, for it loads what a scheduler need not have."""
        self.name: str = f"authnb-{share}"
        self._share, self._client, self._greeting = share, client, greeting
        self._allow_unencrypted = allow_unencrypted

    def __reduce__(self) -> tuple[Callable[..., RelayPlugin], tuple[Any, ...]]:
        return _unpickle, (self._share, self._client, self._greeting, self._allow_unencrypted)

    def __repr__(self) -> str:
        return f"<RelayPlugin {self.name}>"

    async def start(self, scheduler: Any) -> None:
        """Add the handlers. They outlive the share, to say that it has ended."""
        self._scheduler = scheduler
        self._relay = TokenRelay()
        self._lost: asyncio.TimerHandle | None = None
        self._attended = 0.0  # loop time
        self._tasks: set[asyncio.Task[Any]] = set()
        for handler in (self.pull, self.attend, self.put, self.fail, self.end, self.greet):
            scheduler.handlers[operation(self._share, handler.__name__)] = handler

    async def pull(self, comm: Any, newer_than: int, patience: float, worker: str) -> dict[str, Any]:
        """For a worker: ``{"grant": …}`` or ``{"error": …}``, as `TokenRelay.pull`."""
        private = is_private(comm.local_address) and is_private(comm.peer_address)
        if not self._allow_unencrypted and not private:
            error = insecure_channel("The scheduler reaches a worker at", comm.peer_address)
            return {"error": error_to_message(error)}
        answer = await self._relay.pull(newer_than, patience, worker)
        return {"error": answer} if isinstance(answer, dict) else {"grant": ToPickle(answer)}

    async def attend(self, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109 - of a request of its own
        """For the kernel: what `TokenRelay.attend` and `TokenRelay.holders` give."""
        self._attended = asyncio.get_running_loop().time()
        needed = await self._relay.attend(timeout)
        return {"needed": needed, "holders": self._relay.holders()}

    async def put(self, grant: Any) -> str:
        """For the kernel: as `TokenRelay.put`."""
        given: Grant = unwrapped(grant)
        self._relay.put(given)
        return "OK"

    async def fail(self, error: dict[str, Any]) -> str:
        """For the kernel: as `TokenRelay.fail`."""
        self._relay.fail(error)
        return "OK"

    async def end(self, error: dict[str, Any]) -> str:
        """For the kernel: forget the token, here and in the workers."""
        holders = [worker for worker, _ in self._relay.holders()]
        self._relay.end(error)
        if self._lost is not None:
            self._lost.cancel()
        with suppress(ValueError):  # repeated
            self._scheduler.remove_plugin(name=self.name)
        # This process has a session too if it has seen the tasks
        member.end(self._share, error_from_message(error))
        await asyncio.gather(*(self._tell(worker, error) for worker in holders))
        return "OK"

    async def greet(self, worker: str, version: str) -> str:
        """For a worker: say which authnb it has."""
        if version != VERSION:
            self._warn(worker, f"authnb {version}")
        return "OK"

    async def _tell(self, worker: str, error: dict[str, Any]) -> None:
        with suppress(*_GONE):  # and its token with it
            async with asyncio.timeout(_TELLING):
                await getattr(self._scheduler.rpc(worker), operation(self._share, "end"))(error=error)

    def add_worker(self, scheduler: Any, worker: str) -> None:  # noqa: ARG002 - SchedulerPlugin's
        """Have it load authnb before a task does, and see that it can."""
        self._in_background(self._prepare(worker))

    async def _prepare(self, worker: str) -> None:
        try:
            async with asyncio.timeout(_GREETING):
                await self._scheduler.rpc(worker).run(**self._greeting)
        except _GONE:
            return
        except Exception as error:  # noqa: BLE001 - what was raised there, as text
            missing = "No module named 'authnb'" in str(error)
            self._warn(worker, "no authnb" if missing else f"an authnb that differs ({error})")

    def _warn(self, worker: str, what: str) -> None:
        """Let Dask's clients show a warning, as `distributed.worker.warn` does."""
        text = f"{version_mismatch(f'The worker {worker}', what)} Until then Dask closes it when it gets such a task."
        self._scheduler.log_event(
            "warn", {"message": pickle.dumps(text), "category": pickle.dumps(UserWarning)}
        )

    def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:  # noqa: ARG002 - SchedulerPlugin's
        """Its token went with it."""
        self._relay.forget(worker)

    def add_client(self, scheduler: Any, client: str) -> None:  # noqa: ARG002 - SchedulerPlugin's
        """Go on if the kernel's client is back."""
        if client == self._client and self._lost is not None:
            self._lost.cancel()

    def remove_client(self, scheduler: Any, client: str) -> None:  # noqa: ARG002 - SchedulerPlugin's
        """End the share if the kernel's client does not come back."""
        if client == self._client:
            loop = asyncio.get_running_loop()
            self._lost = loop.call_later(RECONNECTS, self._end_unattended, loop, loop.time())

    def _end_unattended(self, loop: asyncio.AbstractEventLoop, since: float) -> None:
        if self._attended > since:  # its requests still come: look again
            self._lost = loop.call_later(RECONNECTS + ATTENDED, self._end_unattended, loop, loop.time())
            return
        error = share_ended(
            "the client that shared it is closed or gone, or its process. Share the session again."
        )
        self._in_background(self.end(error_to_message(error)))

    def _in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Let nobody wait for a scheduler that closes."""
        self._relay.end(error_to_message(share_ended("the scheduler was closed.")))


def _unpickle(share: str, client: str, greeting: dict[str, bytes], allow_unencrypted: bool) -> RelayPlugin:  # noqa: FBT001 - in a pickle
    return RelayPlugin(share, client, greeting, allow_unencrypted=allow_unencrypted)
