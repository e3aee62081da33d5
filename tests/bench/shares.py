"""What a share costs: tokens served to workers, and what a call on a worker takes beyond one with a static header."""

from __future__ import annotations

import asyncio
import time
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bench.calls import ours
from bench.measuring import Result, Sample, at_most

from authnb.cluster.grant import Grant
from authnb.cluster.relay import TokenRelay

if TYPE_CHECKING:
    from bench.measuring import Bench

API = "https://api.example.org"
WORKERS = (1, 10, 100)
LIFETIME = 60.0  # seconds of a token whose renewals are counted up
RENEWED_AT = 0.75  # of its lifetime
EVERYBODY = 1000  # workers, on paper
WHY_FIRST = (
    "It is two requests, worker to scheduler and back, with TLS, on a machine whose two cores do both."
)


def measure(bench: Bench) -> Result:
    """The relay alone; where distributed is installed, in a scheduler that is a process of its own, over TLS."""
    asks = 200 if bench.tiny else 10_000
    relay = asyncio.run(relay_alone(asks))
    rows = [
        (
            "authnb, the relay alone",
            "",
            f"{asks / relay:,.0f}",
            f"{relay / asks * 1e6:.0f}",
            "",
            "",
        )
    ]
    goals = [at_most("a token from the relay alone", 20, relay / asks * 1e6, unit="µs", spec=".0f")]
    if find_spec("distributed") is None:
        text = "distributed is not installed here: only what the relay itself takes."
        return Result(title="Shares", text=text, head=HEAD, rows=rows, goals=goals)
    with import_module("bench.shares_dask").scheduler() as running:
        served = [running.serve(ours(API), workers, asks) for workers in WORKERS]
        grown = running.memory_over(ours(API), bench.times(10_000))
        first, later = running.on_a_worker(ours(API), API, bench.times(30), bench.times(20_000))
        starts = [running.on_a_worker(ours(API), API, 1, 1)[0] for _ in range(bench.times(5))]
        very_first = Sample(tuple(start.median for start in starts))
    for workers, one in zip(WORKERS, served, strict=True):
        rows.append(
            (
                f"authnb, Dask's scheduler, TLS, {workers} at once",
                str(workers),
                f"{asks / one.seconds:,.0f}",
                f"{one.cpu / asks * 1e6:.0f}",
                f"{share_of_a_core(one.cpu / asks, workers):.3%}",
                f"{share_of_a_core(one.cpu / asks, EVERYBODY):.2%}",
            )
        )
    percent = share_of_a_core(served[-1].cpu / asks, WORKERS[-1]) * 100
    goals += [
        at_most(
            f"scheduler, {WORKERS[-1]} workers, {LIFETIME:.0f}-second tokens",
            1,
            percent,
            unit="% of a core",
            spec=".3f",
        ),
        at_most("scheduler, memory after 10,000 renewals, beyond the first 1,000", 1, grown, unit="MiB"),
        at_most(
            "a task's first call, beyond a static header",
            20,
            first.median,
            unit="ms",
            spec=".1f",
            why=WHY_FIRST,
        ),
        at_most(
            "the first call on a new worker, beyond a static header",
            20,
            very_first.median,
            unit="ms",
            spec=".1f",
            why=WHY_FIRST,
        ),
        at_most("later calls, beyond a static header", 20, later.median, unit="µs", spec=".1f"),
    ]
    text = (
        f"{asks:,} requests for a token, sent at once by so many workers that do nothing else. A worker asks once for "
        f"each token, when {RENEWED_AT:.0%} of its lifetime have passed; so the last columns are what the scheduler "
        f"carries with {LIFETIME:.0f}-second tokens, with these workers and on paper with {EVERYBODY}. First call of a "
        f"task on a real worker: {first:.1f} ms, on a new one {very_first:.1f} ms; later ones {later:.1f} µs, without "
        f"the network. Memory of the scheduler over 9,000 renewals: {grown:+.2f} MiB."
    )
    return Result(title="Shares", text=text, head=HEAD, rows=rows, goals=goals)


HEAD = (
    "served by",
    "workers",
    "tokens a second",
    "CPU for one, µs",
    f"of a core, {LIFETIME:.0f}-second tokens",
    f"the same, {EVERYBODY} workers",
)


async def relay_alone(asks: int) -> float:
    """CPU seconds for so many requests for a token."""
    relay = TokenRelay()
    relay.put(Grant(serial=1, access_token="a1", lifetime=LIFETIME, left=LIFETIME))
    begin = time.process_time()
    for number in range(asks):
        await relay.pull(0, 0.0, f"worker {number % WORKERS[-1]}")
    return time.process_time() - begin


def share_of_a_core(cpu: float, workers: int) -> float:
    """Of the scheduler's, if each worker asks once for each token, which takes it ``cpu`` seconds."""
    return cpu * workers / (LIFETIME * RENEWED_AT)
