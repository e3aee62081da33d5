"""A sign-in shared with a Ray cluster: tasks and actors have access tokens, and this process renews them.

One Ray for all tests, with the processes of a node each.
"""

from __future__ import annotations

import json
import os
import random
import secrets
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
    from collections.abc import Iterable, Iterator

WORKERS = 4
LIFETIME = 2  # seconds
EXPIRIES = 8
STARTS = 8  # attempts
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
    """A Ray; None if a process of it was not there after the 15 seconds that Ray waits for its agents."""
    port, ports = free_port(), [f"--{name}-port={free_port()}" for name in PORTS]
    command = [
        *(Path(sys.executable).with_name("ray"), "start", "--head", "--block", f"--port={port}"),
        *(*ports, "--min-worker-port=0", "--max-worker-port=0"),  # any but the others
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


def test_no_refresh_token_leaves_this_process(cluster: Cluster, demo: DemoProvider) -> None:
    """The access token is in workers and the share's actor, neither is in another process of Ray, nor in its files."""
    api = sign_in(demo)
    planted = secrets.token_hex(16)
    with api.share_with(ray) as share:
        reader = Reader.remote(api)
        assert ray.get(reader.status.remote()) == 200
        worker, actor = ray.get([reader.process.remote(), _process_of_actor()])
        ray.get(reader.plant.remote(planted))
        access_token, refresh_token = str(api.token["access_token"]), str(api.token["refresh_token"])
        assert access_token not in f"{share!r} {share.reference}"
        with_planted, with_access, with_refresh = _found(cluster, planted, access_token, refresh_token)
        assert worker in with_planted  # it is seen where it is
        assert with_access == {worker, actor}
        assert with_refresh == set()
        wait_for(lambda: _files_with(cluster, planted), "what was printed to be in the logs")
        assert not _files_with(cluster, access_token)
        assert not _files_with(cluster, refresh_token)
    ray.kill(reader)


@pytest.mark.usefixtures("cluster")
def test_a_session_that_is_not_shared_says_what_to_do(demo: DemoProvider) -> None:
    """Ray looks at all attributes of what cannot be pickled; no library that is missing comes between."""
    api = sign_in(demo)
    for attempt in (lambda: ray.put(api), lambda: calls.remote(api, 1), lambda: Reader.remote([api])):
        with pytest.raises(TypeError, match="share_with"):
            attempt()


@pytest.mark.usefixtures("cluster")
def test_a_closure_finds_the_session(demo: DemoProvider) -> None:
    api = sign_in(demo)

    @ray.remote
    def task() -> int:
        return int(api.get("/stations").status_code)

    with api.share_with(ray):
        assert ray.get(task.remote()) == 200


def test_workers_without_this_authnb_are_named(cluster: Cluster, demo: DemoProvider, tmp_path: Path) -> None:
    lose = "import sys; sys.modules['authnb.cluster.ray'] = None  # so that it cannot be imported"
    (tmp_path / "sitecustomize.py").write_text(lose)
    command = [*_driver("share_with_others", cluster, demo), str(tmp_path)]
    found = subprocess.run(command, env=_environment(), stdout=subprocess.PIPE, check=True)
    assert b"version_mismatch" in found.stdout
    assert not _actors()


def test_a_driver_that_is_killed_leaves_nothing(cluster: Cluster, demo: DemoProvider) -> None:
    """Its workers and the actor end. One that outlives it, an actor that is detached, is told so."""
    command = _driver("drive", cluster, demo)
    with subprocess.Popen(command, env=_environment(), stdout=subprocess.PIPE) as driver:
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


def share_with_others(address: str, issuer: str, path: str) -> None:
    """A driver whose workers load modules from there first; prints what comes of it."""
    ray.init(address, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": path}})
    api = sign_in(RunningProvider(issuer))  # type: ignore[arg-type] # has all that is needed
    try:
        api.share_with(ray)
    except authnb.ShareError as error:
        print(error)


def _driver(function: str, cluster: Cluster, demo: DemoProvider) -> list[str]:
    """The command of another driver, which does this."""
    program = f"import sys, test_ray; test_ray.{function}(*sys.argv[1:])"
    return [sys.executable, "-c", program, cluster.address, demo.issuer]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def _actors() -> list[str]:
    """The names of the actors of all shares."""
    named = ray.util.list_named_actors(all_namespaces=True)
    return [each["name"] for each in named if each["namespace"] == "authnb"]


def _process_of_actor() -> Any:
    """A reference to the process of the share's actor."""
    (name,) = _actors()
    return ray.get_actor(name, namespace="authnb").__ray_call__.remote(lambda _: os.getpid())


def _found(cluster: Cluster, *texts: str) -> list[set[int]]:
    """For each of the texts the processes of the cluster that have it in their memory."""
    memories = {process.pid: set(_in_memory(process.pid, texts)) for process in cluster.processes()}
    return [{pid for pid, seen in memories.items() if text in seen} for text in texts]


def _in_memory(pid: int, texts: Iterable[str]) -> Iterator[str]:
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for line in maps.splitlines():
                if " rw" in line:
                    content = _read(memory, line.split()[0])
                    yield from (text for text in texts if text.encode() in content)
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return
    except PermissionError:
        give_up("the memory of other processes cannot be read here")


def _read(memory: Any, region: str) -> bytes:
    start, end = (int(address, 16) for address in region.split("-"))
    memory.seek(start)
    with suppress(OSError):  # a region of the kernel's
        return bytes(memory.read(end - start))
    return b""


def _files_with(cluster: Cluster, text: str) -> list[str]:
    """Those that have it among all that Ray wrote."""
    files = [path for path in cluster.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [str(path) for path in files if text.encode() in path.read_bytes()]
