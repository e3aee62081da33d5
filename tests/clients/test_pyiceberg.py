"""The auth manager for PyIceberg's REST catalogs."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from demo_session import age, sign_in
from pyiceberg.catalog import load_catalog
from storage_servers import Response, TokenServer

from authnb.errors import LoginRequired

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyiceberg.catalog import Catalog
    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session


def rest_catalog(_method: str, path: str, _headers: Mapping[str, str], _body: bytes) -> Response:
    """A catalog as the REST specification describes it, with one namespace."""
    answers = {
        "/v1/config": {"defaults": {}, "overrides": {}},
        "/v1/namespaces": {"namespaces": [["measurements"]]},
    }
    answer = answers.get(path.partition("?")[0])
    body = json.dumps(answer or {"error": {"message": "not here", "type": "NotFound", "code": 404}}).encode()
    return 200 if answer else 404, {"Content-Type": "application/json"}, body


@pytest.fixture
def server(demo: DemoProvider) -> Iterator[TokenServer]:
    with TokenServer(demo, rest_catalog) as running:
        yield running


@pytest.fixture
def session(demo: DemoProvider, token_proxy: TokenEndpointProxy, server: TokenServer) -> Session:
    return sign_in(demo, token_proxy, api=server.url)


@pytest.fixture
def catalog(session: Session, server: TokenServer) -> Catalog:
    return load_catalog("name", type="rest", uri=server.url, auth=session.credentials.pyiceberg)


def test_calls_across_expiries(session: Session, server: TokenServer, catalog: Catalog) -> None:
    for _ in range(2):
        age(session)
        assert catalog.list_namespaces() == [("measurements",)]
    assert len(set(server.tokens)) == 3


def test_32_calls_across_an_expiry(
    session: Session, token_proxy: TokenEndpointProxy, catalog: Catalog
) -> None:
    age(session)
    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(lambda _: catalog.list_namespaces(), range(32)))
    assert found == [[("measurements",)]] * 32
    assert token_proxy.outcomes == ["pass"]


def test_signed_out_in_the_middle(session: Session, catalog: Catalog) -> None:
    assert catalog.list_namespaces() == [("measurements",)]
    session.logout()
    with pytest.raises(LoginRequired, match="signed out"):
        catalog.list_namespaces()


def test_the_properties_hide_the_token(session: Session, catalog: Catalog) -> None:
    assert session.token["access_token"] not in repr(catalog.properties)
