"""A sign-in shared with a Ray cluster: tasks and actors have access tokens, and this process renews them.

One Ray for all tests, with the processes of a node each.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import ray
from demo_session import sign_in
from support import folder_for_sockets, free_port, give_up, wait_for
from token_endpoint_proxy import TokenEndpointProxy

import authnb
from authnb.demo import DemoProvider
from authnb.demo.running import RunningProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKERS = 4
LIFETIME = 2  # seconds
EXPIRIES = 8
STARTS = 4  # attempts
PORTS = ("metrics-export", "dashboard-agent-grpc", "dashboard-agent-listen", "runtime-env-agent")


class Cluster:
    """A Ray of one node; its address and the folder with all that it writes."""

    def __init__(self, address: str, folder: Path, head: psutil.Process) -> None:
        self.address, self.folder, self.head = address, folder, head

    def processes(self) -> list[psutil.Process]:
        """All of the node's, workers too."""
        return self.head.children(recursive=True)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Started by a command, so that it outlives drivers; this process is one."""
    # Comes with Jupyter, and is loaded by each process of Ray, where it takes longer than all else
    slow = tmp_path_factory.mktemp("slow")
    (slow / "rfc3987_syntax.py").write_text("raise ImportError('not needed here')\n")
    with pytest.MonkeyPatch.context() as environment, folder_for_sockets() as folder:
        environment.setenv("PYTHONPATH", str(slow), prepend=os.pathsep)
        for number in range(STARTS):
            if (started := _start(Path(folder, str(number)))) is not None:
                break
        else:
            give_up("Ray does not start: this machine is too busy")
        try:
            ray.init(started.address, log_to_driver=False, namespace="tests")
            yield started
        finally:
            ray.shutdown()
            _end(started.head)


def _start(folder: Path) -> Cluster | None:
    """A Ray; None if a process of it was not there after the 30 seconds that Ray waits."""
    port, ports = free_port(), [f"--{name}-port={free_port()}" for name in PORTS]
    command = [
        *(Path(sys.executable).with_name("ray"), "start", "--head", "--block", f"--port={port}"),
        *ports,  # Ray waits less for agents that are to find ports by themselves
        *(f"--temp-dir={folder}", f"--num-cpus={WORKERS}", "--object-store-memory=80000000"),
        *("--include-dashboard=false", "--disable-usage-stats"),
    ]
    folder.mkdir()
    output = folder / "output"
    with output.open("wb") as file:
        head = psutil.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    wait_for(lambda: b"runtime started" in output.read_bytes() or head.poll() is not None, "Ray", 120)
    if head.poll() is None:
        return Cluster(f"127.0.0.1:{port}", folder, head)
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(f"{folder}/" in argument for argument in process.cmdline()):
                process.kill()
    return None


def _end(head: psutil.Popen) -> None:
    processes = head.children(recursive=True)
    head.terminate()
    _, left = psutil.wait_procs([head, *processes], 20)
    for process in left:
        process.kill()


@pytest.fixture(scope="module")
def fleeting() -> Iterator[DemoProvider]:
    """A provider whose tokens last two seconds, and whose refresh tokens rotate; one used twice ends its family."""
    with DemoProvider(access_token_lifetime=LIFETIME) as provider:
        yield provider


class Renewals:
    """When they took place, on `time.monotonic`."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self) -> str:
        self.times.append(time.monotonic())
        return "pass"


@ray.remote(max_retries=-1)
def calls(api: Any, count: int) -> tuple[int, list[int]]:
    return os.getpid(), [int(api.get("/stations").status_code) for _ in range(count)]


@ray.remote
class Reader:
    def __init__(self, api: Any) -> None:
        self.api = api

    def process(self) -> int:
        return os.getpid()

    def status(self) -> int:
        return int(self.api.get("/stations").status_code)

    def token(self) -> dict[str, Any]:
        return dict(self.api.token)

    def plant(self, text: str) -> None:
        self.planted = text
        print(text, flush=True)


@pytest.mark.usefixtures("cluster")
def test_calls_outlive_their_token_and_their_worker(fleeting: DemoProvider) -> None:
    """It is renewed once for all workers at each expiry, here, and no call is lost; workers are killed meanwhile."""
    renewals = Renewals()
    with TokenEndpointProxy(fleeting.issuer, renewals) as proxy:
        api = sign_in(fleeting, proxy)
        chance = random.Random(4)  # noqa: S311 - reproducible
        seen = []
        with api.share_with(ray) as share:
            while len(renewals.times) < EXPIRIES:
                running = [calls.remote(api, 25) for _ in range(2 * WORKERS)]
                if seen:
                    with suppress(ProcessLookupError):
                        os.kill(chance.choice(seen), signal.SIGKILL)
                results = ray.get(running, timeout=120)
                assert [status for _, statuses in results for status in statuses] == [200] * 50 * WORKERS
                seen = sorted({pid for pid, _ in results})
            assert "process" in repr(share)
    gaps = [later - earlier for earlier, later in zip(renewals.times, renewals.times[1:], strict=False)]
    assert min(gaps) > LIFETIME / 5  # as many as expiries: `expires_at` is in whole seconds, less a quarter


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("end", ["close", "logout"])
def test_at_the_end_workers_forget_their_tokens(demo: DemoProvider, end: str) -> None:
    """And are told why."""
    api = sign_in(demo)
    share = api.share_with(ray)
    reader = Reader.remote(api)
    assert ray.get(reader.status.remote()) == 200
    assert ray.get(reader.token.remote())["access_token"] == api.token["access_token"]
    share.close() if end == "close" else api.logout()
    wait_for(lambda: not ray.get(reader.token.remote())["access_token"], "the worker to forget")
    with pytest.raises(authnb.ShareError, match="it was closed" if end == "close" else "signed out"):
        ray.get(reader.status.remote())
    assert not _actors()
    ray.kill(reader)


@pytest.mark.usefixtures("cluster")
def test_after_the_end_nobody_waits_for_ever(demo: DemoProvider) -> None:
    """A task that comes late is told so too, in a process that never had the token."""
    api = sign_in(demo)
    with api.share_with(ray):
        text = ray.put(api)
    with pytest.raises(authnb.ShareError, match="share_ended"):
        ray.get(calls.remote(text, 1), timeout=120)


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("gone", ["its process", "for good"])
def test_an_actor_that_is_gone_comes_back(fleeting: DemoProvider, gone: str) -> None:
    """Ray restarts it without its memory, or it is made anew; calls wait."""
    api = sign_in(fleeting)
    with api.share_with(ray):
        reader = Reader.remote(api)
        assert ray.get(reader.status.remote()) == 200
        handle = ray.get_actor(_actors()[0], namespace="authnb")
        ray.kill(handle, no_restart=gone == "for good")
        for _ in range(3):
            assert ray.get(reader.status.remote(), timeout=120) == 200
            assert ray.get(calls.remote(api, 1), timeout=120)[1] == [200]
    ray.kill(reader)


def test_a_driver_that_is_killed_leaves_nothing(cluster: Cluster, demo: DemoProvider) -> None:
    """Its workers and the actor end. One that outlives it, an actor that is detached, is told so."""
    program = "import sys, test_ray; test_ray.drive(*sys.argv[1:])"
    command = [sys.executable, "-c", program, cluster.address, demo.issuer]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as driver:
        assert driver.stdout is not None
        processes = json.loads(driver.stdout.readline())
        driver.kill()
    wait_for(lambda: not any(map(psutil.pid_exists, processes)), "the driver's processes to end")
    assert not _actors()
    reader = ray.get_actor("detached", namespace="tests")
    wait_for(lambda: not ray.get(reader.token.remote())["access_token"], "the worker to forget")
    with pytest.raises(authnb.ShareError, match="share_ended"):
        ray.get(reader.status.remote(), timeout=120)
    ray.kill(reader)


def drive(address: str, issuer: str) -> None:
    """A driver: share with two actors, print the processes that are to end with this one, and wait."""
    ray.init(address, log_to_driver=False, namespace="tests")
    api = sign_in(RunningProvider(issuer))  # type: ignore[arg-type] # has all that is needed
    api.share_with(ray)
    readers = [Reader.remote(api), Reader.options(name="detached", lifetime="detached").remote(api)]
    assert ray.get([reader.status.remote() for reader in readers]) == [200, 200]
    print(json.dumps(ray.get([readers[0].process.remote(), _process_of_actor()])), flush=True)
    threading.Event().wait()


def _actors() -> list[str]:
    """The names of the actors of all shares."""
    named = ray.util.list_named_actors(all_namespaces=True)
    return [each["name"] for each in named if each["namespace"] == "authnb"]


def _process_of_actor() -> Any:
    """A reference to the process of the share's actor."""
    (name,) = _actors()
    return ray.get_actor(name, namespace="authnb").__ray_call__.remote(lambda _: os.getpid())
