"""A share with processes in a storm, and with the libraries that people start them by."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import cloudpickle
import joblib
import pytest
from demo_session import age, sign_in
from memory_search import found_in
from token_endpoint_proxy import TokenEndpointProxy

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

# From Python 3.12 on, of every fork in a process with threads
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

CHILDREN, AT_ONCE, THREADS = 200, 20, 8
WORKERS, ROUNDS = 4, 8
CALLS = 6  # of a child, half a second apart: through two expiries
TIMEOUT = 200.0  # seconds until a process is taken to hang; a call waits for a provider for up to 180
FORK, SPAWN = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")
PLANTED = "planted-9a0c5f1e77"


@pytest.fixture(scope="module")
def brief() -> Iterator[DemoProvider]:
    """Tokens that live two seconds, with rotation and family revocation: two renewals at once would end the sign-in."""
    with DemoProvider(access_token_lifetime=2) as provider:
        yield provider


@pytest.fixture
def renewals(brief: DemoProvider) -> Iterator[TokenEndpointProxy]:
    with TokenEndpointProxy(brief.issuer) as proxy:
        yield proxy


def outcome(api: Any) -> str:
    """The status of a call, or its error."""
    try:
        return str(api.get("/stations").status_code)
    except Exception as error:  # noqa: BLE001 - reported
        return f"{type(error).__name__}: {error}"


def test_forks_in_a_storm_of_threads(brief: DemoProvider, renewals: TokenEndpointProxy) -> None:
    """None of 200 children hangs, each call succeeds, and an expiry costs one renewal, in the parent."""
    api = sign_in(brief, renewals)
    stopped = threading.Event()
    mine: list[str] = []

    def call() -> None:
        while not stopped.wait(random.uniform(0, 0.1)):  # noqa: S311 - no secret
            mine.append(outcome(api))

    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as threads, api.share_with(multiprocessing):
        running = [threads.submit(call) for _ in range(THREADS)]
        try:
            theirs = [each for _ in range(CHILDREN // AT_ONCE) for each in in_forks(api, AT_ONCE)]
        finally:
            stopped.set()
        for each in running:
            each.result()
    assert len(theirs) == CHILDREN * CALLS
    assert set(theirs) == set(mine) == {"200"}
    # The provider counts in whole seconds: a token is accepted for one second or two
    assert 5 <= len(renewals.outcomes) <= time.monotonic() - began + 1


def in_forks(api: Any, count: int) -> list[str]:
    """The calls of so many children. None has a refresh token that is younger than itself, but for one that is told."""
    children: list[tuple[BaseProcess, Connection]] = []
    found = []
    try:
        for _ in range(count):
            here, there = FORK.Pipe()
            child = FORK.Process(target=call_through_expiries, args=(api, there))
            child.start()
            children.append((child, here))
        for child, here in children:
            assert here.poll(TIMEOUT), f"process {child.pid} hangs"
            found += here.recv()
        newest = api.token["refresh_token"]
        for told, (child, here) in enumerate(children[:2]):
            here.send(newest if told else None)
            assert here.recv() == "heard"
            assert child.pid
            assert found_in(child.pid, {newest}) == ({newest} if told else set())
    finally:
        for child, here in children:
            child.kill()
            child.join()
            here.close()
    return found


def call_through_expiries(api: Any, connection: Connection) -> None:
    outcomes = []
    for _ in range(CALLS):
        outcomes.append(outcome(api))
        threading.Event().wait(0.5)
    connection.send(outcomes)
    told = connection.recv()
    connection.send("heard")
    connection.recv()
    del told


def test_workers_that_are_killed_and_added(brief: DemoProvider, renewals: TokenEndpointProxy) -> None:
    """No call is lost, and no refresh token is ever in the memory of one; what was planted there is found."""
    api = sign_in(brief, renewals)
    workers: list[tuple[BaseProcess, Connection]] = []
    ended: list[Connection] = []
    refresh_tokens = {api.token["refresh_token"]}
    began = time.monotonic()

    def start() -> None:
        here, there = SPAWN.Pipe()
        worker = SPAWN.Process(target=call_until_killed, args=(api, there, PLANTED))
        worker.start()
        there.close()
        workers.append((worker, here))

    with api.share_with(multiprocessing) as share:
        try:
            for _ in range(WORKERS):
                start()
            for _ in range(ROUNDS):
                for _, here in workers:
                    assert here.poll(TIMEOUT), "a worker hangs"
                done = len(renewals.outcomes)
                assert renewals.wait_for(done + 1)
                refresh_tokens.add(api.token["refresh_token"])
                worker, here = workers.pop(random.randrange(WORKERS))  # noqa: S311 - no secret
                assert worker.pid
                assert found_in(worker.pid, {*refresh_tokens, PLANTED}) == {PLANTED}
                worker.kill()
                worker.join()
                ended.append(here)
                start()
            assert len(share.holders) <= WORKERS
        finally:
            for worker, here in workers:
                worker.kill()
                worker.join()
                ended.append(here)
    outcomes = [each for here in ended for each in received(here)]
    assert len(outcomes) > ROUNDS
    assert set(outcomes) == {"200"}
    assert len(refresh_tokens) > ROUNDS
    assert len(renewals.outcomes) <= time.monotonic() - began + 1


def call_until_killed(api: Any, connection: Connection, planted: str) -> None:
    while planted:
        connection.send(outcome(api))
        threading.Event().wait(0.05)


def received(connection: Connection) -> Iterator[str]:
    """What arrived until the other end was killed."""
    with connection:
        try:
            while True:
                yield connection.recv()
        except (EOFError, OSError):
            return


def test_joblib_takes_lambdas(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """Its processes are spawned, and are given functions by cloudpickle."""
    api = sign_in(demo, token_proxy)
    task = joblib.delayed(lambda path: api.get(path).status_code)
    with api.share_with(joblib), joblib.Parallel(n_jobs=2) as parallel:
        age(api)
        assert parallel(task("/stations") for _ in range(8)) == [200] * 8
    assert token_proxy.outcomes == ["pass"]


def test_cloudpickle_copies_no_secret(demo: DemoProvider) -> None:
    """Without a share it says what to do."""
    api = sign_in(demo)

    def task() -> int:
        return int(api.get("/stations").status_code)

    with pytest.raises(Exception, match="share_with"):
        cloudpickle.dumps(task)
    with api.share_with(multiprocessing):
        text = cloudpickle.dumps(task)
        assert cloudpickle.loads(text)() == 200
    assert not any(str(api.token[name]).encode() in text for name in ("access_token", "refresh_token"))
