"""A sign-in shared with the workers of Dask: tasks use the session as they are, and this process renews for them."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import requests
from dask_clusters import LONG, local_cluster, wait_for_workers, workers_of
from demo_session import age, sign_in
from distributed import Client, LocalCluster, Security, get_client
from distributed import wait as wait_for_futures
from support import wait_for

import authnb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local_cluster() as client:
        yield client


def pulls(client: Client) -> int:
    """How often workers have asked the scheduler for a token."""

    def count(dask_scheduler: Any) -> int:
        counted = dask_scheduler.counters["op"].components[0]
        return sum(number for name, number in counted.items() if name.startswith("authnb") and "pull" in name)

    return int(client.run_on_scheduler(count))


def in_each(client: Client, function: Any) -> list[Any]:
    """What a function returns in a task on each worker."""
    return list(
        client.gather(
            [client.submit(function, workers=[worker], pure=False) for worker in workers_of(client)]
        )
    )


def statuses(client: Client, api: Any, count: int = 20) -> set[int]:
    calls = client.map(lambda _: api.get("/stations").status_code, range(count), pure=False)
    return set(client.gather(calls))


def test_tasks_call_the_api(demo: DemoProvider, client: Client) -> None:
    """As they do here."""
    api = sign_in(demo)
    with api.share_with(client):
        pages = client.map(lambda page: api.get("/measurements", params={"page": page}).json(), [1, 2])
        assert client.gather(pages) == [
            api.get("/measurements", params={"page": page}).json() for page in [1, 2]
        ]


def test_a_token_that_expires_is_renewed_once_for_all(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, client: Client
) -> None:
    api = sign_in(demo, token_proxy)
    with api.share_with(client):
        assert statuses(client, api) == {200}
        assert token_proxy.outcomes == []

        def expire() -> None:
            api.token = {**api.token, "expires_at": 0}

        in_each(client, expire)
        assert set(in_each(client, lambda: api.get("/stations").status_code)) == {200}
        assert token_proxy.outcomes == ["pass"]
        tokens = in_each(client, lambda: api.token["access_token"])
        assert set(tokens) == {api.token["access_token"]}


def test_a_process_has_one_session_and_asks_once(demo: DemoProvider, client: Client) -> None:
    """However many tasks need a token at once."""
    api = sign_in(demo)
    with api.share_with(client):
        before = pulls(client)
        seen = client.gather(client.map(lambda _: (os.getpid(), id(api), api.get("/stations").ok), range(40)))
        processes = {process for process, _, _ in seen}
        assert len(set(seen)) == len(processes) == pulls(client) - before


def test_workers_have_no_refresh_token(demo: DemoProvider, client: Client) -> None:
    api = sign_in(demo)
    with api.share_with(client):
        statuses(client, api)
        for names in in_each(client, lambda: sorted(api.token)):
            assert names == ["access_token", "expires_at", "expires_in", "scope", "token_type"]


def test_workers_that_come_and_go(demo: DemoProvider) -> None:
    """One that is killed in a task, one that comes later, and all of them restarted."""
    with local_cluster(n_workers=1, threads_per_worker=1) as client:
        api = sign_in(demo)

        def killed_once() -> int:
            inner = get_client()
            if inner.get_metadata(["killed"], None) is None:
                inner.set_metadata(["killed"], True)
                assert inner.get_metadata(["killed"])
                os._exit(1)
            return int(api.get("/stations").status_code)

        with api.share_with(client):
            text = pickle.dumps(api)
            assert client.submit(killed_once).result(LONG) == 200
            client.cluster.scale(2)
            wait_for_workers(client, 2)
            assert in_each(client, lambda: api.get("/stations").status_code) == [200, 200]
            before = set(workers_of(client))
            client.restart(wait_for_workers=False)
            wait_for(
                lambda: len(now := workers_of(client)) == 2 and not before & set(now),
                "the workers to restart",
                LONG,
            )
            assert in_each(client, lambda: api.get("/stations").status_code) == [200, 200]
        before = set(workers_of(client))
        client.cluster.scale(3)
        wait_for_workers(client, 3)
        [new] = set(workers_of(client)) - before
        late = client.submit(lambda: pickle.loads(text).get("/stations"), workers=[new])  # noqa: S301 - of this test
        with pytest.raises(authnb.ShareError, match="it was closed"):
            late.result(LONG)


def test_adaptive_scaling(demo: DemoProvider) -> None:
    """Workers that come as they are needed, go, and come again."""
    with local_cluster(n_workers=0, threads_per_worker=1) as client:
        api = sign_in(demo)
        client.cluster.adapt(minimum=0, maximum=2, interval="100ms", wait_count=1)
        with api.share_with(client):
            assert statuses(client, api, 4) == {200}
            wait_for_workers(client, 0)
            assert statuses(client, api, 4) == {200}


def test_tasks_of_a_task(demo: DemoProvider, client: Client) -> None:
    """The session is pickled on a worker again."""
    api = sign_in(demo)

    def outer() -> list[int]:
        inner = get_client()
        return list(inner.gather(inner.map(lambda _: api.get("/stations").status_code, range(3), pure=False)))

    with api.share_with(client):
        assert client.submit(outer, pure=False).result(LONG) == [200, 200, 200]


def test_auth_of_requests(demo: DemoProvider, client: Client) -> None:
    api = sign_in(demo)
    auth, url = api.requests_auth, f"{demo.api}/stations"
    with api.share_with(client):
        status = client.submit(lambda: requests.get(url, auth=auth, timeout=60).status_code, pure=False)
        assert status.result(LONG) == 200


def test_two_accounts_at_once(demo: DemoProvider, client: Client) -> None:
    ada, grace = sign_in(demo), sign_in(demo, name="grace")
    with ada.share_with(client), grace.share_with(client):
        sent = client.submit(
            lambda: [each.get("/stations").request.headers["Authorization"] for each in (ada, grace)],
            pure=False,
        ).result(LONG)
        assert sent == [f"Bearer {each.token['access_token']}" for each in (ada, grace)]


def test_a_provider_that_is_down_for_a_while_is_waited_out(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, client: Client
) -> None:
    api = sign_in(demo, token_proxy)
    outcomes = iter(["reset", "500", "503"])
    token_proxy.outcome = lambda: next(outcomes, "pass")
    age(api, left=5)
    with api.share_with(client):
        age(api)

        def after_expiry() -> int:
            api.token = {**api.token, "expires_at": 0}
            return int(api.get("/stations").status_code)

        assert in_each(client, after_expiry) == [200, 200]


def test_after_the_end_tasks_say_so_and_the_tokens_are_gone(demo: DemoProvider, client: Client) -> None:
    """In the processes that had one, in others, and in the scheduler."""
    api = sign_in(demo)
    share = api.share_with(client)
    text = pickle.dumps(api)
    assert statuses(client, api) == {200}
    share.close()

    def late() -> str:
        try:
            pickle.loads(text).get("/stations")  # noqa: S301 - of this test
        except authnb.ShareError as error:
            return str(error)
        return "no error"

    assert all("it was closed" in said and "share_ended" in said for said in in_each(client, late))
    tokens = in_each(client, lambda: pickle.loads(text).token["access_token"])  # noqa: S301 - of this test
    assert tokens == ["", ""]


def test_signing_out_ends_the_share(demo: DemoProvider, client: Client) -> None:
    api = sign_in(demo)
    api.share_with(client)
    text = pickle.dumps(api)
    assert statuses(client, api) == {200}
    api.logout()
    late = client.submit(lambda: pickle.loads(text).get("/stations"), pure=False)  # noqa: S301 - of this test
    with pytest.raises(authnb.ShareError, match="signed out"):
        late.result(LONG)


def test_the_repr_says_who_holds_a_token(demo: DemoProvider, client: Client) -> None:
    api = sign_in(demo)
    with api.share_with(client) as share:
        assert "no worker holds a token" in repr(share)
        in_each(client, lambda: api.get("/stations").status_code)
        workers = workers_of(client)
        assert {each.worker for each in share.holders} == set(workers)
        assert all(worker in repr(share) for worker in workers)
        assert "s at most" in repr(share)
    assert "closed" in repr(share)


def test_workers_as_threads_of_this_process(demo: DemoProvider) -> None:
    """There the session is the same object, also after the client is gone."""
    api = sign_in(demo)
    with local_cluster(processes=False, security=None) as client:
        assert client.scheduler.address.startswith("inproc")
        api.share_with(client)
        assert client.submit(lambda: (id(api), api.get("/stations").status_code)).result(LONG) == (
            id(api),
            200,
        )
    assert api.get("/stations").status_code == 200
    assert "refresh_token" in api.token


async def test_an_asynchronous_client(demo: DemoProvider) -> None:
    api = sign_in(demo)
    async with (
        LocalCluster(
            n_workers=1, dashboard_address=":0", asynchronous=True, security=Security.temporary()
        ) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        share = api.share_with(client)
        text = pickle.dumps(api)
        assert await client.submit(lambda: api.get("/stations").status_code) == 200
        assert repr(share)
        share.close()
        late = client.submit(lambda: pickle.loads(text).get("/stations"))  # noqa: S301 - of this test
        with pytest.raises(authnb.ShareError, match="it was closed"):
            await late


def test_a_client_that_is_closed_ends_its_share(demo: DemoProvider, client: Client) -> None:
    """Here too: the session can be shared again, and is not pickled under the old name."""
    api = sign_in(demo)
    with Client(client.scheduler.address, security=client.security, set_as_default=False) as other:
        share = api.share_with(other)
        text = pickle.dumps(api)
        assert statuses(other, api) == {200}
    wait_for(lambda: "closed" in repr(share), "the share to end")
    late = client.submit(lambda: pickle.loads(text).token["access_token"], pure=False)  # noqa: S301 - of this test
    wait_for_futures([late], LONG)
    with api.share_with(client):
        assert statuses(client, api) == {200}


def test_what_is_no_client_is_refused(demo: DemoProvider, client: Client) -> None:
    with pytest.raises(TypeError, match=r"Client\(cluster\)"):
        sign_in(demo).share_with(client.cluster)
