"""A night, shortened: tokens of two seconds, four processes, faults at random, and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from itertools import cycle
from typing import TYPE_CHECKING

import pytest
from demo_session import sign_in
from token_endpoint_proxy import TokenEndpointProxy
from worker_processes import WorkerProcesses

from authnb.demo import DemoProvider
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs a way to stop a process")

# An hour's token lives two seconds here, so 16 seconds are a night of eight hours. AUTHNB_SOAK makes it longer.
SECONDS = float(os.environ.get("AUTHNB_SOAK", "24"))
PROCESSES = 4
# What passes by itself; a 400 is a refusal, after which a call may ask for a new sign-in
FAULTS = ["500", "503", "html", "empty", "reset"]


def weather() -> Callable[[], str]:
    """Three requests of ten go wrong, and now and then the provider is down for a while."""
    chance = random.Random(8)  # noqa: S311 - reproducible
    down = [0]

    def outcome() -> str:
        if down[0] == 0 and chance.random() < 0.03:
            down[0] = 10
        if down[0] > 0:
            down[0] -= 1
            return "503"
        return chance.choice(FAULTS) if chance.random() < 0.3 else "pass"

    return outcome


def test_a_night(tmp_path: Path) -> None:
    """No call fails that could have succeeded.

    Whenever one failed, no process had a token that still lived, or the one it had ended on its way to the API.

    One process after the other is stopped for longer than a token lives and goes on, as in a laptop that sleeps.
    """
    with (
        DemoProvider(access_token_lifetime=2) as demo,
        TokenEndpointProxy(demo.issuer, weather()) as token_proxy,
    ):
        session = sign_in(demo, token_proxy, storage=FileStorage(tmp_path))
        with WorkerProcesses(session, PROCESSES) as workers:
            end = time.monotonic() + SECONDS
            for process in cycle(workers.processes):
                if time.monotonic() > end:
                    break
                assert token_proxy.wait_for(token_proxy.outcomes.count("pass") + 1, "pass")
                process.send_signal(signal.SIGSTOP)
                # Stopped in the midst of a renewal it holds the lock: then the others wait for it
                token_proxy.wait_for(token_proxy.outcomes.count("pass") + 2, "pass", seconds=5)
                process.send_signal(signal.SIGCONT)
            reports = workers.stop()
        token_proxy.outcome = lambda: "pass"
        assert session.get("/stations").ok, "the family is alive in the morning"
    calls = sum(report["calls"] for report in reports)
    renewals = token_proxy.outcomes.count("pass")
    figures = {
        "seconds": SECONDS,
        "calls": calls,
        "failures": sum(len(report["failures"]) for report in reports),
        "refused": sum(report["refused"] for report in reports),
        "expired_calls": sum(report["expired_calls"] for report in reports),
        "faults": len(token_proxy.outcomes) - renewals,
        "renewals": renewals,
        "early": sum(report["early"] for report in reports),
        "memory": [
            [report["memory"][len(report["memory"]) // 4], report["memory"][-1]] for report in reports
        ],
    }
    print(json.dumps(figures))
    assert [failure for report in reports for failure in report["failures"]] == []
    assert figures["early"] == 0, "one renewal an expiry"
    assert 0 <= renewals - sum(report["renewals"] for report in reports) <= 1, "and one more in the morning"
    assert renewals >= SECONDS / 4
    for quarter, end in figures["memory"]:
        assert end <= quarter * 1.05 + 1024, "memory is flat"
