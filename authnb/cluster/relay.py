"""A share's newest token outside the kernel: in Dask's scheduler, in an actor of Ray; and the kernel's end of it."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from authnb.cluster.grant import error_to_message
from authnb.errors import AuthnbError, ShareError, unexpected_error

if TYPE_CHECKING:
    from authnb.cluster.grant import Grant
    from authnb.cluster.supply import TokenSupply

MARGIN = (
    60.0  # seconds beyond its patience that a worker waits for the kernel, whose renewal may take so long
)
ATTENDED = 10.0  # seconds for which the kernel's request for what is needed is kept open
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0  # seconds between two attempts to reach a relay that is gone


class TokenRelay:
    """Hands the newest token to workers, and tells the kernel when they need another.

    The token is in memory only. Every method is called in one event loop, and none waits without a limit.
    """

    def __init__(self, margin: float = MARGIN) -> None:
        self._margin = margin
        self._grant: Grant | None = None
        self._came = 0.0  # time.monotonic() of the grant
        self._ended: dict[str, Any] | None = None
        self._waiting: dict[
            asyncio.Future[dict[str, Any] | None], tuple[int, float]
        ] = {}  # number, until when
        self._attended: set[asyncio.Future[dict[str, Any] | None]] = set()  # of those, which the kernel knows
        self._needed = asyncio.Event()  # while workers wait, and after the end
        self._holders: dict[str, float | None] = {}  # time.monotonic() at which a worker's token expires

    def __repr__(self) -> str:
        state = "ended" if self._ended is not None else f"{len(self._holders)} holders"
        return f"<TokenRelay: {state}, {len(self._waiting)} waiting>"

    async def pull(self, newer_than: int, patience: float, worker: str) -> Grant | dict[str, Any]:
        """A token with a higher number for this worker, which may have expired by then; else an error as a message.

        ``patience``: as for `authnb.cluster.supply.TokenSupply.newer_than`.
        """
        left = self._left()
        if self._grant is None or self._grant.serial <= newer_than or (left is not None and left <= 0):
            number = max(newer_than, 0 if self._grant is None else self._grant.serial)
            if (error := await self._another(number, patience)) is not None:
                return error
        if self._ended is not None:
            return self._ended
        assert self._grant is not None  # noqa: S101 - what was waited for
        left = self._left()
        self._holders[worker] = None if left is None else time.monotonic() + left
        return replace(self._grant, left=left)

    async def attend(self, timeout: float) -> tuple[int, float] | dict[str, Any] | None:  # noqa: ASYNC109 - of a request
        """What the kernel is asked for: the highest number that workers have, and the longest patience.

        Waits up to ``timeout`` seconds, and then is None. After the end, its error as a message.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._needed.wait()
        if self._ended is not None:
            return self._ended
        if not self._waiting:
            return None
        self._attended = set(self._waiting)
        numbers, deadlines = zip(*self._waiting.values(), strict=True)
        return max(numbers), max(0.0, max(deadlines) - time.monotonic())

    def put(self, grant: Grant) -> None:
        """Hand this token out from now on, first to the workers that wait for it."""
        if self._ended is not None:
            return
        now = self._came = time.monotonic()
        self._grant = grant
        self._holders = {name: at for name, at in self._holders.items() if at is None or at > now}
        for waiter, (number, _) in tuple(self._waiting.items()):
            if number < grant.serial:
                self._resolve(waiter, None)

    def fail(self, error: dict[str, Any]) -> None:
        """Let the workers fail that waited when the kernel attended last."""
        for waiter in self._attended:
            self._resolve(waiter, error)

    def end(self, error: dict[str, Any]) -> None:
        """Forget the token; every request is answered by this error from now on."""
        if self._ended is not None:
            return
        self._ended, self._grant = error, None
        self._holders.clear()
        for waiter in tuple(self._waiting):
            self._resolve(waiter, error)
        self._needed.set()

    def forget(self, worker: str) -> None:
        """Note that a worker is gone."""
        self._holders.pop(worker, None)

    def holders(self) -> list[tuple[str, float | None]]:
        """The workers that hold a token, and the seconds until it expires, None if unknown."""
        now = time.monotonic()
        return [(name, None if at is None else at - now) for name, at in self._holders.items()]

    async def _another(self, number: int, patience: float) -> dict[str, Any] | None:
        """Wait for a token with a higher number; the error if none came."""
        if self._ended is not None:
            return self._ended
        waiter: asyncio.Future[dict[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = number, time.monotonic() + patience
        self._needed.set()
        try:
            async with asyncio.timeout(patience + self._margin):
                return await waiter
        except TimeoutError:
            return error_to_message(
                ShareError(
                    "timeout",
                    f"The process that shares the sign-in did not answer within {patience + self._margin:.0f} s: it is "
                    "stopped or cannot be reached, or its provider is in trouble. Run the task again.",
                )
            )
        finally:
            self._resolve(waiter, None)

    def _resolve(self, waiter: asyncio.Future[dict[str, Any] | None], error: dict[str, Any] | None) -> None:
        self._waiting.pop(waiter, None)
        if not waiter.done():
            waiter.set_result(error)
        if not self._waiting and self._ended is None:
            self._needed.clear()

    def _left(self) -> float | None:
        """Seconds until the token expires, None if unknown."""
        if self._grant is None or self._grant.left is None:
            return None
        return self._grant.left - (time.monotonic() - self._came)


class Relay(Protocol):
    """A `TokenRelay` as the kernel reaches it. Each call blocks, and raises what the connection raises."""

    def attend(self, timeout: float) -> tuple[int, float] | dict[str, Any] | None:
        """As `TokenRelay.attend`."""

    def put(self, grant: Grant) -> None:
        """As `TokenRelay.put`."""

    def fail(self, error: dict[str, Any]) -> None:
        """As `TokenRelay.fail`."""

    def reopen(self) -> bool:
        """After one of them raised: set the relay up again if need be; False if it will never be back."""


class Feeder:
    """Answers the needs of a relay from the kernel's `TokenSupply`, on a thread that ends with the process."""

    def __init__(self, supply: TokenSupply, relay: Relay) -> None:
        self._supply, self._relay = supply, relay
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="authnb-feeder", daemon=True)

    def start(self) -> None:
        """Attend from now on."""
        self._thread.start()

    def end(self) -> None:
        """Attend no more, once the request that is open has been answered."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                needed = self._relay.attend(ATTENDED)
                if isinstance(needed, dict):
                    break
                if needed is not None and not self._ended.is_set():
                    self._serve(*needed)
            except Exception:  # noqa: BLE001 - whatever the connection raises, the relay is gone
                if not self._reopened():
                    break
        if not self._ended.is_set():
            self._supply.lost("the connection to its workers is closed. Share the session again.")

    def _serve(self, newer_than: int, patience: float) -> None:
        try:
            grant = self._supply.newer_than(newer_than, patience)
        except AuthnbError as error:
            self._relay.fail(error_to_message(error))
        except Exception as error:  # noqa: BLE001 - raised in the tasks that wait
            self._relay.fail(error_to_message(unexpected_error("Renewing the token", error)))
        else:
            self._relay.put(grant)

    def _reopened(self) -> bool:
        """Try until the relay is there again; False if that cannot be, or the share has ended."""
        pause = _FIRST_PAUSE
        while not self._ended.wait(pause):
            with suppress(Exception):
                return self._relay.reopen()
            pause = min(2 * pause, _LONGEST_PAUSE)
        return False
