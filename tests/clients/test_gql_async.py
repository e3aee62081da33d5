"""gql's async transports, over httpx2 and over aiohttp."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import gql
import pytest
from demo_session import age, sign_in
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.httpx import HTTPXAsyncTransport
from guarded_api import GuardedAPI
from servers import Server

from authnb.errors import AuthnbError, LoginRequired

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

QUERY = gql.gql("{ name }")


def over_httpx(url: str, session: Session) -> Any:
    return HTTPXAsyncTransport(url=url, auth=session.credentials.httpx, timeout=60)


def over_aiohttp(url: str, session: Session) -> Any:
    middlewares = [session.credentials.aiohttp]
    return AIOHTTPTransport(url=url, client_session_args={"middlewares": middlewares})


def connected(transport: Any) -> gql.Client:
    return gql.Client(transport=transport, execute_timeout=60)


TRANSPORTS = pytest.mark.parametrize("transport", [over_httpx, over_aiohttp])


@pytest.fixture
def api(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> Iterator[GuardedAPI]:
    with GuardedAPI() as server:
        server.guard.session = sign_in(demo, token_proxy, api=server.url)
        server.serve("/graphql", {"data": {"name": "ada"}})
        yield server


@TRANSPORTS
async def test_32_calls_across_expiries(
    api: GuardedAPI, token_proxy: TokenEndpointProxy, transport: Callable[[str, Session], Any]
) -> None:
    async with connected(transport(f"{api.url}/graphql", api.guard.session)) as client:
        for _ in range(2):
            age(api.guard.session)
            answers = await asyncio.gather(*(client.execute(QUERY) for _ in range(32)))
            assert answers == [{"name": "ada"}] * 32
    assert token_proxy.outcomes == ["pass"] * 2


@TRANSPORTS
async def test_a_401_is_retried(
    api: GuardedAPI, token_proxy: TokenEndpointProxy, transport: Callable[[str, Session], Any]
) -> None:
    async with connected(transport(f"{api.url}/graphql", api.guard.session)) as client:
        api.guard.refused.add(api.guard.session.token["access_token"])
        assert await client.execute(QUERY) == {"name": "ada"}
    assert token_proxy.outcomes == ["pass"]


@TRANSPORTS
async def test_another_origin(api: GuardedAPI, transport: Callable[[str, Session], Any]) -> None:
    with Server() as other:
        async with connected(transport(f"{other.url}/graphql", api.guard.session)) as client:
            with pytest.raises(Exception, match="is not the API") as caught:
                await client.execute(QUERY)
        assert other.requests == []
    assert isinstance(caught.value.__cause__ or caught.value, AuthnbError)


@TRANSPORTS
async def test_signed_out_in_the_middle(api: GuardedAPI, transport: Callable[[str, Session], Any]) -> None:
    async with connected(transport(f"{api.url}/graphql", api.guard.session)) as client:
        assert await client.execute(QUERY) == {"name": "ada"}
        api.guard.session.logout()
        with pytest.raises(Exception, match="signed out") as caught:
            await client.execute(QUERY)
    assert isinstance(caught.value.__cause__ or caught.value, LoginRequired)
