"""Memory after a login, and after many requests and renewals."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bench.counted import Counted
from bench.measuring import HERE, Result, Sample, at_most
from bench.serving import fast_api
from bench.signing_in import link_of, surroundings

if TYPE_CHECKING:
    from bench.measuring import Bench

CALLS, RENEWALS = 100_000, 1_000


def measure(bench: Bench) -> Result:
    """Both at once, each in a process of its own; no time is measured."""
    calls, renewals = (80, 8) if bench.tiny else (CALLS, RENEWALS)
    with Counted() as demo, fast_api() as api, ThreadPoolExecutor() as pool:
        runs = [pool.submit(memory, bench, demo, api, who, calls, renewals) for who in ("authnb", "authlib")]
        ours, theirs = (run.result() for run in runs)
        renewed = demo.asked.count("/token") - 2
    if renewed < 2 * renewals:
        raise RuntimeError(f"{renewed} renewals, not {2 * renewals}")
    return Result(
        title="Memory",
        text=(
            f"The most that a process has had, in MiB, after a login and one call, and after {calls} calls with "
            f"{renewals} renewals. Both check the ID token."
        ),
        head=("library", "after login", *(f"after {calls * n // 4} calls" for n in range(1, 5))),
        rows=[
            (bench.version("authnb"), *(f"{used:.1f}" for used in ours)),
            (bench.version("Authlib"), *(f"{used:.1f}" for used in theirs)),
        ],
        goals=[
            at_most("memory after login, Authlib's session = 1", 1.1, ours[0] / theirs[0]),
            at_most("memory after all calls, Authlib's session = 1", 1.1, ours[-1] / theirs[-1]),
            at_most(
                "memory after all calls, after a quarter of them = 1", 1.01, ours[-1] / ours[1], spec=".3f"
            ),
        ],
        bars={
            f"{name} {when}": Sample((used[index],))
            for when, index in (("after login", 0), ("after all calls", -1))
            for name, used in (("authnb", ours), ("Authlib", theirs))
        },
        unit="MiB",
    )


def memory(bench: Bench, demo: Counted, api: str, library: str, calls: int, renewals: int) -> list[float]:
    """The output of the worker."""
    script = str(HERE / "logins" / f"with_{library}.py")
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, **surroundings(demo, home), "API": api}
        command = [bench.python, str(HERE / "memory_worker.py"), script, str(calls), str(renewals)]
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        ) as process:
            demo.visit(link_of(process))
            said, _ = process.communicate(timeout=900)
    used = [int(kib) / 1024 for kib in re.findall(r"memory (\d+)", said)]
    if process.returncode or len(used) != 5:
        raise RuntimeError(said)
    return used
