"""A provider that is down while tasks run. A minute of it: ``OUTAGE=60 make clusters ARGS="-s -k outage"``."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from dask_clusters import LONG, local_cluster
from demo_session import sign_in
from distributed import as_completed
from token_endpoint_proxy import TokenEndpointProxy

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    import pytest
    from distributed import Client

OUTAGE = float(os.environ.get("OUTAGE", "8"))  # seconds, some lifetimes of a token
LIFETIME = 2  # seconds of a token
IN_FLIGHT = 8


class Provider:
    """Its token endpoint, which is down for a while: it answers 503, and then resets connections."""

    def __init__(self) -> None:
        self._down_from = self._until = float("inf")

    def goes_down(self) -> None:
        self._down_from = time.monotonic()
        self._until = self._down_from + OUTAGE

    @property
    def is_back(self) -> bool:
        return time.monotonic() > self._until

    def outcome(self) -> str:
        now = time.monotonic()
        if now < self._down_from or now > self._until:
            return "pass"
        return "503" if now < self._until - OUTAGE / 2 else "reset"


def test_tasks_wait_an_outage_out(capsys: pytest.CaptureFixture[str]) -> None:
    """No call is lost, and the provider is not stormed when it is back."""
    provider = Provider()
    with (
        DemoProvider(access_token_lifetime=LIFETIME) as demo,
        TokenEndpointProxy(demo.issuer, provider.outcome) as proxy,
        local_cluster() as client,
    ):
        api = sign_in(demo, proxy)
        with api.share_with(client):
            outcomes = call_through(client, api, provider)
    assert set(outcomes) == {200}
    failed = len(proxy.outcomes) - proxy.outcomes.count("pass")
    assert proxy.outcomes.count("503") > 0
    assert proxy.outcomes.count("reset") > 0
    # The pauses between two attempts grow from half a second to five
    assert failed <= 6 + OUTAGE / 2
    with capsys.disabled():
        print(f"\n{len(outcomes)} calls, down for {OUTAGE:.0f} s, in which {failed} renewals failed")


def call_through(client: Client, api: Any, provider: Provider) -> list[int]:
    """The status of every call, some before, some in and some after the outage."""

    def work(_: int) -> list[int]:
        pause, seen = threading.Event(), []
        for _ in range(4):
            seen.append(api.get("/stations").status_code)
            pause.wait(0.1)
        return seen

    outcomes: list[int] = []
    assert client.submit(work, 0, pure=False).result(LONG) == [200] * 4
    provider.goes_down()
    after = 0
    done = as_completed(client.map(work, range(IN_FLIGHT), pure=False), with_results=True)
    for _, statuses in done:
        outcomes += statuses
        after += provider.is_back
        if after < IN_FLIGHT:
            done.add(client.submit(work, len(outcomes), pure=False))
    return outcomes
