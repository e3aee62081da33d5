"""What an adapter costs a call, beside a static header.

A call takes some 300 µs, and other processes make it take up to twice that, so a mean over calls shows them rather than
the adapter. Of each 25 calls in a row the fastest counts, with the header and with the adapter in turn, and the median
of the differences between neighbours in time: two runs with the same header differ by less than 2 µs so, on a machine
with ten times as much work as processors.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bench.calls import ours, scaled
from bench.measuring import Result, at_most, interleaved
from bench.serving import fast_api, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measuring import Bench

    from authnb.session.session import Session

CALLS = 25
HEADER = {"Authorization": "Bearer a0"}
WHY = (
    "Called in a loop, without requests, the adapter takes 4 µs for httpx, and some three times that between requests, "
    "whose code takes the processor's caches: to see that the token still lives and belongs to that address, and "
    "whether a variable of the environment names a proxy."
)


def measure(bench: Bench) -> Result:
    """The same requests with the header and with the adapter, interleaved, for each library that is installed."""
    rows, goals = [], []
    for library in ("httpx", "httpx2", "aiohttp", "grpc"):
        if find_spec(library) is None:
            continue
        with serving("grpc_api.py") if library == "grpc" else fast_api() as url:
            session, seconds = ours(url), SECONDS.get(library, partial(seconds_with_httpx, library))
            found = interleaved(
                {"header": partial(seconds, None, url), "adapter": partial(seconds, session, url)},
                bench.times(300),
            )
        header, adapter = (scaled(found[name], 1e6) for name in ("header", "adapter"))
        more = adapter.minus(header)
        rows.append((f"authnb, {library}", f"{header:.0f}", f"{adapter:.0f}", f"{more:.0f}"))
        what = f"a call with the adapter for {library}, beyond a static header"
        goals.append(at_most(what, 15, more.median, unit="µs", spec=".0f", why=WHY))
    return Result(
        title="A call with an adapter",
        text="A GET over a connection kept alive, or a gRPC call, answered at once by a server on loopback: "
        "microseconds of processor time with a static header, with the adapter, and the difference between "
        f"neighbours in time, each the fastest of {CALLS} calls in a row, which other processes disturb least. gRPC's "
        "static header is its `access_token_call_credentials`.",
        head=("adapter", "header, µs", "adapter, µs", "more, µs"),
        rows=rows,
        goals=goals,
    )


def seconds_with_httpx(library: str, session: Session | None, url: str) -> float:
    """Processor seconds for the fastest call of a client; the first, which connects, is not counted."""
    options: dict[str, Any] = {"headers": HEADER} if session is None else {"auth": session.credentials.httpx}
    with import_module(library).Client(trust_env=False, **options) as client:
        client.get(url)
        return fastest(lambda: client.get(url), time.thread_time)


def fastest(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """The least that one of the calls takes by this clock."""
    taken = []
    for _ in range(CALLS):
        begin = clock()
        call()
        taken.append(clock() - begin)
    return min(taken)


def seconds_with_aiohttp(session: Session | None, url: str) -> float:
    """The same with aiohttp."""
    return asyncio.run(_seconds_with_aiohttp(session, url))


async def _seconds_with_aiohttp(session: Session | None, url: str) -> float:
    options = {"headers": HEADER} if session is None else {"middlewares": [session.credentials.aiohttp]}
    async with import_module("aiohttp").ClientSession(**options) as client:

        async def call() -> None:
            async with client.get(url) as response:
                await response.read()

        await call()
        taken = []
        for _ in range(CALLS):
            begin = time.thread_time()
            await call()
            taken.append(time.thread_time() - begin)
        return min(taken)


def seconds_with_grpc(session: Session | None, url: str) -> float:
    """The same with gRPC, which calls the adapter on a thread of its own."""
    grpc = import_module("grpc")
    call_credentials = (
        grpc.access_token_call_credentials("a0")
        if session is None
        else grpc.metadata_call_credentials(session.credentials.grpc)
    )
    credentials = grpc.composite_channel_credentials(grpc.local_channel_credentials(), call_credentials)
    with grpc.secure_channel(url.removeprefix("http://"), credentials) as channel:
        call = channel.unary_unary("/bench.API/Get")
        call(b"")
        return fastest(lambda: call(b""), time.process_time)


SECONDS = {"aiohttp": seconds_with_aiohttp, "grpc": seconds_with_grpc}
