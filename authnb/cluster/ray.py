"""A share with a Ray cluster: a named actor has the newest access token in memory, and hands it to tasks and actors."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from authnb.cluster.grant import (
    VERSION,
    Grant,
    error_from_message,
    error_to_message,
    share_ended,
)
from authnb.cluster.relay import MARGIN, Feeder, TokenRelay
from authnb.cluster.share import Holder
from authnb.compat import after_fork
from authnb.errors import AuthnbError, ShareError, unexpected_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authnb.cluster.grant import Reference
    from authnb.cluster.member import Member
    from authnb.cluster.supply import TokenSupply

_NAMESPACE = "authnb"
_START = 180.0  # seconds for the actor to start, in which Ray may set up its runtime environment
_CALL = 15.0  # seconds for a call that the actor answers at once
_RETURN = 20.0  # seconds for which a worker waits for an actor that is gone, and may be made anew
_WATCH = 60.0  # seconds for which the actor keeps open a worker's request to be told of the end
_FAREWELL = 2.0  # seconds in which those who ask or watch are told of the end
_PAUSE = 0.25  # seconds between two attempts to reach the actor
_CONCURRENCY = 20_000  # requests open at an actor: two for each worker at most
_GONE = (
    "the driver that shared it has closed it or ended, or this is another Ray cluster. Share the session again, and "
    "run the task in the meantime."
)


class ShareActor:
    """Has the token of a share, in memory only. One is made for each share, and ends with its driver."""

    def __init__(self) -> None:
        self._relay = TokenRelay()
        self._ended = asyncio.Event()
        self._told: dict[str, Any] | None = None
        self._open = 0  # requests to be answered before the end

    def __repr__(self) -> str:
        return "<ShareActor>"

    async def version(self) -> str:
        """That of authnb where it runs."""
        return VERSION

    async def pull(self, newer_than: int, patience: float, worker: str) -> dict[str, Any]:
        """As `TokenRelay.pull`; the grant as a message."""
        self._open += 1
        try:
            answer = await self._relay.pull(newer_than, patience, worker)
            return answer.to_message() if isinstance(answer, Grant) else answer
        finally:
            self._open -= 1

    async def watch(self, timeout: float) -> dict[str, Any] | None:  # noqa: ASYNC109 - of the request
        """The error with which the share ended; None if it did not within ``timeout`` seconds."""
        self._open += 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._ended.wait()
            return self._told
        finally:
            self._open -= 1

    async def attend(self, timeout: float) -> tuple[int, float] | dict[str, Any] | None:  # noqa: ASYNC109 - of the request
        """As `TokenRelay.attend`."""
        return await self._relay.attend(timeout)

    async def put(self, message: dict[str, Any]) -> None:
        """As `TokenRelay.put`."""
        self._relay.put(Grant.from_message(message))

    async def fail(self, error: dict[str, Any]) -> None:
        """As `TokenRelay.fail`."""
        self._relay.fail(error)

    async def end(self, error: dict[str, Any]) -> None:
        """As `TokenRelay.end`; returns once those who watch have been told."""
        self._told = error
        self._relay.end(error)
        self._ended.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                while self._open:  # noqa: ASYNC110 - nobody says when Ray has sent a reply
                    await asyncio.sleep(0.05)
                await asyncio.sleep(0.1)

    async def holders(self) -> list[tuple[str, float | None]]:
        """As `TokenRelay.holders`."""
        return self._relay.holders()


class RayChannel:
    """The driver's end: it makes the actor, and feeds it."""

    kind = "ray"
    description = "a Ray cluster"

    def __init__(self, confined: bool) -> None:  # noqa: FBT001 - of this module
        self._confined = confined  # to this machine

    def start(self, name: str, supply: TokenSupply) -> None:
        """Make the actor and feed it from now on."""
        import ray  # noqa: PLC0415 - installed where it is used

        self.address: str = f"authnb-{name}"
        if self._confined:
            self.address += f"@{ray.util.get_node_ip_address()}"
        self._actor = _Actor(self.address, self._confined)
        self._actor.make()
        self._feeder = Feeder(supply, self._actor)
        self._feeder.start()

    def end(self, error: ShareError) -> None:
        """Tell the workers, and stop the actor."""
        self._feeder.end()
        self._actor.end(error)

    def holders(self) -> Sequence[Holder]:
        """The workers whose token has not expired."""
        return [
            Holder(worker=worker, expires_in=left)
            for worker, left in self._actor.holders()
            if left is None or left > 0
        ]


class _Actor:
    """The actor as the driver has it; a `authnb.cluster.relay.Relay`."""

    def __init__(self, address: str, confined: bool) -> None:  # noqa: FBT001 - of this module
        import ray  # noqa: PLC0415 - as above

        self._ray, self._name, self._confined = ray, _name(address), confined
        self._job = ray.get_runtime_context().get_job_id()
        self._lock = threading.Lock()
        self._ended = False
        self._handle: Any = None

    def make(self) -> None:
        """Start the actor. Raises `ShareError` if the cluster cannot run it."""
        ray, options = self._ray, {}
        if self._confined:
            from ray.util.scheduling_strategies import (  # noqa: PLC0415 - as above
                NodeAffinitySchedulingStrategy,
            )

            here = ray.get_runtime_context().get_node_id()
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(here, soft=False)
        handle = (
            ray.remote(ShareActor)
            .options(
                name=self._name,
                namespace=_NAMESPACE,
                num_cpus=0,
                max_restarts=-1,
                max_concurrency=_CONCURRENCY,
                **options,
            )
            .remote()
        )
        try:
            version = ray.get(handle.version.remote(), timeout=_START)
        except ray.exceptions.GetTimeoutError:
            raise ShareError(
                "timeout",
                f"Ray did not start the actor of the share within {_START:.0f} s. See what `ray status` and the logs "
                "of the cluster say, and share the session again.",
            ) from None
        except ray.exceptions.RayError as error:
            raise ShareError(
                "version_mismatch",
                f"The workers of this Ray cluster cannot load this version of authnb ({type(error).__name__}). Install "
                f"authnb {VERSION} there, in the image of the cluster or by ray.init(runtime_env={{'pip': "
                f"['authnb=={VERSION}']}}), and share the session again.",
            ) from None
        if version != VERSION:
            raise ShareError(
                "version_mismatch",
                f"The workers of this Ray cluster have authnb {version}, and this process has {VERSION}. Install the "
                "same version in both.",
            )
        self._handle = handle

    def attend(self, timeout: float) -> tuple[int, float] | dict[str, Any] | None:
        """As `TokenRelay.attend`."""
        needed: tuple[int, float] | dict[str, Any] | None = self._call(
            "attend", timeout, within=timeout + _CALL
        )
        return needed

    def put(self, grant: Grant) -> None:
        """As `TokenRelay.put`."""
        self._call("put", grant.to_message())

    def fail(self, error: dict[str, Any]) -> None:
        """As `TokenRelay.fail`."""
        self._call("fail", error)

    def reopen(self) -> bool:
        """Make the actor anew if it was killed; False if this driver is connected to its cluster no more."""
        with self._lock:
            if self._ended or not self._connected():
                return False
            try:
                self._call("version")
            except self._ray.exceptions.ActorDiedError:
                self.make()
            return True

    def end(self, error: ShareError) -> None:
        """Let those who wait know, and end the actor."""
        with self._lock:
            self._ended = True
            if not self._connected():
                return
            with suppress(Exception):
                self._call("end", error_to_message(error), within=_FAREWELL + _CALL)
            with suppress(Exception):
                self._ray.kill(self._handle)

    def holders(self) -> list[tuple[str, float | None]]:
        """As `TokenRelay.holders`; nobody if the actor cannot be reached."""
        with suppress(Exception):
            found: list[tuple[str, float | None]] = self._call("holders")
            return found
        return []

    def _call(self, method: str, *arguments: Any, within: float = _CALL) -> Any:
        if not self._connected():
            raise share_ended(_GONE)
        return self._ray.get(getattr(self._handle, method).remote(*arguments), timeout=within)

    def _connected(self) -> bool:
        """Whether this process is the driver that made the actor; in any other a call would start or hang a Ray."""
        return (
            os.getpid() not in _forked
            and self._ray.is_initialized()
            and bool(self._ray.get_runtime_context().get_job_id() == self._job)
        )


class _Requests:
    """The channel of a worker to the actor."""

    def __init__(self, address: str, handle: Any, joined: Member) -> None:
        self._address, self._handle, self._member = address, handle, joined

    def newer_than(self, serial: int, patience: float) -> Grant:
        """A token with a higher number."""
        import ray  # noqa: PLC0415 - it is here

        until = time.monotonic() + patience + 2 * MARGIN
        worker = f"process {os.getpid()} at {ray.util.get_node_ip_address()}"
        self._watch()
        while True:
            left = until - time.monotonic()
            try:
                message = ray.get(self._handle.pull.remote(serial, patience, worker), timeout=max(0.0, left))
                break
            except ray.exceptions.GetTimeoutError:
                raise ShareError(
                    "timeout",
                    f"The actor of the share did not answer within {patience + 2 * MARGIN:.0f} s: its node cannot be "
                    "reached. Run the task again.",
                ) from None
            except ray.exceptions.RayTaskError as error:
                raise unexpected_error("Asking for a token", error) from None
            except ray.exceptions.RayError:  # it is being restarted, or made anew
                time.sleep(_PAUSE)
                handle = _find(self._address)
                if handle is None:
                    raise share_ended(_GONE) from None
                self._handle = handle
        if "error" in message:
            raise error_from_message(message)
        return Grant.from_message(message)

    def _watch(self) -> None:
        """Be told of the end: once for each process, and before it has a token."""
        watched = self._address, os.getpid()
        if watched in _watched:
            return
        _watched.add(watched)
        try:
            threading.Thread(target=self._wait, args=(watched,), name="authnb-share", daemon=True).start()
        except RuntimeError as error:
            _watched.discard(watched)
            raise unexpected_error("Waiting for the end of a share", error) from None

    def _wait(self, watched: tuple[str, int]) -> None:
        try:
            self._member.end(self._told())
        except _Lost:
            self._member.forget()
        finally:
            _watched.discard(watched)

    def _told(self) -> AuthnbError:
        """The error with which the share ended. Raises `_Lost` if the actor has died."""
        import ray  # noqa: PLC0415 - it is here

        while True:
            try:
                message = ray.get(self._handle.watch.remote(_WATCH), timeout=_WATCH + MARGIN)
            except ray.exceptions.ActorDiedError:
                raise _Lost from None
            except ray.exceptions.RayError:
                time.sleep(_PAUSE)
                continue
            if message is not None:
                return error_from_message(message)


class _Lost(Exception):
    pass


_watched: set[tuple[str, int]] = set()
_missing: set[str] = set()  # names of actors that did not come back
_forked: set[int] = set()  # processes that were forked from one that is connected to Ray, where it would hang


@after_fork
def _note_fork() -> None:
    ray: Any = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        _forked.add(os.getpid())


def _name(address: str) -> str:
    return address.partition("@")[0]


def _find(address: str) -> Any:
    """The handle of the actor; None if there is none, after a wait for one that is made anew."""
    import ray  # noqa: PLC0415 - it is here

    name = _name(address)
    until = time.monotonic() + (0.0 if name in _missing else _RETURN)
    while True:
        try:
            handle = ray.get_actor(name, namespace=_NAMESPACE)
        except ValueError:
            if time.monotonic() >= until:
                _missing.add(name)
                return None
            time.sleep(_PAUSE)
        else:
            _missing.discard(name)
            return handle


def find_channel(reference: Reference, joined: Member) -> _Requests | None:
    """The channel of this reference; None if this process has no Ray, or the actor is not in its cluster."""
    ray: Any = sys.modules.get("ray")
    if ray is None or not ray.is_initialized() or os.getpid() in _forked:
        return None
    machine = reference.address.partition("@")[2]
    here = ray.util.get_node_ip_address()
    if machine and machine != here:
        raise ShareError(
            "insecure_channel", f"The token was not sent from {machine} to {here}: {_UNENCRYPTED}"
        )
    handle = _find(reference.address)
    if handle is not None:
        return _Requests(reference.address, handle, joined)
    if reference is joined.references[-1]:
        raise share_ended(_GONE)
    return None


_UNENCRYPTED = (
    "Ray's connections are not encrypted. Start all nodes and the driver with RAY_USE_TLS=1, RAY_TLS_SERVER_CERT, "
    "RAY_TLS_SERVER_KEY and RAY_TLS_CA_CERT in the environment, or, if nobody else can read this network, share with "
    "allow_unencrypted=True."
)


def _is_encrypted() -> bool:
    """Whether Ray uses TLS: by the variable that turns it on, and by the head node, for Ray reads that only once."""
    import ray  # noqa: PLC0415 - it was given to us

    if os.environ.get("RAY_USE_TLS", "0").lower() not in {"1", "true"}:
        return False
    if ray.util.client.ray.is_connected():
        return True
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    try:
        context = ssl.create_default_context(cafile=os.environ["RAY_TLS_CA_CERT"])
        context.load_cert_chain(os.environ["RAY_TLS_SERVER_CERT"], os.environ["RAY_TLS_SERVER_KEY"])
        context.check_hostname = False  # with whom Ray talks it has checked itself
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CALL) as connection,
            context.wrap_socket(connection),
        ):
            return True
    except (OSError, KeyError):
        return False


def open_channel(target: Any, *, allow_unencrypted: bool) -> RayChannel:  # noqa: ARG001 - the module
    """The channel to the Ray cluster to which this process is connected."""
    import ray  # noqa: PLC0415 - it was given to us

    if not ray.is_initialized():
        raise ShareError(
            "unreachable", "This process is not connected to Ray. Call ray.init(…), then share the session."
        )
    if allow_unencrypted or _is_encrypted():
        return RayChannel(confined=False)
    if ray.util.client.ray.is_connected():
        raise ShareError("insecure_channel", f"The session was not shared by Ray Client: {_UNENCRYPTED}")
    here = ray.util.get_node_ip_address()
    others = {node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]} - {here}
    if others:
        raise ShareError(
            "insecure_channel",
            f"The session was not shared with {', '.join(sorted(others))}: {_UNENCRYPTED}",
        )
    return RayChannel(confined=True)
