"""Signing in at an MCP server by its address alone, and its session handed to MCP's client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest
import requests
from demo_session import age
from mcp_own_provider import MCPWithProvider
from mcp_server import SCOPE, STATIONS, MCPBehindProvider
from providers import SECRET, running
from test_mcp import PROTOCOLS, call, connected
from window import Window

import authnb
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_server import MCPOnThread

    from authnb.session.session import Session


@pytest.fixture(scope="module")
def behind() -> Iterator[MCPBehindProvider]:
    """A server whose tokens oidc-provider, from npm, issues."""
    with running("oidc-provider") as stranger:
        metadata = requests.get(f"{stranger.issuer}/.well-known/openid-configuration", timeout=20).json()
        endpoint = metadata["introspection_endpoint"]
        with MCPBehindProvider(stranger.issuer, endpoint, ("hub", SECRET)) as server:
            yield server


@pytest.fixture(scope="module")
def own() -> Iterator[MCPWithProvider]:
    with MCPWithProvider() as server:
        yield server


def sign_in(server: MCPOnThread) -> Session:
    """With no argument but the address that tells authnb anything."""
    login = authnb.login(api=server.url, mode="loopback", view=None, storage=MemoryStorage())
    with Window() as person:
        person.visit(login.verification(60).uri)
    return login.wait(60)


@PROTOCOLS
@pytest.mark.parametrize("which", ["own", "behind"])
async def test_by_address_alone(which: str, protocol: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(which)
    assert httpx2.post(server.url, json={}, timeout=60).status_code == 401
    session = sign_in(server)
    assert session.token["scope"] == SCOPE
    async with connected(session, server.url, protocol) as client:
        assert await call(client) == STATIONS


async def test_the_token_is_renewed(own: MCPWithProvider) -> None:
    """By the client that was registered."""
    session = sign_in(own)
    before = session.token["access_token"]
    age(session)
    async with connected(session, own.url, "auto") as client:
        assert await call(client) == STATIONS
    assert session.token["access_token"] != before
    assert own.provider.access_tokens[session.token["access_token"]].resource == own.url


async def test_a_token_for_another_server_is_refused(own: MCPWithProvider) -> None:
    """RFC 8707: each is for the server by whose address it was asked for."""
    session = sign_in(own)
    own.provider.access_tokens[session.token["access_token"]].resource = "https://other.example/mcp"
    headers = {"Authorization": f"Bearer {session.token['access_token']}"}
    answer = httpx2.post(own.url, json={}, headers=headers, timeout=60)
    assert answer.status_code == 401


def test_signing_out_revokes(own: MCPWithProvider) -> None:
    session = sign_in(own)
    token = session.token["access_token"]
    assert set(session.logout().revoked) == {"refresh_token", "access_token"}
    assert token not in own.provider.access_tokens
