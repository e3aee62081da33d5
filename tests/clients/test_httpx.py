"""One auth object for httpx and httpx2, sync and async."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from demo_session import age
from servers import Server

from authnb.errors import AuthnbError, LoginRequired

if TYPE_CHECKING:
    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])


@LIBRARIES
def test_a_client_stays_signed_in(
    demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy, library: Any
) -> None:
    with library.Client(auth=session.httpx_auth, base_url=demo.api, timeout=60) as client:
        for _ in range(2):
            age(session)
            assert client.get("/stations").status_code == 200
    assert token_proxy.outcomes == ["pass"] * 2


@LIBRARIES
async def test_32_requests_across_an_expiry(
    demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy, library: Any
) -> None:
    async with library.AsyncClient(auth=session.httpx_auth, base_url=demo.api, timeout=60) as client:
        for _ in range(2):
            age(session)
            responses = await asyncio.gather(*(client.get("/stations") for _ in range(32)))
            assert [response.status_code for response in responses] == [200] * 32
    assert token_proxy.outcomes == ["pass"] * 2


@LIBRARIES
async def test_1000_requests_across_an_expiry(
    demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy, library: Any
) -> None:
    """One renewal, which is answered only after all have asked for the token: the loop runs meanwhile."""
    asked = threading.Event()
    token_proxy.outcome = lambda: ("503", "pass")[asked.wait(30)] if not token_proxy.outcomes else "pass"
    age(session)
    async with library.AsyncClient(auth=session.httpx_auth, base_url=demo.api, timeout=None) as client:
        requests = [asyncio.create_task(client.get("/stations")) for _ in range(1000)]
        await asyncio.sleep(0)
        asked.set()
        statuses = Counter([response.status_code for response in await asyncio.gather(*requests)])
    assert (statuses, token_proxy.outcomes) == ({200: 1000}, ["pass"])


def test_one_object_for_both(demo: DemoProvider, session: Session) -> None:
    auth = session.httpx_auth
    for library in (httpx, httpx2):
        with library.Client(auth=auth, timeout=60) as client:
            assert client.get(demo.api + "/stations").status_code == 200


@LIBRARIES
def test_a_401_is_retried(session: Session, token_proxy: TokenEndpointProxy, library: Any) -> None:
    first = session.token["access_token"]
    with Server() as server:
        session.token_auth.origins = frozenset({("http", "127.0.0.1", int(server.url.rpartition(":")[2]))})
        server.routes["/things"] = lambda request: (
            401 if first in request.headers["Authorization"] else 200,
            {},
            b"",
        )
        with library.Client(auth=session.httpx_auth, timeout=60) as client:
            assert client.get(server.url + "/things").status_code == 200
    assert token_proxy.outcomes == ["pass"]


@LIBRARIES
async def test_another_origin(session: Session, library: Any) -> None:
    with (
        library.Client(auth=session.httpx_auth) as client,
        pytest.raises(AuthnbError, match="is not the API"),
    ):
        client.get("https://other.example/")
    async with library.AsyncClient(auth=session.httpx_auth) as client:
        with pytest.raises(AuthnbError, match="is not the API"):
            await client.get("https://other.example/")


@LIBRARIES
def test_signed_out_in_the_middle(demo: DemoProvider, session: Session, library: Any) -> None:
    with library.Client(auth=session.httpx_auth, timeout=60) as client:
        assert client.get(demo.api + "/stations").status_code == 200
        session.logout()
        with pytest.raises(LoginRequired, match="signed out"):
            client.get(demo.api + "/stations")
