"""A sign-in shared with a Ray cluster: tasks and actors have access tokens, and this process renews them.

One Ray for all tests.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import ray
import ray.util.state
import requests
from cluster_page import PAGE
from demo_session import sign_in
from ray._raylet import GcsClient
from ray_clusters import WORKERS, Cluster, files_of, found_in_memory, start
from support import folder_for_sockets, wait_for
from token_endpoint_proxy import TokenEndpointProxy

import authnb
from authnb.demo import DemoProvider
from authnb.demo.running import RunningProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from code_blocks import Block

    from authnb.cluster.share import Share
    from authnb.session.session import Session

LIFETIME = 2  # seconds
EXPIRIES = 5
ELSEWHERE = "127.0.0.2"  # the address of a second node


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One for all tests; this process is a driver."""
    with folder_for_sockets() as folder:
        started = start(Path(folder), dashboard=True)
        try:
            ray.init(started.address, log_to_driver=False, namespace="tests")
            yield started
        finally:
            ray.shutdown()
            started.close()


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

    def used(self) -> str:
        sent = self.api.get("/stations").request.headers["Authorization"]
        return str(sent).removeprefix("Bearer ")

    def start_program(self, text: str) -> None:
        """One that ends with this process."""
        command = [sys.executable, "-c", "input()", text]
        self.program = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)

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
    """The access token is in workers and the share's actor, neither is in another process of Ray."""
    api = sign_in(demo)
    planted = secrets.token_hex(16)
    with api.share_with(ray) as share:
        reader = Reader.remote(api)
        assert ray.get(reader.status.remote()) == 200
        worker, actor = ray.get([reader.process.remote(), _process_of_actor()])
        ray.get(reader.plant.remote(planted))
        access_token, refresh_token = str(api.token["access_token"]), str(api.token["refresh_token"])
        assert access_token not in f"{share!r} {share.reference}"
        with_planted, with_access, with_refresh = found_in_memory(
            cluster, planted, access_token, refresh_token
        )
        assert worker in with_planted  # it is seen where it is
        assert with_access == {worker, actor}
        assert with_refresh == set()
    ray.kill(reader)


PLANTED = f"planted-{secrets.token_hex(16)}"


class Work:
    """What was done under a share, with a text planted where a token could be."""

    def __init__(self, cluster: Cluster, api: Session, share: Share) -> None:
        self.cluster, self.share, self.tokens = cluster, share, {str(api.token["access_token"])}
        planted = PLANTED

        @ray.remote
        def work() -> Any:
            assert api.get("/stations").ok
            api.token = {**api.token, "expires_at": 0}
            assert api.get("/stations").ok
            print(planted, flush=True)
            return api, repr(api.token), api.requests_auth

        @ray.remote(max_retries=0)
        def fails() -> None:
            raise ValueError(api, repr(api.token), api.requests_auth, planted)

        variables = {"env_vars": {"PLANTED": PLANTED}}
        self.reader = Reader.options(name=PLANTED, runtime_env=variables).remote(api)
        assert ray.get(self.reader.status.remote()) == 200
        ray.get(self.reader.start_program.remote(PLANTED))
        self.results = [work.options(name=PLANTED).remote(), ray.put([api, PLANTED])]
        ray.get(self.results)
        with pytest.raises(ValueError, match=PLANTED):
            ray.get(fails.remote())
        vars(share)["planted"] = PLANTED
        self.tokens |= {str(api.token[name]) for name in ("access_token", "refresh_token", "id_token")}
        assert len(self.tokens) == 4


def files(work: Work) -> str:
    """Logs, and what else is below the folder of Ray."""
    return files_of(work.cluster)


def state_api(work: Work) -> str:
    """As the dashboard shows it."""
    named = "tasks", "actors", "workers", "objects", "runtime_envs", "jobs", "nodes"
    lists = [getattr(ray.util.state, f"list_{name}") for name in named]
    found = [each(work.cluster.dashboard, detail=True, limit=10_000) for each in lists]
    assert all(found)
    return repr(found)


def dashboard(work: Work) -> str:
    headers = {"Authorization": f"Bearer {os.environ['RAY_AUTH_TOKEN']}"}
    texts = []
    for name in ("logical/actors", "api/jobs/", "events", "api/v0/tasks?detail=1"):
        response = requests.get(f"{work.cluster.dashboard}/{name}", headers=headers, timeout=60)
        assert response.ok, name
        texts.append(response.text)
    return "\n".join(texts)


def timeline(work: Work) -> str:  # noqa: ARG001 - as the others
    return repr(ray.timeline())


def stored_by_the_head_node(work: Work) -> str:
    """Its keys and values, such as pickled functions and classes."""
    space, client = b"fun", GcsClient(work.cluster.address)
    keys = [(key, each) for each in (space, None) for key in client.internal_kv_keys(b"", each)]
    return repr([(key, client.internal_kv_get(key, each)) for key, each in keys])


def command_lines(work: Work) -> str:
    return repr([each.cmdline() for each in running(work)])


def environments(work: Work) -> str:
    return repr([Path(f"/proc/{each.pid}/environ").read_bytes() for each in running(work)])


def running(work: Work) -> list[psutil.Process]:
    return [each for each in work.cluster.processes() if each.is_running()]


def reprs(work: Work) -> str:
    """Of what a driver has."""
    share, channel = work.share, vars(work.share)["_channel"]
    actor = vars(channel)["_actor"]
    return repr([share, share.reference, vars(share), vars(channel), vars(actor), work.reader])


PLACES: dict[str, Callable[[Work], str]] = {
    each.__name__: each
    for each in (
        files,
        state_api,
        dashboard,
        timeline,
        stored_by_the_head_node,
        command_lines,
        environments,
        reprs,
    )
}


@pytest.fixture(scope="module")
def work(cluster: Cluster, demo: DemoProvider) -> Iterator[Work]:
    api = sign_in(demo)
    with api.share_with(ray) as share:
        work = Work(cluster, api, share)
        yield work
        ray.kill(work.reader)


@pytest.mark.usefixtures("cluster")
@PAGE.block("Ray")
async def test_the_page(block: Block, demo: DemoProvider) -> None:
    """As it is where Ray is connected."""
    api = sign_in(demo)
    names: dict[str, Any] = {"api": api, "ray": ray}
    await block.replacing({"import ray\n\nray.init()\n": "", "5000": "1000"}).run(names)
    rows = [row for page in names["pages"] for row in page]
    assert rows == api.get("/measurements", params={"limit": 1000}).json()["measurements"]


@pytest.mark.usefixtures("cluster")
def test_two_accounts_at_once(demo: DemoProvider) -> None:
    """Each in its own name."""
    both = [sign_in(demo), sign_in(demo, name="grace")]
    with both[0].share_with(ray), both[1].share_with(ray):
        readers = [Reader.remote(api) for api in both]
        tokens = ray.get([reader.used.remote() for reader in readers])
        assert tokens == [api.token["access_token"] for api in both]
    for reader in readers:
        ray.kill(reader)


@pytest.mark.usefixtures("cluster")
def test_a_process_that_is_no_worker_of_ray(demo: DemoProvider) -> None:
    api = sign_in(demo)
    context = multiprocessing.get_context("spawn")
    with api.share_with(ray), ProcessPoolExecutor(1, mp_context=context) as pool:
        failed = pool.submit(call, api).exception()
    assert isinstance(failed, authnb.ShareError)
    assert failed.error == "share_not_found"
    assert "shared with ray" in failed.description


def call(api: Any) -> int:
    return int(api.get("/stations").status_code)


def test_a_task_whose_environment_has_no_authnb(cluster: Cluster, demo: DemoProvider, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['authnb'] = None")
    api = sign_in(demo)
    assert cluster.address
    other = {"env_vars": {"PYTHONPATH": str(tmp_path)}}
    with api.share_with(ray):
        running = ray.remote(call).options(runtime_env=other, max_retries=0).remote(api)
        with pytest.raises(ray.exceptions.RayError, match="authnb"):
            ray.get(running, timeout=120)


def test_another_machine_is_refused_without_tls(cluster: Cluster, demo: DemoProvider) -> None:
    """Also one that joins later; unless it is allowed. To turn TLS on here comes too late for a cluster without it."""
    api = sign_in(demo)
    there = calls.options(resources={"elsewhere": 1}, max_retries=0)
    with (
        api.share_with(ray) as share,
        another_node(cluster),
        pytest.MonkeyPatch.context() as environment,
    ):
        with pytest.raises(
            authnb.ShareError, match=rf"was not sent from \S+ to {ELSEWHERE}: .*insecure_channel"
        ):
            ray.get(there.remote(api, 1), timeout=120)
        for value in ("0", "1"):
            environment.setenv("RAY_USE_TLS", value)
            with pytest.raises(
                authnb.ShareError, match=rf"with {ELSEWHERE}: .*RAY_USE_TLS=1.*insecure_channel"
            ):
                api.share_with(ray)
        share.close()
        with api.share_with(ray, allow_unencrypted=True):
            assert ray.get(there.remote(api, 1), timeout=120)[1] == [200]


@contextmanager
def another_node(cluster: Cluster) -> Iterator[None]:
    node = cluster.add_node(ELSEWHERE, "elsewhere")
    try:
        yield
    finally:
        cluster.end_node(node)
        wait_for(lambda: sum(each["Alive"] for each in ray.nodes()) == 1, "the node to be gone", 120)


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


@pytest.mark.parametrize("place", PLACES)
def test_no_token_is_there(work: Work, place: str) -> None:
    """Where what was planted is found. The last test, for its share stays open."""
    wait_for(lambda: PLANTED in PLACES[place](work), f"the planted text in {place}")
    text = PLACES[place](work)
    assert PLANTED in text
    assert not [token for token in work.tokens if token in text]


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
