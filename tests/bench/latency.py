"""The time from the person's consent until the cell continues."""

from __future__ import annotations

import json
import os
import random
import subprocess
import tempfile
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bench.counted import Counted
from bench.measuring import HERE, Goal, Result, Sample, at_most
from bench.signing_in import surroundings

from authnb.demo import person

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measuring import Bench

INTERVAL = 1  # seconds, of the device flow
LATE = 0.05  # seconds


def measure(bench: Bench) -> Result:
    """Sign-ins in another process, by both flows."""
    with Counted(device_interval=INTERVAL) as demo:
        demo.visit(f"{demo.issuer}/device")  # the account is created once, before
        callbacks = sign_ins(bench, demo, "loopback", bench.times(30), by_browser)
        after_callback = Sample(
            tuple(1000 * (done - said_yes - token) for said_yes, done, token, _ in callbacks)
        )
        approvals = sign_ins(bench, demo, "device", bench.times(12), by_code)
    waits = Sample(tuple(1000 * (done - said_yes) for said_yes, done, _, _ in approvals))
    longest = max(waits.values)
    gaps = [gap for *_, each in approvals for gap in each]
    early = sum(gap < INTERVAL for gap in gaps)
    return Result(
        title="From yes to signed in",
        text=(
            "Milliseconds. By callback: from when the browser is sent to it until `await` returns, without the time "
            "the token endpoint takes. By device code, asked for every second: from when the person's yes reaches the "
            "provider until `await` returns."
        ),
        head=("what", "ms", "longest"),
        rows=[
            ("authnb, callback to `await`", f"{after_callback:.1f}", f"{max(after_callback.values):.1f}"),
            ("authnb, device code approved to `await`", f"{waits:.0f}", f"{longest:.0f}"),
        ],
        goals=[
            at_most(
                "callback arrives, `await` returns, median", 15, after_callback.median, unit="ms", spec=".1f"
            ),
            at_most(
                "device approved, signed in, longest, of one interval",
                INTERVAL * 1000 + LATE * 1000,
                longest,
                unit="ms",
                spec=".0f",
            ),
            Goal(
                what="device: polls too early",
                to_reach="0",
                measured=f"{early} of {len(gaps)}",
                reached=not early,
            ),
        ],
    )


def sign_ins(
    bench: Bench, demo: Counted, mode: str, times: int, agree: Callable[[Counted, str, str | None], float]
) -> list[tuple[float, float, float, list[float]]]:
    """For each: when consent was given, when ``await`` returned, the token endpoint's duration, the polls' gaps."""
    found = []
    with (
        tempfile.TemporaryDirectory() as home,
        subprocess.Popen(
            [bench.python, str(HERE / "latency_worker.py"), mode, str(times)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **surroundings(demo, home)},
        ) as process,
    ):
        for turn in range(times):
            del demo.times[:]
            uri, user_code = told(process)
            # A person reads first; with the device flow, consent comes at any moment between two polls
            time.sleep(1 if turn == 0 else random.uniform(0.1, 0.1 + INTERVAL))  # noqa: S311 - no secret
            said_yes = agree(demo, uri, user_code)
            done = told(process)
            polls = [(begin, end) for path, begin, end in demo.times if path == "/token"]
            begin, end = polls[-1]
            gaps = [later[0] - earlier[1] for earlier, later in pairwise(polls)]
            found.append((said_yes, done, end - begin, gaps))
            print(file=process.stdin, flush=True)
    return found


def told(process: subprocess.Popen[str]) -> Any:
    """The next line of the worker's output."""
    return json.loads(process.stdout.readline())  # type: ignore[union-attr] # it is a pipe


def by_browser(demo: Counted, uri: str, _user_code: str | None) -> float:
    """When the browser received the redirect to the callback."""
    sent = []

    def observe(_request: Any, response: Any) -> None:
        if "/callback?" in (response.headers.get("Location") or ""):
            sent.append(time.monotonic())

    person.observers.append(observe)
    try:
        demo.visit(uri)
    finally:
        person.observers.remove(observe)
    return sent[0]


def by_code(demo: Counted, _uri: str, user_code: str | None) -> float:
    """When the provider received the consent: the last request to the device page."""
    demo.approve(str(user_code))
    return [begin for path, begin, _ in demo.times if path == "/device"][-1]
