"""Other clients read the protected API with the session's token, and it is renewed under their hands."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import duckdb
import fsspec
import httpx
import pandas as pd
import pytest
import requests
from between import Between
from servers import Server
from signed_in import age, sign_in

from authnb.errors import AuthnbError, LoginRequired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider
    from authnb.session import Session


@pytest.fixture
def between(demo: DemoProvider) -> Iterator[Between]:
    with Between(demo.issuer) as server:
        yield server


@pytest.fixture
def session(demo: DemoProvider, between: Between) -> Session:
    return sign_in(demo, between)


def test_pandas(demo: DemoProvider, session: Session, between: Between) -> None:
    url = demo.api + "/stations"
    for _ in range(2):
        age(session)
        frame = pd.read_json(url, storage_options=session.headers_for(url))
        assert len(frame) > 0
    assert between.fates == ["pass"] * 2


def test_fsspec(demo: DemoProvider, session: Session, between: Between) -> None:
    """Fsspec keeps connections by the repr of their options, so a new token must look new."""
    url = demo.api + "/stations"
    seen = set()
    for _ in range(2):
        age(session)
        headers = session.headers_for(url)
        seen.add(repr(headers))
        with fsspec.open(url, headers=headers) as file:
            assert b"stations" in file.read()
    assert between.fates == ["pass"] * 2
    assert len(seen) == 2


def test_duckdb(demo: DemoProvider, session: Session, between: Between) -> None:
    """DuckDB reads what fsspec opens. Its own httpfs takes the same headers, as a secret of TYPE http."""
    url = demo.api + "/stations"
    for _ in range(2):
        age(session)
        with duckdb.connect() as database, fsspec.open(url, headers=session.headers_for(url)) as file:
            ((stations,),) = database.read_json(file).fetchall()
        assert len(stations) > 0
    assert between.fates == ["pass"] * 2


def test_httpx(demo: DemoProvider, session: Session, between: Between) -> None:
    with httpx.Client(auth=session.httpx_auth, base_url=demo.api) as client:
        for _ in range(2):
            age(session)
            assert client.get("/stations").status_code == 200
    assert between.fates == ["pass"] * 2


async def test_httpx_async(demo: DemoProvider, session: Session, between: Between) -> None:
    """32 requests at once on one loop: one renewal, on a thread, while the loop goes on."""
    await asyncio.to_thread(age, session)
    async with httpx.AsyncClient(auth=session.httpx_auth, base_url=demo.api) as client:
        answers = await asyncio.gather(*(client.get("/stations") for _ in range(32)))
    assert {answer.status_code for answer in answers} == {200}
    assert between.fates == ["pass"]


class Refusing:
    """An API that refuses one token, and says which it saw."""

    def __init__(self, server: Server, session: Session) -> None:
        self.refused = session.token["access_token"]
        server.routes["/things"] = self._answer
        session.token_auth.origins = frozenset()
        self.url = server.url + "/things"

    def _answer(self, request: Any) -> tuple[int, dict[str, str], bytes]:
        return (401 if self.refused in request.headers["Authorization"] else 200), {}, b""


def test_httpx_renews_after_a_401(session: Session, between: Between) -> None:
    with Server() as server, httpx.Client(auth=session.httpx_auth) as client:
        api = Refusing(server, session)
        assert client.post(api.url, content=b"body").status_code == 200
        assert server.requests[-1].body == b"body"
        api.refused = ""
        assert [client.get(api.url).status_code for _ in range(3)] == [401] * 3
        assert len(server.requests) == 2 + 4
    assert between.fates == ["pass"] * 2


async def test_httpx_async_renews_after_a_401(session: Session, between: Between) -> None:
    with Server() as server:
        api = Refusing(server, session)
        async with httpx.AsyncClient(auth=session.httpx_auth) as client:
            assert (await client.get(api.url)).status_code == 200
            api.refused = ""
            assert (await client.get(api.url)).status_code == 401
    assert between.fates == ["pass"] * 2


def test_headers_tell_no_token(demo: DemoProvider, session: Session) -> None:
    headers = session.headers_for(demo.api)
    text = f"{headers} {headers!r} {session.httpx_auth!r} {session.requests_auth!r}"
    assert session.token["access_token"] not in text
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


# Where the token goes


FOREIGN = [
    "https://evil.example/",
    "https://api.example.org.evil.example/",
    "https://evil.example/https://api.example.org/",
    "https://sub.api.example.org/",
    "https://example.org/",
    "https://api.example.org:8443/",
    "http://api.example.org/",
    "http://api.example.org:443/",
    "https://user@api.example.org/",
    "https://api.example.org@evil.example/",
    "https://api.example.org:443@evil.example/",
    "https://api.example.org%40evil.example/",
    "https://api.example.org./",
    "https://evil.example\\@api.example.org/",
    "https://api.example.org\\@evil.example/",
    "https://evil.example/\n.api.example.org/",
    "https:evil.example/",
    "https:///evil.example/",
    "//evil.example/",
    "\\\\evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    " https://evil.example/",
    "ftp://api.example.org/",
    "https://аpi.example.org/",  # noqa: RUF001 - a Cyrillic letter
    "https://ＡＰＩ.evil.example/",  # noqa: RUF001 - full-width letters
]


class Wire(requests.adapters.BaseAdapter):
    """Takes the place of the network: what would be sent where, and an answer to go on with."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, str | None]] = []
        self.redirects: list[tuple[int, str]] = []

    def send(self, request: Any, **_: Any) -> requests.Response:
        """Note the request; a redirect while there are some."""
        self.sent.append((request.url, request.headers.get("Authorization")))
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, request.url
        response.raw = io.BytesIO(b"")
        response.connection = self  # type: ignore[attr-defined]
        if self.redirects:
            response.status_code, location = self.redirects.pop(0)
            response.headers["Location"] = location
        return response

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def wired(demo: DemoProvider) -> tuple[Session, Wire]:
    session = sign_in(demo, api="https://api.example.org/v1")
    wire = Wire()
    for prefix in ("https://", "http://", "ftp://"):
        session.mount(prefix, wire)
    return session, wire


def took_the_token(wire: Wire) -> list[str]:
    return [url for url, authorization in wire.sent if authorization is not None]


@pytest.mark.parametrize("url", FOREIGN)
def test_a_foreign_address_gets_no_token(wired: tuple[Session, Wire], url: str) -> None:
    """Refused by an error, or turned into an address of the API itself; no other host sees the token."""
    session, wire = wired
    for reach in (
        lambda: session.get(url),
        lambda: requests_get(wire, url, session.requests_auth),
        lambda: httpx_get(url, session.httpx_auth),
    ):
        try:
            reach()
        except (AuthnbError, requests.RequestException, httpx.HTTPError, httpx.InvalidURL, ValueError):
            continue
    assert all(reached.startswith("https://api.example.org/") for reached in took_the_token(wire))
    try:
        session.headers_for(url)
    except (AuthnbError, ValueError):
        return
    assert not url.startswith(("http", "ftp"))


def requests_get(wire: Wire, url: str, auth: Any) -> None:
    with requests.Session() as bare:
        for prefix in ("https://", "http://", "ftp://"):
            bare.mount(prefix, wire)
        bare.get(url, auth=auth)


def httpx_get(url: str, auth: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert "authorization" not in request.headers, request.url
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(answer), auth=auth) as client:
        client.get(url)


@pytest.mark.parametrize(
    "url", ["https://API.Example.ORG/v1/x", "https://api.example.org:443/v1/x", "x", "/x", "x/../x"]
)
def test_the_same_origin_by_another_name_gets_it(wired: tuple[Session, Wire], url: str) -> None:
    """RFC 6454 section 4: scheme and host in any case, the default port named or not."""
    session, wire = wired
    session.get(url)
    assert len(took_the_token(wire)) == 1
    assert session.headers_for(url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("https://evil.example/", False),
        ("https://sub.api.example.org/", False),
        ("https://api.example.org:8443/", False),
        ("http://api.example.org/", False),
        ("https://api.example.org./", False),
        ("https://api.example.org@evil.example/", False),
        ("//evil.example/", False),
        ("/v2/x", True),
        ("https://api.example.org/v2/x", True),
    ],
)
def test_a_redirect_elsewhere_drops_the_token(
    wired: tuple[Session, Wire],
    status: int,
    location: str,
    kept: bool,  # noqa: FBT001
) -> None:
    session, wire = wired
    wire.redirects = [(status, location)]
    assert session.post("/x", data=b"body").status_code == 200
    assert [authorization is not None for _, authorization in wire.sent] == [True, kept]


def test_a_redirect_there_and_back_does_not_bring_it_back(wired: tuple[Session, Wire]) -> None:
    session, wire = wired
    wire.redirects = [(302, "https://evil.example/"), (302, "https://api.example.org/v1/x")]
    session.get("/x")
    assert [authorization is not None for _, authorization in wire.sent] == [True, False, False]


def test_a_401_after_a_redirect_elsewhere_is_not_answered_with_a_token(
    demo: DemoProvider, between: Between
) -> None:
    """Real servers: ours redirects, the other one asks for authentication and gets none."""
    with Server() as ours, Server() as other:
        session = sign_in(demo, between, api=ours.url)
        ours.text("/go", "", 302, Location=other.url + "/steal")
        other.text("/steal", "who are you?", 401)
        assert session.get("/go").status_code == 401
        with httpx.Client(auth=session.httpx_auth, follow_redirects=True) as client:
            assert client.get(ours.url + "/go").status_code == 401
        bare = requests.get(ours.url + "/go", auth=session.requests_auth, timeout=5)
        assert bare.status_code == 401
        assert [("Authorization" in request.headers) for request in other.requests] == [False] * 3
    assert between.fates == []


def test_several_apis(demo: DemoProvider) -> None:
    """``api`` may name several: relative addresses start at the first."""
    session = sign_in(demo, api=["https://api.example.org", "https://files.example.org"])
    assert session.headers_for("https://files.example.org/x")
    with pytest.raises(AuthnbError, match="is not the API it is for"):
        session.headers_for("https://other.example.org/x")


@pytest.mark.parametrize(
    ("url", "goes"), [("https://a.example", True), ("http://a.example", False), ("http://127.0.0.1:1", True)]
)
def test_without_api_only_https_and_loopback(demo: DemoProvider, url: str, goes: bool) -> None:  # noqa: FBT001
    session = sign_in(demo, api=None)
    if goes:
        assert session.headers_for(url)
    else:
        with pytest.raises(AuthnbError) as caught:
            session.get(url)
        assert caught.value.error == "insecure_transport"


def test_without_the_token_anything_goes(wired: tuple[Session, Wire]) -> None:
    session, wire = wired
    session.get("http://elsewhere.example/", withhold_token=True)
    assert wire.sent == [("http://elsewhere.example/", None)]
