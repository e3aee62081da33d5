"""localhost has two addresses: another user who listens on the one that is free gets nothing.

Run by test_localhost.py, where the system's resolver names ::1 first.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
import requests
from demo_session import sign_in
from servers import Server
from support import free_port

from authnb import LoginFailed, Provider, ProviderError, Token
from authnb.flows.listener import LoopbackListener
from authnb.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.demo import DemoProvider

WELL_KNOWN = "/.well-known/openid-configuration"


@pytest.fixture
def neighbour() -> Iterator[Server]:
    """Another user, on ::1."""
    with Server("::1", free_port()) as server:
        server.json("/data", "stolen")
        yield server


@pytest.fixture
def service(neighbour: Server) -> Iterator[Server]:
    """The service that is meant, on the same port of 127.0.0.1."""
    with Server("127.0.0.1", neighbour.port) as server:
        server.json("/data", "ours")
        yield server


def test_the_system_names_the_other_address_first() -> None:
    assert socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)[0][4][0] == "::1"


async def get_by_aiohttp(session: Session, url: str) -> Any:
    async with (
        aiohttp.ClientSession(middlewares=[session.credentials.aiohttp]) as client,
        client.get(url) as response,
    ):
        return await response.json()


CLIENTS: dict[str, Callable[[Session, str], Any]] = {
    "session": lambda session, url: session.get(url).json(),
    "requests": lambda session, url: requests.get(url, auth=session.requests_auth, timeout=10).json(),
    "httpx": lambda session, url: httpx.get(url, auth=session.httpx_auth).json(),
    "aiohttp": lambda session, url: asyncio.run(get_by_aiohttp(session, url)),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_token_for_localhost_goes_to_one_literal_address(
    demo: DemoProvider, neighbour: Server, service: Server, client: str
) -> None:
    url = f"http://localhost:{service.port}"
    session = sign_in(demo, api=url)
    assert CLIENTS[client](session, f"{url}/data") == "ours"
    assert neighbour.requests == []
    assert [request.headers["Host"] for request in service.requests] == [f"localhost:{service.port}"]


def test_discovery_at_localhost_asks_one_literal_address(neighbour: Server, service: Server) -> None:
    issuer = f"http://localhost:{service.port}"
    for server, path in ((neighbour, "/neighbour"), (service, "/token")):
        document = {"issuer": issuer, "authorization_endpoint": f"{issuer}/authorize"}
        server.json(WELL_KNOWN, {**document, "token_endpoint": issuer + path})
    assert Provider.discover(issuer).token_endpoint == f"{issuer}/token"
    assert neighbour.requests == []


def test_where_only_a_neighbour_listens_nothing_is_asked(neighbour: Server) -> None:
    with pytest.raises(ProviderError) as caught:
        Provider.discover(f"http://localhost:{neighbour.port}")
    assert caught.value.error == "unreachable"
    assert neighbour.requests == []


def test_a_redirect_and_a_retry_stay_at_that_address(demo: DemoProvider, service: Server) -> None:
    """What is repeated is sent there too, and the response names the URL that was asked."""
    url = f"http://localhost:{service.port}"
    service.routes["/moved"] = lambda _: (302, {"Location": f"{url}/data"}, b"")
    service.routes["/again"] = lambda _: (401 if len(service.requests) < 4 else 200, {}, b"")
    session = sign_in(demo, api=url)
    response = session.get("/moved")
    assert (response.json(), response.url) == ("ours", f"{url}/data")
    assert session.get("/again").ok
    assert all("Authorization" in request.headers for request in service.requests)


def test_the_other_address_is_used_by_its_own_name(demo: DemoProvider, neighbour: Server) -> None:
    """A service on ::1 is asked where its address is given."""
    session = sign_in(demo, api=neighbour.url)
    assert session.get("/data").json() == "stolen"


@pytest.mark.parametrize("options", [{"host": "localhost"}, {"proxy_base": "https://hub.example.org/proxy/"}])
def test_a_callback_to_localhost_is_received_at_both_addresses(options: dict[str, str]) -> None:
    """And nobody else can listen there; jupyter-server-proxy, too, asks for localhost."""
    with closing(LoopbackListener(**options)) as listener:
        listener.expect("ours")
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as other, pytest.raises(OSError, match="in use"):
                other.bind((address, listener.port))
        for address in ("[::1]", "127.0.0.1"):
            url = f"http://{address}:{listener.port}/callback?code=c&state=ours"
            requests.get(url, headers={"Host": f"localhost:{listener.port}"}, timeout=10)
        answer = listener.answer()
        assert answer is not None
        assert answer.code == "c"
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind((address, listener.port))


def test_a_port_that_a_neighbour_has_at_the_other_address_is_not_used(neighbour: Server) -> None:
    with pytest.raises(LoginFailed, match="::1") as caught:
        LoopbackListener([neighbour.port], host="localhost")
    assert caught.value.error == "port_in_use"


def test_a_callback_to_127_0_0_1_needs_no_other_address(neighbour: Server) -> None:
    """A redirect URI with a literal address is not resolved."""
    with closing(LoopbackListener([neighbour.port])) as listener:
        assert listener.redirect_uri == f"http://127.0.0.1:{neighbour.port}/callback"


def test_a_token_is_not_needed_for_a_bare_session(service: Server) -> None:
    """`OAuth2Session` as a drop-in."""
    session = Session("client", token=Token({"access_token": "at", "token_type": "Bearer"}))
    assert session.get(f"http://localhost:{service.port}/data").json() == "ours"
