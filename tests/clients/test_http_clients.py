"""Clients of others that call an API by HTTP: each against a server that answers only a fresh token."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import every_client
import pytest
from demo_session import age, sign_in
from guarded_api import GuardedAPI
from servers import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import trustme
    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider


@dataclass(frozen=True, kw_only=True)
class Client:
    """A library: how it connects, what it asks for, and what the server answers."""

    name: str
    connect: Callable[[every_client.Target], Callable[[], Any]]
    path: str
    answer: Any
    retries_401: bool = False
    tells_address: bool = True


COLUMN = {"name": "_col0", "type": "integer", "typeSignature": {"rawType": "integer", "arguments": []}}
CATALOG = {
    "type": "Catalog",
    "id": "lab",
    "stac_version": "1.0.0",
    "description": "Measurements",
    "links": [],
    "conformsTo": ["https://api.stacspec.org/v1.0.0/core"],
}
CLIENTS = (
    Client(
        name="anthropic",
        connect=every_client.by_anthropic,
        path="/v1/models",
        answer={"data": [], "has_more": False},
        retries_401=True,
    ),
    Client(
        name="databricks",
        connect=every_client.by_databricks,
        path="/api/2.0/preview/scim/v2/Me",
        answer={"userName": "ada"},
    ),
    Client(
        name="gql",
        connect=every_client.by_gql,
        path="/graphql",
        answer={"data": {"name": "ada"}},
        retries_401=True,
    ),
    Client(
        name="lancedb",
        connect=every_client.by_lancedb,
        path="/v1/table/",
        answer={"tables": []},
        tells_address=False,
    ),
    Client(
        name="mlflow",
        connect=every_client.by_mlflow,
        path="/api/2.0/mlflow/experiments/search",
        answer={"experiments": []},
        retries_401=True,
    ),
    Client(
        name="openai",
        connect=every_client.by_openai,
        path="/v1/models",
        answer={"object": "list", "data": []},
        tells_address=False,
    ),
    Client(name="pystac", connect=every_client.by_pystac, path="/", answer=CATALOG, retries_401=True),
    Client(
        name="trino",
        connect=every_client.by_trino,
        path="/v1/statement",
        answer={"id": "1", "infoUri": "", "columns": [COLUMN], "data": [[1]], "stats": {"state": "FINISHED"}},
        retries_401=True,
    ),
)
pytestmark = pytest.mark.filterwarnings("ignore:table_names")  # of lancedb, for a name of its own
EVERY = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


@pytest.fixture
def api(
    client: Client, demo: DemoProvider, token_proxy: TokenEndpointProxy, authority: tuple[trustme.CA, Path]
) -> Iterator[GuardedAPI]:
    """The server of a client's kind, with a session for it; Trino's client wants TLS."""
    with GuardedAPI(tls=every_client.tls_context(authority[0]) if client.name == "trino" else None) as server:
        server.guard.session = sign_in(demo, token_proxy, api=server.url)
        server.serve(client.path, client.answer)
        yield server


def connected(client: Client, url: str, api: GuardedAPI, ca_file: str) -> Callable[[], Any]:
    """What makes one call of a client with the session of ``api``."""
    to = every_client.Target(url=url, session=api.guard.session, ca=ca_file, stack=ExitStack())
    return client.connect(to)


def failure(call: Callable[[], Any]) -> str:
    """What a call fails with, and by what that was caused."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each library raises its own
        call()
    errors = [caught.value]
    while errors[-1].__cause__ is not None:
        errors.append(errors[-1].__cause__)
    return " ".join(map(str, errors))


@EVERY
def test_32_calls_across_expiries(
    client: Client, api: GuardedAPI, token_proxy: TokenEndpointProxy, ca_file: str
) -> None:
    call = connected(client, api.url, api, ca_file)
    with ThreadPoolExecutor(32) as threads:
        for _ in range(2):
            age(api.guard.session)
            for future in [threads.submit(call) for _ in range(32)]:
                future.result(60)
    assert token_proxy.outcomes == ["pass"] * 2
    assert api.guard.rejected == [], "a token was sent that had expired"


@EVERY
def test_a_401_is_retried(
    client: Client, api: GuardedAPI, token_proxy: TokenEndpointProxy, ca_file: str
) -> None:
    """With a new token, by the libraries that show us the response; the others raise it."""
    call = connected(client, api.url, api, ca_file)
    call()
    api.guard.refused.add(api.guard.session.token["access_token"])
    if client.retries_401:
        call()
        assert token_proxy.outcomes == ["pass"]
    else:
        with pytest.raises(Exception, match=r"401|invalid_token"):
            call()
        assert token_proxy.outcomes == []


@pytest.mark.parametrize(
    "client", [each for each in CLIENTS if each.tells_address], ids=lambda each: each.name
)
def test_another_origin(
    client: Client, api: GuardedAPI, authority: tuple[trustme.CA, Path], ca_file: str
) -> None:
    tls = every_client.tls_context(authority[0]) if client.name == "trino" else None
    with Server(tls=tls) as other:

        def call() -> Any:
            return connected(client, other.url, api, ca_file)()

        text = failure(call)
    assert "is not the API" in text
    assert not any(
        api.guard.session.token["access_token"] in str(request.headers) for request in other.requests
    )


@EVERY
def test_signed_out_in_the_middle(client: Client, api: GuardedAPI, ca_file: str) -> None:
    call = connected(client, api.url, api, ca_file)
    call()
    api.guard.session.logout()
    assert "signed out" in failure(call)
