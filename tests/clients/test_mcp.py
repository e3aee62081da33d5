"""MCP's client with our auth on its httpx2 client, at an MCP server that asks the provider about each token."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from demo_session import age, sign_in
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_server import STATIONS, ProtectedMCP
from servers import Server
from support import wait_for
from token_endpoint_proxy import TokenEndpointProxy

from authnb.demo import DemoProvider
from authnb.errors import AuthnbError, LoginRequired

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from authnb.session.session import Session

# The protocol without sessions, and the one that begins with initialize and keeps a stream open
PROTOCOLS = pytest.mark.parametrize("protocol", ["auto", "legacy"])


@pytest.fixture
def server(demo: DemoProvider) -> Iterator[ProtectedMCP]:
    with ProtectedMCP(demo) as started:
        yield started


@pytest.fixture
def mcp_session(demo: DemoProvider, token_proxy: TokenEndpointProxy, server: ProtectedMCP) -> Session:
    return sign_in(demo, token_proxy, api=server.origin)


@asynccontextmanager
async def connected(session: Session, url: str, protocol: Any) -> AsyncIterator[Client]:
    """A client as the SDK's documentation shows it."""
    async with (
        httpx2.AsyncClient(
            auth=session.credentials.httpx, timeout=httpx2.Timeout(30, read=300)
        ) as http_client,
        Client(streamable_http_client(url, http_client=http_client), mode=protocol) as client,
    ):
        yield client


async def call(client: Client) -> Any:
    result = await client.call_tool("stations", {})
    assert result.structured_content is not None
    return result.structured_content["result"]


@PROTOCOLS
async def test_through_expiries(protocol: str) -> None:
    """With tokens of three seconds, for as long as it takes until two have expired and been replaced."""
    with (
        DemoProvider(access_token_lifetime=3) as hasty,
        TokenEndpointProxy(hasty.issuer) as token_proxy,
        ProtectedMCP(hasty) as server,
    ):
        session = sign_in(hasty, token_proxy, api=server.origin)
        async with connected(session, server.url, protocol) as client:
            while len(set(server.verifier.accepted)) < 3:
                assert await call(client) == STATIONS
        assert token_proxy.outcomes[:2] == ["pass"] * 2
        expired = {"Authorization": f"Bearer {server.verifier.accepted[0]}"}
        assert httpx2.post(server.url, json={}, headers=expired, timeout=60).status_code == 401


@PROTOCOLS
async def test_32_calls_across_expiries(
    mcp_session: Session, server: ProtectedMCP, token_proxy: TokenEndpointProxy, protocol: str
) -> None:
    async with connected(mcp_session, server.url, protocol) as client:
        for _ in range(2):
            age(mcp_session)
            answers = await asyncio.gather(*(call(client) for _ in range(32)))
            assert answers == [STATIONS] * 32
    assert token_proxy.outcomes == ["pass"] * 2


@PROTOCOLS
async def test_a_401_is_retried(
    mcp_session: Session, server: ProtectedMCP, token_proxy: TokenEndpointProxy, protocol: str
) -> None:
    async with connected(mcp_session, server.url, protocol) as client:
        server.verifier.refused.add(mcp_session.token["access_token"])
        assert await call(client) == STATIONS
    assert token_proxy.outcomes == ["pass"]


@PROTOCOLS
async def test_another_origin(mcp_session: Session, protocol: str) -> None:
    """It reaches the caller in the exception group of the client's tasks."""
    with Server() as other, pytest.raises(ExceptionGroup) as caught:
        async with connected(mcp_session, f"{other.url}/mcp", protocol):
            pass
    assert caught.group_contains(AuthnbError, match="is not the API")
    assert other.requests == []


async def call_before_and_after(
    change: Callable[[], Any], session: Session, server: ProtectedMCP, protocol: str
) -> None:
    async with connected(session, server.url, protocol) as client:
        assert await call(client) == STATIONS
        # The stream is opened beside the calls, by a request with a token of its own
        requests = {"auto": 3, "legacy": 5}[protocol]
        await asyncio.to_thread(
            wait_for, lambda: len(server.verifier.accepted) >= requests, "the client's stream"
        )
        change()
        await call(client)


@PROTOCOLS
async def test_signed_out_in_the_middle(mcp_session: Session, server: ProtectedMCP, protocol: str) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await call_before_and_after(mcp_session.logout, mcp_session, server, protocol)
    assert caught.group_contains(LoginRequired, match="signed out")


@PROTOCOLS
async def test_a_renewal_that_is_refused(
    mcp_session: Session, server: ProtectedMCP, token_proxy: TokenEndpointProxy, protocol: str
) -> None:
    """Once: neither the session nor the client asks again and again."""
    token_proxy.outcome = lambda: "denied"
    with pytest.raises(ExceptionGroup) as caught:
        await call_before_and_after(lambda: age(mcp_session), mcp_session, server, protocol)
    assert caught.group_contains(LoginRequired)
    assert token_proxy.outcomes == ["denied"]


@PROTOCOLS
async def test_the_log_shows_no_token(
    mcp_session: Session, server: ProtectedMCP, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    caplog.set_level(logging.DEBUG)
    async with connected(mcp_session, server.url, protocol) as client:
        await call(client)
    assert "mcp.client" in {record.name[:10] for record in caplog.records}
    assert mcp_session.token["access_token"] not in caplog.text
