"""Other clients read the protected API with the session's token, and it is renewed under their hands."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import duckdb
import fsspec
import httpx
import pandas as pd
import pytest
import requests
from demo_session import age
from servers import Server

from authnb.errors import LoginRequired

if TYPE_CHECKING:
    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session


def test_pandas(demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy) -> None:
    url = demo.api + "/stations"
    for _ in range(2):
        age(session)
        frame = pd.read_json(url, storage_options=session.headers_for(url))
        assert len(frame) > 0
    assert token_proxy.outcomes == ["pass"] * 2


def test_fsspec(demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy) -> None:
    """Fsspec keeps connections by the repr of their options, so a new token must look new."""
    url = demo.api + "/stations"
    seen = set()
    for _ in range(2):
        age(session)
        headers = session.headers_for(url)
        seen.add(repr(headers))
        with fsspec.open(url, headers=headers) as file:
            assert b"stations" in file.read()
    assert token_proxy.outcomes == ["pass"] * 2
    assert len(seen) == 2


def test_duckdb(demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy) -> None:
    """DuckDB reads what fsspec opens. Its own httpfs takes the same headers, as a secret of TYPE http."""
    url = demo.api + "/stations"
    for _ in range(2):
        age(session)
        with duckdb.connect() as database, fsspec.open(url, headers=session.headers_for(url)) as file:
            ((stations,),) = database.read_json(file).fetchall()
        assert len(stations) > 0
    assert token_proxy.outcomes == ["pass"] * 2


def test_httpx(demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy) -> None:
    with httpx.Client(auth=session.httpx_auth, base_url=demo.api) as client:
        for _ in range(2):
            age(session)
            assert client.get("/stations").status_code == 200
    assert token_proxy.outcomes == ["pass"] * 2


async def test_httpx_async(demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy) -> None:
    """32 requests at once on one loop: one renewal, on a thread, while the loop goes on."""
    await asyncio.to_thread(age, session)
    async with httpx.AsyncClient(auth=session.httpx_auth, base_url=demo.api) as client:
        answers = await asyncio.gather(*(client.get("/stations") for _ in range(32)))
    assert {answer.status_code for answer in answers} == {200}
    assert token_proxy.outcomes == ["pass"]


class Refusing:
    """An API that refuses one token, and says which it saw."""

    def __init__(self, server: Server, session: Session) -> None:
        self.refused = session.token["access_token"]
        server.routes["/things"] = self._answer
        session.token_auth.origins = frozenset()
        self.url = server.url + "/things"

    def _answer(self, request: Any) -> tuple[int, dict[str, str], bytes]:
        return (401 if self.refused in request.headers["Authorization"] else 200), {}, b""


def test_httpx_renews_after_a_401(session: Session, token_proxy: TokenEndpointProxy) -> None:
    with Server() as server, httpx.Client(auth=session.httpx_auth) as client:
        api = Refusing(server, session)
        assert client.post(api.url, content=b"body").status_code == 200
        assert server.requests[-1].body == b"body"
        api.refused = ""
        assert [client.get(api.url).status_code for _ in range(3)] == [401] * 3
        assert len(server.requests) == 2 + 4
    assert token_proxy.outcomes == ["pass"] * 2


async def test_httpx_async_renews_after_a_401(session: Session, token_proxy: TokenEndpointProxy) -> None:
    with Server() as server:
        api = Refusing(server, session)
        async with httpx.AsyncClient(auth=session.httpx_auth) as client:
            assert (await client.get(api.url)).status_code == 200
            api.refused = ""
            assert (await client.get(api.url)).status_code == 401
    assert token_proxy.outcomes == ["pass"] * 2


def test_headers_tell_no_token(demo: DemoProvider, session: Session) -> None:
    headers = session.headers_for(demo.api)
    text = f"{headers} {headers!r} {session.httpx_auth!r} {session.requests_auth!r}"
    assert session.token["access_token"] not in text
    assert text.count("<Headers Authorization #") == 2
    assert "<TokenAuth Token(" in text
    assert headers == {"Authorization": "Bearer " + session.token["access_token"]}


def test_a_session_that_is_signed_out_gives_nothing(demo: DemoProvider, session: Session) -> None:
    bearer, other = session.requests_auth, session.httpx_auth
    session.logout()
    with pytest.raises(LoginRequired):
        session.headers_for(demo.api)
    with pytest.raises(LoginRequired):
        requests.get(demo.api, auth=bearer, timeout=5)
    with pytest.raises(LoginRequired), httpx.Client() as client:
        client.get(demo.api, auth=other)
    with pytest.raises(LoginRequired):
        session.get("/stations")
