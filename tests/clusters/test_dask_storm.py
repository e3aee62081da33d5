"""Tasks over many expiries, with rotation and family revocation, while workers are killed and added at random.

Fifteen expiries; all of them: ``STORM_EXPIRIES=100 make clusters ARGS="-s -k storm"``.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from dask_clusters import LONG, commanded_cluster, wait_for_workers
from demo_session import sign_in
from distributed import as_completed
from memory_search import found_in
from support import free_port, wait_for
from token_endpoint_proxy import TokenEndpointProxy

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from dask_clusters import CommandedCluster
    from distributed import Client

EXPIRIES = int(os.environ.get("STORM_EXPIRIES", "15"))
TASKS = 20 * EXPIRIES  # at least
LIFETIME = 2  # seconds of a token
RENEWED_AT = 0.75  # of its lifetime: not before, or a renewal was one too many
WORKERS = 4
IN_FLIGHT = 24
CALLS = 4  # of a task


class Chaos:
    """Kills workers at random and starts others."""

    def __init__(self, cluster: CommandedCluster, every: int) -> None:
        self._cluster, self._every = cluster, every  # tasks between two kills
        self._random = random.Random(19)  # noqa: S311 - the same in each run
        self.alive = [cluster.worker() for _ in range(WORKERS)]
        self.killed = 0

    def task_done(self, number: int) -> None:
        if number % self._every == 0:
            self.alive.append(self._cluster.worker())
            victim: subprocess.Popen[bytes] = self.alive.pop(self._random.randrange(WORKERS))
            victim.kill()
            self.killed += 1


@pytest.mark.skipif(sys.platform != "linux", reason="memory is searched by proc(5)")
def test_a_storm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No call is lost, each expiry takes one renewal, and the refresh token is in this process alone."""
    renewals: list[float] = []
    used: set[str] = set()  # refresh tokens

    def on_renewal() -> str:
        renewals.append(time.monotonic())
        used.add(api.token["refresh_token"])
        return "pass"

    with (
        DemoProvider(access_token_lifetime=LIFETIME) as demo,
        TokenEndpointProxy(demo.issuer, on_renewal) as proxy,
        commanded_cluster(tmp_path, free_port()) as cluster,
    ):
        failures = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1000"}
        scheduler = cluster.scheduler(environment=failures)
        chaos = Chaos(cluster, every=max(40, TASKS // 40))
        with cluster.client() as client:
            wait_for_workers(client, WORKERS)
            signed_in = time.monotonic()
            api = sign_in(demo, proxy)
            with api.share_with(client):
                started = time.monotonic()
                outcomes = run_tasks(client, api, chaos, renewals)
                took = time.monotonic() - started
                used.add(api.token["refresh_token"])
                alive = {each.pid for each in chaos.alive}
                wait_for(lambda: workers_now(client) == alive, "those that were added last", LONG)
                look_for_refresh_tokens(client, [scheduler.pid, *alive], used)
        assert set(outcomes) == {200}
        lived = (renewals[-1] - signed_in) / LIFETIME
        assert len(renewals) * RENEWED_AT <= lived
        assert proxy.outcomes == ["pass"] * len(proxy.outcomes)
        with capsys.disabled():
            print(
                f"\n{len(outcomes) // CALLS} tasks, {len(outcomes)} calls in {took:.0f} s, {len(renewals)} renewals "
                f"in {lived:.1f} lifetimes of a token, {chaos.killed} workers killed, {len(used)} refresh tokens, all "
                "in this process alone"
            )


def run_tasks(client: Client, api: Any, chaos: Chaos, renewals: list[float]) -> list[int]:
    """The status of every call."""

    def work(_: int) -> list[int]:
        pause, seen = threading.Event(), []
        for _ in range(CALLS):
            seen.append(api.get("/stations").status_code)
            pause.wait(0.1)
        return seen

    outcomes: list[int] = []
    submitted = IN_FLIGHT
    done = as_completed(client.map(work, range(IN_FLIGHT), pure=False), with_results=True)
    for number, (_, statuses) in enumerate(done, start=1):
        outcomes += statuses
        chaos.task_done(number)
        if submitted < TASKS or len(renewals) < EXPIRIES:
            done.add(client.submit(work, submitted, pure=False))
            submitted += 1
    return outcomes


def workers_now(client: Client) -> set[int]:
    """Their process ids; one that was just killed may be among those that Dask still knows."""
    return {found for found in client.run(os.getpid, on_error="return").values() if isinstance(found, int)}


def look_for_refresh_tokens(client: Client, processes: list[int], used: set[str]) -> None:
    planted = secrets.token_urlsafe(32)
    assert not any(found_in(pid, [planted]) for pid in processes)

    def plant(text: str) -> None:
        sys.planted = text  # type: ignore[attr-defined]

    client.run(plant, planted)
    client.run_on_scheduler(plant, planted)
    for pid in processes:
        assert found_in(pid, [planted, *used]) == {planted}
