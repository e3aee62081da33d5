"""What an adapter costs a call, beside a static header."""

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
    from bench.measuring import Bench

    from authnb.session.session import Session

CALLS = 25
HEADER = {"Authorization": "Bearer a0"}
WHY = (
    "Called in a loop, without requests, the adapter takes 7 µs for httpx, 4 of them to see whether a variable of the "
    "environment names a proxy, and 2 µs for gRPC, on a thread of gRPC's. What it takes beyond that was not found."
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
                bench.times(200),
            )
        header, adapter = (scaled(found[name], 1e6 / CALLS) for name in ("header", "adapter"))
        least = min(adapter.values) - min(header.values)
        rows.append((f"authnb, {library}", f"{header:.0f}", f"{adapter:.0f}", f"{least:.0f}"))
        what = f"a call with the adapter for {library}, beyond a static header"
        goals.append(at_most(what, 15, least, unit="µs", spec=".0f", why=WHY))
    return Result(
        title="A call with an adapter",
        text="A GET over a connection kept alive, or a gRPC call, answered at once by a server on loopback: "
        "microseconds of processor time with a static header, with the adapter, and the difference between the least "
        "of each, which other processes disturb least. gRPC's static header is its `access_token_call_credentials`.",
        head=("adapter", "header, µs", "adapter, µs", "more, µs"),
        rows=rows,
        goals=goals,
    )


def seconds_with_httpx(library: str, session: Session | None, url: str) -> float:
    """Processor seconds for the calls of a client; the first, which connects, is not counted."""
    options: dict[str, Any] = {"headers": HEADER} if session is None else {"auth": session.credentials.httpx}
    with import_module(library).Client(trust_env=False, **options) as client:
        client.get(url)
        begin = time.thread_time()
        for _ in range(CALLS):
            client.get(url)
        return time.thread_time() - begin


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
        begin = time.thread_time()
        for _ in range(CALLS):
            await call()
        return time.thread_time() - begin


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
        begin = time.process_time()
        for _ in range(CALLS):
            call(b"")
        return time.process_time() - begin


SECONDS = {"aiohttp": seconds_with_aiohttp, "grpc": seconds_with_grpc}
