"""A night, shortened: tokens of two seconds, four processes, faults at random, and nothing is lost."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from between import Between
from signed_in import sign_in

from authnb.demo import DemoProvider
from authnb.files import FileStorage

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs a way to stop a process")

WORKER = Path(__file__).parent / "session_worker.py"
# An hour's token lives two seconds here, so 16 seconds are a night of eight hours. AUTHNB_SOAK makes it longer.
SECONDS = float(os.environ.get("AUTHNB_SOAK", "24"))
PROCESSES = 4
FAULTS = ["500", "503", "html", "message", "empty", "reset"]


def weather() -> Callable[[], str]:
    """Three requests of ten go wrong, and now and then the provider is down for a while."""
    chance = random.Random(8)  # noqa: S311 - reproducible
    down = [0]

    def fate() -> str:
        if down[0] == 0 and chance.random() < 0.03:
            down[0] = 10
        if down[0] > 0:
            down[0] -= 1
            return "503"
        return chance.choice(FAULTS) if chance.random() < 0.3 else "pass"

    return fate


def test_a_night(tmp_path: Path) -> None:
    """No call fails that could have succeeded: whenever one failed, no process had a token that still lived.

    One process after the other is stopped for a while and goes on, as in a laptop that sleeps.
    """
    with DemoProvider(access_token_lifetime=2) as demo, Between(demo.issuer, weather()) as between:
        session = sign_in(demo, between, storage=FileStorage(tmp_path))
        reports = work(pickle.dumps(session))
        between.fate = lambda: "pass"
        assert session.get("/stations").ok, "the family is alive in the morning"
    calls = sum(report["calls"] for report in reports)
    renewals = between.fates.count("pass")
    tokens = set().union(*(report["tokens"] for report in reports)) | {"the last"}
    figures = {
        "calls": calls,
        "refused": sum(report["refused"] for report in reports),
        "faults": len(between.fates) - renewals,
        "renewals": renewals,
        "memory": [report["memory"] for report in reports],
    }
    print(json.dumps(figures))
    assert [lost for report in reports for lost in report["lost"]] == []
    assert abs(renewals - len(tokens)) <= 1, "one renewal an expiry"
    assert renewals >= SECONDS / 4
    for report in reports:
        middle, end = report["memory"][1], report["memory"][-1]
        assert end <= middle * 1.05 + 1024, "memory is flat"


def work(session: bytes) -> list[dict[str, Any]]:
    """What the processes report at the end."""
    processes = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(SECONDS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(PROCESSES)
    ]
    over = threading.Event()
    sandman = threading.Thread(target=put_to_sleep, args=(processes, over))
    reports = []
    try:
        for process in processes:
            assert process.stdin
            process.stdin.write(session)
            process.stdin.close()
        sandman.start()
        for process in processes:
            assert process.stdout
            reports.append(json.loads(process.stdout.read()))
    finally:
        over.set()
        sandman.join()
        for process in processes:
            process.send_signal(signal.SIGCONT)
            assert process.stdout
            process.stdout.close()
            process.wait(30)
    return reports


def put_to_sleep(processes: list[subprocess.Popen[bytes]], over: threading.Event) -> None:
    """Stop one process after the other for longer than a token lives."""
    while not over.wait(2):
        for process in processes:
            process.send_signal(signal.SIGSTOP)
            over.wait(2.5)
            process.send_signal(signal.SIGCONT)
            if over.wait(2):
                return
