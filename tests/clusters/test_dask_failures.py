"""A share with Dask where something is missing, unsafe or gone: an error for those it concerns, and nobody else."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dask_clusters import LONG, commanded_cluster, wait_for_workers, workers_of
from demo_session import sign_in
from distributed import Client
from support import free_port, wait_for

import authnb
from authnb.cluster.dask_scheduler import is_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dask_clusters import CommandedCluster

    from authnb.demo import DemoProvider

KERNEL = Path(__file__).with_name("dask_kernel.py")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandedCluster]:
    with commanded_cluster(tmp_path_factory.mktemp("cluster"), free_port()) as cluster:
        cluster.scheduler()
        cluster.worker()
        yield cluster


@pytest.fixture
def client(cluster: CommandedCluster) -> Iterator[Client]:
    with cluster.client() as client:
        wait_for_workers(client, 1)
        yield client


def tokens_held(client: Client) -> list[str]:
    """The access tokens of shares in the workers."""

    def held() -> list[str]:
        from authnb.cluster.member import _members  # noqa: PLC0415 - in the worker

        return [each.session.token["access_token"] for each in _members.by_name.values()]

    return [token for tokens in client.run(held).values() for token in tokens if token]


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("tls://192.0.2.1:8786", True),
        ("wss://scheduler.example.org:443", True),
        ("inproc://192.0.2.1/1234/1", True),
        ("gateway://hub.example.org:443/lab.1", True),
        ("tcp://127.0.0.1:8786", True),
        ("tcp://[::1]:8786", True),
        ("ws://localhost:8786", True),
        ("tcp://192.0.2.1:8786", False),
        ("tcp://scheduler:8786", False),
        ("ws://192.0.2.1:8786", False),
        ("ucx://192.0.2.1:8786", False),
        ("tcp://127.0.0.1.example.org:8786", False),
        ("", False),
    ],
)
def test_which_addresses_are_private(address: str, private: bool) -> None:
    assert is_private(address) is private


def test_a_kernel_that_is_killed_leaves_no_token(
    demo: DemoProvider, cluster: CommandedCluster, client: Client
) -> None:
    """And its tasks say what happened."""
    credentials = [str(path) for path in sorted(cluster.folder.glob("*.pem"))]
    command = [sys.executable, str(KERNEL), demo.issuer, cluster.address, *credentials]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as kernel:
        assert kernel.stdout
        text = bytes.fromhex(kernel.stdout.readline())
        assert len(tokens_held(client)) == 1
        kernel.kill()
    wait_for(lambda: not tokens_held(client), "the end of the share")
    late = client.submit(lambda: pickle.loads(text).get("/stations"), pure=False)  # noqa: S301 - of this test
    with pytest.raises(authnb.ShareError, match="closed or gone"):
        late.result(LONG)


def older(path: Path) -> None:
    """Let authnb be of another version where this is on the path."""
    (path / "authnb-0.0.1.dist-info").mkdir()
    (path / "authnb-0.0.1.dist-info" / "METADATA").write_text("Name: authnb\nVersion: 0.0.1\n")


def test_a_worker_with_another_version_is_named(
    demo: DemoProvider, cluster: CommandedCluster, client: Client, tmp_path: Path
) -> None:
    older(tmp_path)
    before = set(workers_of(client))
    process = cluster.worker(environment={**os.environ, "PYTHONPATH": str(tmp_path)})
    wait_for_workers(client, 2)
    [new] = set(workers_of(client)) - before
    with pytest.raises(authnb.ShareError, match=rf"worker {new} has authnb 0\.0\.1"):
        sign_in(demo).share_with(client)
    process.kill()
    wait_for_workers(client, 1)


WITHOUT = """
import sys

class Without:
    def find_spec(self, name, *_):
        if name == "authnb":
            raise ModuleNotFoundError("No module named 'authnb'", name=name)

sys.meta_path.insert(0, Without())
"""


@contextmanager
def late_worker(cluster: CommandedCluster, client: Client, path: Path, warning: str) -> Iterator[str]:
    """One that comes under a share, with this on its path: its address, once the person was warned of it."""
    before = set(workers_of(client))
    with pytest.warns(UserWarning, match=warning) as warned:  # noqa: PT031 - it comes from another thread
        process = cluster.worker(environment={**os.environ, "PYTHONPATH": str(path)})
        wait_for_workers(client, len(before) + 1)
        [new] = set(workers_of(client)) - before
        wait_for(lambda: any(new in str(each.message) for each in warned.list), "the warning", LONG)
    yield new
    process.kill()
    process.wait(30)
    wait_for_workers(client, len(before))


def test_a_worker_that_comes_later_without_authnb_is_told_of(
    demo: DemoProvider, cluster: CommandedCluster, client: Client, tmp_path: Path
) -> None:
    """And no task is lost: Dask runs it on another."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    api = sign_in(demo)
    with (
        api.share_with(client),
        late_worker(cluster, client, tmp_path, r"has no authnb, .*pip install authnb==.*version_mismatch"),
    ):
        assert client.submit(lambda: 1).result(LONG) == 1
        calls = client.map(lambda _: api.get("/stations").status_code, range(8), pure=False)
        assert client.gather(calls) == [200] * 8


def test_a_worker_that_comes_later_with_an_older_authnb_is_told_of(
    demo: DemoProvider, cluster: CommandedCluster, client: Client, tmp_path: Path
) -> None:
    """It works as long as both speak the same protocol."""
    older(tmp_path)
    api = sign_in(demo)
    with (
        api.share_with(client),
        late_worker(cluster, client, tmp_path, r"has authnb 0\.0\.1, .*version_mismatch") as new,
    ):
        call = client.submit(lambda: api.get("/stations").status_code, workers=[new], pure=False)
        assert call.result(LONG) == 200


def test_a_scheduler_that_comes_back(demo: DemoProvider, tmp_path: Path) -> None:
    """The share is there again, under its name."""
    api = sign_in(demo)
    with commanded_cluster(tmp_path, free_port()) as cluster:
        scheduler = cluster.scheduler()
        worker = cluster.worker()
        with (
            Client(cluster.address, security=cluster.security, timeout=LONG) as client,
            api.share_with(client),
        ):
            wait_for_workers(client, 1)
            assert client.submit(lambda: api.get("/stations").status_code).result(LONG) == 200
            scheduler.kill()
            scheduler.wait(30)
            worker.kill()
            cluster.scheduler()
            cluster.worker()
            wait_for(lambda: _workers_again(client), "a worker at the new scheduler", LONG)
            assert client.submit(lambda: api.get("/stations").status_code).result(LONG) == 200


def _workers_again(client: Client) -> bool:
    try:
        return client.status == "running" and len(workers_of(client)) == 1
    except OSError:
        return False


def test_an_unencrypted_channel_is_refused(demo: DemoProvider, tmp_path: Path) -> None:
    """By this process for the scheduler, by the scheduler for a worker; unless it is allowed."""
    api = sign_in(demo)

    def status() -> int:
        return int(api.get("/stations").status_code)

    with commanded_cluster(tmp_path, free_port(), host="127.0.0.2", tls=False) as cluster:
        cluster.scheduler("--host", "0.0.0.0")  # noqa: S104 - at both addresses
        cluster.worker("--host", "127.0.0.2")
        with cluster.client() as client:
            wait_for_workers(client, 1)
            with pytest.raises(
                authnb.ShareError, match=r"Security\.temporary.*allow_unencrypted.*insecure_channel"
            ):
                api.share_with(client)
            with api.share_with(client, allow_unencrypted=True):
                assert client.submit(status, pure=False).result(LONG) == 200
        with (
            Client(cluster.address.replace("127.0.0.2", "127.0.0.1")) as client,
            api.share_with(client),
            pytest.raises(authnb.ShareError, match="insecure_channel"),
        ):
            client.submit(status, pure=False).result(LONG)
