"""The middleware for aiohttp, and for what opens https with fsspec."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp
import duckdb
import fsspec
import pandas as pd
import pytest
from demo_session import age, sign_in
from servers import Server

from authnb.demo.resource.data import measurements
from authnb.errors import AuthnbError, LoginRequired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def client(session: Session, **options: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(middlewares=[session.credentials.aiohttp], **options)


async def test_32_requests_across_expiries(
    demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy
) -> None:
    async def status(http: aiohttp.ClientSession) -> int:
        async with http.get(demo.api + "/stations") as response:
            await response.read()
            return response.status

    async with client(session) as http:
        for _ in range(2):
            age(session)
            assert await asyncio.gather(*(status(http) for _ in range(32))) == [200] * 32
    assert token_proxy.outcomes == ["pass"] * 2


async def test_1000_requests_across_an_expiry(
    demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy
) -> None:
    """One renewal, which is answered only after all have asked for the token: the loop runs meanwhile."""
    asked = threading.Event()
    token_proxy.outcome = lambda: ("503", "pass")[asked.wait(30)] if not token_proxy.outcomes else "pass"
    age(session)

    async def status() -> int:
        async with http.get(demo.api + "/stations") as response:
            return response.status

    async with client(session) as http:
        requests = [asyncio.create_task(status()) for _ in range(1000)]
        await asyncio.sleep(0)
        asked.set()
        statuses = Counter(await asyncio.gather(*requests))
    assert (statuses, token_proxy.outcomes) == ({200: 1000}, ["pass"])


@pytest.mark.parametrize("data", [None, b"bytes", "text"])
async def test_a_401_is_retried(
    session: Session, token_proxy: TokenEndpointProxy, server: Server, data: bytes | str | None
) -> None:
    session.token_auth.origins = frozenset()
    first = session.token["access_token"]
    bodies = []

    def answer(request: Any) -> tuple[int, dict[str, str], bytes]:
        bodies.append(request.body)
        return (401 if first in request.headers["Authorization"] else 200), {}, b""

    server.routes["/things"] = answer
    async with client(session) as http, http.post(server.url + "/things", data=data) as response:
        assert response.status == 200
    assert token_proxy.outcomes == ["pass"]
    sent = data.encode() if isinstance(data, str) else data or b""
    assert bodies == [sent, sent]


async def test_another_origin(session: Session, server: Server) -> None:
    seen: list[Any] = []
    server.routes["/there"] = lambda request: (200, {}, str(seen.append(request)).encode())
    async with client(session) as http:
        with pytest.raises(AuthnbError, match="is not the API"):
            await http.get(server.url + "/there")
    assert seen == []


async def test_a_redirect_to_another_origin(session: Session) -> None:
    """Followed without the token, as a link to a download is; the same address asked for is refused."""
    seen = []

    def there(request: Any) -> tuple[int, dict[str, str], bytes]:
        seen.append(request.headers.get("Authorization"))
        return 200, {}, b"there"

    with Server() as api, Server() as other:
        api.routes["/here"] = lambda _: (302, {"Location": other.url + "/there"}, b"")
        other.routes["/there"] = there
        session.token_auth.origins = frozenset({("http", "127.0.0.1", int(api.url.rpartition(":")[2]))})
        async with client(session) as http:
            async with http.get(api.url + "/here") as response:
                assert await response.text() == "there"
            with pytest.raises(AuthnbError, match="is not the API"):
                await http.get(other.url + "/there")
    assert seen == [None]


async def test_signed_out_in_the_middle(demo: DemoProvider, session: Session) -> None:
    async with client(session) as http:
        async with http.get(demo.api + "/stations") as response:
            assert response.status == 200
        session.logout()
        with pytest.raises(LoginRequired, match="signed out"):
            await http.get(demo.api + "/stations")


async def test_a_proxy_that_would_read_the_token(demo: DemoProvider, session: Session) -> None:
    async with client(session) as http:
        with pytest.raises(AuthnbError, match="a proxy would read"):
            await http.get(demo.api + "/stations", proxy="http://127.0.0.1:9")


def test_fsspec_and_pandas(demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy) -> None:
    """One file system stays signed in through expiries."""
    options = {"client_kwargs": {"middlewares": (session.credentials.aiohttp,)}}
    for _ in range(2):
        age(session)
        with fsspec.open(demo.api + "/stations", **options) as file:
            assert b"stations" in file.read()
    age(session)
    with fsspec.open(demo.api + "/stations", **options) as file:
        assert len(pd.read_json(file)) > 0
    assert token_proxy.outcomes == ["pass"] * 3


def test_duckdb_reads_by_range(demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy) -> None:
    """From a file of fsspec, though the token expires while it is open."""
    options = {"client_kwargs": {"middlewares": (session.credentials.aiohttp,)}}
    for _ in range(2):
        with fsspec.open(demo.api + "/measurements.parquet", **options) as file:
            age(session)
            assert duckdb.read_parquet(file).aggregate("count(*)").fetchall() == [(len(measurements()),)]
    assert token_proxy.outcomes == ["pass"] * 2


def test_two_sign_ins_have_two_file_systems(demo: DemoProvider) -> None:
    """Options with the same repr are the same file system to fsspec."""
    first, second = (sign_in(demo).credentials for _ in range(2))
    assert repr(first.aiohttp) == repr(first.aiohttp)
    assert repr(first.aiohttp) != repr(second.aiohttp)
