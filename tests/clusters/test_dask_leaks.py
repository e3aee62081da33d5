"""No token is where others look: keys, dashboard, events, logs at DEBUG, dumps, spilled files, pickles."""

from __future__ import annotations

import logging
import os
import pickle
import secrets
from typing import TYPE_CHECKING, Any

import cloudpickle
import pytest
import requests
from dask_clusters import LONG, commanded_cluster, wait_for_workers, workers_of
from demo_session import sign_in
from support import free_port, wait_for

from authnb.cluster.dask_scheduler import RelayPlugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dask_clusters import CommandedCluster
    from distributed import Client

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

PLANTED = "planted-" + secrets.token_hex(16)
LARGE = 1 << 24  # bytes: more than a worker keeps in memory here
ENVIRONMENT = {
    "DASK_LOGGING__DISTRIBUTED": "debug",
    "DASK_DISTRIBUTED__WORKER__MEMORY__TARGET": "0.01",
    "DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "100000",
}
PAGES = (
    "info/main/workers.html",
    "info/main/exceptions.html",
    "info/main/logs.html",
    "json/counts.json",
)


class Work:
    """A cluster that has done some work under a share, and what others can see of it."""

    def __init__(
        self, client: Client, cluster: CommandedCluster, api: Session, folder: Path, dashboard: int
    ) -> None:
        self.client, self.api = client, api
        self.cluster, self.folder, self.dashboard = cluster, folder, dashboard
        [self.worker] = workers_of(client)
        self.tokens = {str(api.token[name]) for name in ("access_token", "refresh_token", "id_token")}
        self.results: list[Any] = []

    def run(self) -> None:
        """Calls through an expiry, results that hold the session, a task that fails."""
        api = self.api

        def expired(length: int) -> tuple[Any, bytes]:
            assert api.get("/stations").ok
            api.token = {**api.token, "expires_at": 0}
            return api, bytes(length)

        def fails() -> None:
            raise ValueError(api.requests_auth, api.credentials)

        self.results += [
            self.client.submit(expired, LARGE, pure=False),
            self.client.submit(expired, 1, pure=False),
        ]
        self.client.gather(self.results)
        self.tokens |= {str(api.token[name]) for name in ("access_token", "refresh_token")}
        with pytest.raises(ValueError, match="TokenAuth"):
            self.client.submit(fails, pure=False).result(LONG)
        assert len(self.tokens) == 5
        assert self.tokens & set(self.client.submit(lambda: api.token["access_token"]).result(LONG).split())

    def plant(self) -> None:
        """Put a text into each of the places."""
        self.results.append(self.client.submit(lambda: PLANTED + "!" * LARGE, key=f"key-{PLANTED}"))
        self.results[-1].result(LONG)
        self.client.log_event("authnb", PLANTED)

        def log(where: str) -> None:
            logging.getLogger(where).debug(PLANTED)

        self.client.run(log, "distributed.worker")
        self.client.run_on_scheduler(log, "distributed.scheduler")


def pages(work: Work) -> str:
    """The dashboard's; json/identity.json from its source, for Dask cannot write it once a worker has sent metrics."""
    names = [*PAGES, *(f"info/task/{result.key}.html" for result in work.results)]
    names += [f"info/worker/{requests.utils.quote(work.worker, safe='')}.html"]
    texts = []
    for name in names:
        response = requests.get(f"http://127.0.0.1:{work.dashboard}/{name}", timeout=60)
        assert response.ok, name
        texts.append(response.text)
    texts.append(str(work.client.run_on_scheduler(lambda dask_scheduler: repr(dask_scheduler.identity()))))
    return "\n".join(texts)


def events(work: Work) -> str:
    return repr(work.client.get_events())


def logs(work: Work) -> str:
    """Of both processes at DEBUG, and what Dask keeps of them."""
    kept = repr([work.client.get_scheduler_logs(), work.client.get_worker_logs()])
    return kept + "".join(log.read_text(errors="replace") for log in work.cluster.logs)


def dumped_state(work: Work) -> str:
    path = work.folder / "dump"
    work.client.dump_cluster_state(str(path), format="yaml")
    return path.with_suffix(".yaml").read_text()


def scheduler_state(work: Work) -> str:
    """The reprs of plugins, handlers and tasks."""

    def state(dask_scheduler: Any) -> str:
        return repr([
            {name: (each, vars(each)) for name, each in dask_scheduler.plugins.items()},
            dask_scheduler.handlers,
            dask_scheduler.tasks,
            list(dask_scheduler.transition_log),
        ])  # fmt: skip

    return str(work.client.run_on_scheduler(state))


def pickled_plugins(work: Work) -> str:
    """Those of the scheduler, as others could have them sent."""

    def pickles(dask_scheduler: Any) -> str:
        ours = [each for name, each in dask_scheduler.plugins.items() if name.startswith("authnb")]
        assert ours
        return repr(pickle.dumps(ours)) + repr(dask_scheduler.worker_plugins)

    return str(work.client.run_on_scheduler(pickles))


def spilled_files(work: Work) -> str:
    files = [path for path in work.folder.rglob("storage/*") if path.is_file()]
    assert files
    return "".join(path.read_bytes().decode("latin-1") for path in files)


def keys_and_graphs(work: Work) -> str:
    def specifications(dask_scheduler: Any) -> str:
        return repr([
            (name, repr(each.run_spec), cloudpickle.dumps(each.run_spec) if each.run_spec else b"")
            for name, each in dask_scheduler.tasks.items()
        ])  # fmt: skip

    return str(work.client.run_on_scheduler(specifications))


PLACES: dict[str, Callable[[Work], str]] = {
    each.__name__: each
    for each in (pages, events, logs, dumped_state, scheduler_state, spilled_files, keys_and_graphs)
}


@pytest.fixture(scope="module")
def work(demo: DemoProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    folder = tmp_path_factory.mktemp("cluster")
    dashboard = free_port()
    with commanded_cluster(folder, free_port()) as cluster:
        environment = {**os.environ, **ENVIRONMENT}
        cluster.scheduler("--dashboard-address", f"127.0.0.1:{dashboard}", environment=environment)
        cluster.worker("--memory-limit", "1GB", environment=environment)
        with cluster.client() as client:
            wait_for_workers(client, 1)
            api = sign_in(demo)
            with api.share_with(client):
                done = Work(client, cluster, api, folder, dashboard)
                done.run()
                yield done


@pytest.mark.parametrize("place", PLACES)
def test_no_token_is_there(work: Work, place: str) -> None:
    text = PLACES[place](work)
    assert not [token for token in work.tokens if token in text]


def test_no_token_is_in_a_pickled_plugin(work: Work) -> None:
    text = pickled_plugins(work)
    assert not [token for token in work.tokens if token in text]
    assert PLANTED in repr(pickle.dumps(RelayPlugin("share", PLANTED, {}, allow_unencrypted=False)))


@pytest.fixture(scope="module")
def planted(work: Work) -> Work:
    work.plant()
    return work


@pytest.mark.parametrize("place", PLACES)
def test_what_is_planted_is_found(planted: Work, place: str) -> None:
    """Or the tests above look at nothing."""
    wait_for(lambda: PLANTED in PLACES[place](planted), f"the planted text in {place}")
