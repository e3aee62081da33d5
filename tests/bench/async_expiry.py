"""1,000 requests of one event loop find the token expired: renewals, failures, and how long the loop was held up."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bench.calls import ours
from bench.measuring import Goal, Result, at_most, interleaved
from bench.serving import fast_api

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from bench.measuring import Bench

    from authnb.session.session import Session

HEADER = {"Authorization": "Bearer a0"}
DISTANCE = 0.5  # seconds to the token endpoint: all requests have started until it answers
AT_ONCE = 10  # requests that are started in one turn of the loop
PULSE = 0.001  # seconds between two looks at the clock
WHY = "The calls that waited go on one in a turn of the loop. What else the machine runs counts too."


def measure(bench: Bench) -> Result:
    """The same requests with a static header and across an expiry with the adapter, interleaved."""
    requests = 20 if bench.tiny else 1000
    rows, goals = [], []
    with fast_api(DISTANCE) as url:
        for library in ("httpx", "httpx2", "aiohttp"):
            if find_spec(library) is None:
                continue
            run = Run(library=library, url=url, requests=requests)
            late = interleaved({"header": run.with_header, "adapter": run.across_an_expiry}, bench.times(9))
            header, adapter = (min(late[name].values) * 1000 for name in ("header", "adapter"))
            rows.append(
                (
                    f"authnb, {library}",
                    f"{max(run.renewals)}",
                    f"{len(run.failures)}",
                    f"{header:.0f}",
                    f"{adapter:.0f}",
                )
            )
            goals += [
                Goal(
                    what=f"renewals for {requests} requests at once, {library}",
                    to_reach="1, no failure",
                    measured=f"{max(run.renewals)}, {len(run.failures)} failures",
                    reached=set(run.renewals) == {1} and not run.failures,
                    why=", ".join(sorted(set(run.failures))),
                ),
                at_most(
                    f"loop held up meanwhile, beyond a static header, {library}",
                    20,
                    adapter - header,
                    unit="ms",
                    spec=".0f",
                    why=WHY,
                ),
            ]
    return Result(
        title="A token that has ended, and 1,000 requests of one event loop",
        text=f"{requests} requests are started, {AT_ONCE} in a turn of the loop, before the token endpoint answers, "
        f"{DISTANCE * 1000:.0f} ms away. How late a task was at the worst that wakes up each millisecond, in "
        "milliseconds: with a static header and nothing to renew, and with the adapter. The least of all rounds, which "
        "other processes disturb least.",
        head=("adapter", "renewals", "failures", "late with the header, ms", "late with the adapter, ms"),
        rows=rows,
        goals=goals,
    )


@dataclass(kw_only=True)
class Run:
    """The requests of one library, and what came of them in all rounds."""

    library: str
    url: str
    requests: int
    failures: list[str] = field(default_factory=list)
    renewals: list[int] = field(default_factory=list)

    def with_header(self) -> float:
        """By how many seconds the loop was late at the worst, with a static header."""
        return asyncio.run(self._late(None))

    def across_an_expiry(self) -> float:
        """The same with the adapter and an expired token."""
        session = ours(self.url, left=-1)
        before = self._number(ours(self.url, left=-1))
        late = asyncio.run(self._late(session))
        self.renewals.append(self._number(session) - before - 1)
        return late

    def _number(self, session: Session) -> int:
        """The number of a new token: the token endpoint counts."""
        renewer = session.token_auth.renewer
        assert renewer is not None
        session.token_auth.renew(session.token, renewer)
        return int(session.token["access_token"][1:])

    async def _late(self, session: Session | None) -> float:
        longest = 0.0
        make = with_aiohttp if self.library == "aiohttp" else partial(with_httpx, import_module(self.library))
        client, get = make(session, self.url)

        async def call() -> None:
            try:
                await get()
            except Exception as error:  # noqa: BLE001 - counted
                self.failures.append(type(error).__name__)

        async def watch() -> None:
            nonlocal longest
            while True:
                begin = time.perf_counter()
                await asyncio.sleep(PULSE)
                longest = max(longest, time.perf_counter() - begin - PULSE)

        async with client:
            watcher = asyncio.create_task(watch())
            calls = []
            for number in range(self.requests):
                calls.append(asyncio.create_task(call()))
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
            await asyncio.gather(*calls)
            watcher.cancel()
        return longest


def with_httpx(
    library: Any, session: Session | None, url: str
) -> tuple[AbstractAsyncContextManager[Any], Callable[[], Awaitable[object]]]:
    """A client, and a request by it."""
    options: dict[str, Any] = {"headers": HEADER} if session is None else {"auth": session.credentials.httpx}
    client = library.AsyncClient(trust_env=False, timeout=None, **options)

    async def get() -> None:
        (await client.get(url)).raise_for_status()

    return client, get


def with_aiohttp(
    session: Session | None, url: str
) -> tuple[AbstractAsyncContextManager[Any], Callable[[], Awaitable[object]]]:
    """The same with aiohttp."""
    options = {"headers": HEADER} if session is None else {"middlewares": [session.credentials.aiohttp]}
    client = import_module("aiohttp").ClientSession(raise_for_status=True, **options)

    async def get() -> None:
        async with client.get(url) as response:
            await response.read()

    return client, get
