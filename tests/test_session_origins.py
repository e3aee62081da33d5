"""The token goes where it belongs and nowhere else, whichever client carries it: real proxies, TLS and sockets."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import fsspec
import httpx
import pytest
import requests
from aiohttp import ClientError
from between import Between
from servers import Server
from signed_in import age, sign_in
from world import World

from authnb.authlib_session import ClientSession
from authnb.errors import AuthnbError
from authnb.session import Session
from authnb.transport import provider_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.demo import DemoProvider

    Reach = Callable[["Session", World | None, str], None]

API = "https://api.example.org:443"
REFUSED = (AuthnbError, requests.RequestException, httpx.HTTPError, httpx.InvalidURL, ClientError, ValueError)


# The clients that carry the token. Each posts, for what may be repeated; through the world's proxy, if there is one.


def requests_options(world: World | None) -> dict[str, Any]:
    through = {} if world is None else {"proxies": {"all": world.proxy}, "verify": world.ca_file}
    return {"data": b"body", **through}


def by_session(session: Session, world: World | None, url: str) -> None:
    session.post(url, timeout=10, **requests_options(world))


def by_requests(session: Session, world: World | None, url: str) -> None:
    requests.post(url, auth=session.requests_auth, timeout=10, **requests_options(world))


def httpx_options(session: Session, world: World | None) -> dict[str, Any]:
    through = {} if world is None else {"proxy": world.proxy, "verify": world.trust}
    return {"auth": session.httpx_auth, "follow_redirects": True, **through}


def by_httpx(session: Session, world: World | None, url: str) -> None:
    with httpx.Client(**httpx_options(session, world)) as client:
        client.post(url, content=b"body")


def by_httpx_async(session: Session, world: World | None, url: str) -> None:
    async def send() -> None:
        async with httpx.AsyncClient(**httpx_options(session, world)) as client:
            await client.post(url, content=b"body")

    asyncio.run(send())


def by_fsspec(session: Session, world: World | None, url: str) -> None:
    through = {} if world is None else {"proxy": world.proxy, "ssl": world.trust}
    options = {"headers": session.headers_for(url), "skip_instance_cache": True, **through}
    fsspec.filesystem("https", **options).cat(url)


CLIENTS: list[Reach] = [by_session, by_requests, by_httpx, by_httpx_async, by_fsspec]


def reach_all(session: Session, world: World | None, url: str) -> list[Reach]:
    """Send the token there by every client; those that did not refuse."""
    went = []
    for reach in CLIENTS:
        with suppress(*REFUSED):
            reach(session, world, url)
            went.append(reach)
    return went


@pytest.fixture(scope="module")
def one_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as running:
        yield running


@pytest.fixture
def world(one_world: World) -> World:
    one_world.arrived.clear()
    one_world.redirects.clear()
    return one_world


@pytest.fixture(scope="module")
def session(demo: DemoProvider) -> Session:
    return sign_in(demo, api="https://api.example.org/v1")


def with_the_token(session: Session, world: World) -> list[str]:
    """The origins of requests that held it anywhere."""
    return [arrived.origin for arrived in world.arrived if session.token["access_token"] in arrived.whole]


# Direct


FOREIGN = [
    "https://evil.example/",
    "https://api.example.org.evil.example/",
    "https://evil.example/https://api.example.org/",
    "https://sub.api.example.org/",
    "https://example.org/",
    "https://api.example.org:8443/",
    "http://api.example.org/",
    "http://api.example.org:443/",
    "http://API.EXAMPLE.ORG/",
    "https://user@api.example.org/",
    "https://user:word@api.example.org/",
    "https://api.example.org@evil.example/",
    "https://api.example.org:443@evil.example/",
    "https://api.example.org%40evil.example/",
    "https://evil.example#@api.example.org/",
    "https://evil.example?@api.example.org/",
    "https://api.example.org./",
    "https://API.EXAMPLE.ORG./",
    "https://127.0.0.1/",
    "http://127.0.0.1/",
    "http://localhost/",
    "http://api.localhost/",
    "https://evil.example\\@api.example.org/",
    "https://evil.example/\n.api.example.org/",
    "https:evil.example/",
    "https:///evil.example/",
    " https://evil.example/",
    "ftp://api.example.org/",
    "https://аpi.example.org/",  # noqa: RUF001 - a Cyrillic letter
    "https://ＡＰＩ.evil.example/",  # noqa: RUF001 - full-width letters
]


@pytest.mark.parametrize("url", FOREIGN)
def test_a_foreign_address_is_refused(session: Session, world: World, url: str) -> None:
    """By every client, and nothing is sent at all: not to that host, nor the token to any."""
    assert reach_all(session, world, url) == []
    assert world.arrived == []
    with pytest.raises((AuthnbError, ValueError)):
        session.headers_for(url)


@pytest.mark.parametrize(
    "url",
    [
        "//evil.example/",
        "///evil.example/",
        "\\\\evil.example/",
        "/\\evil.example/",
        "https://api.example.org\\@evil.example/",
    ],
)
def test_what_can_be_read_in_two_ways_stays_at_the_api(session: Session, world: World, url: str) -> None:
    """Refused, or an address of the API itself."""
    reach_all(session, world, url)
    assert {arrived.origin for arrived in world.arrived} <= {API}


@pytest.mark.parametrize(
    "url",
    ["https://api.example.org/v1/x", "https://API.Example.ORG/v1/x", "https://api.example.org:443/v1/x"],
)
def test_the_same_origin_by_another_name_gets_it(session: Session, world: World, url: str) -> None:
    """RFC 6454 section 4: scheme and host in any case, the default port named or not. Or this shows nothing."""
    assert reach_all(session, world, url) == CLIENTS
    assert with_the_token(session, world) == [API] * len(CLIENTS)


@pytest.mark.parametrize("url", ["x", "/x", "x/../x"])
def test_relative_addresses_start_at_the_api(session: Session, world: World, url: str) -> None:
    by_session(session, world, url)
    assert [arrived.path for arrived in world.arrived] == ["/v1/x"]
    assert with_the_token(session, world) == [API]


# Redirected


ELSEWHERE = [
    ("https://evil.example/", "https://evil.example:443"),
    ("https://sub.api.example.org/", "https://sub.api.example.org:443"),
    ("https://example.org/", "https://example.org:443"),
    ("https://api.example.org:8443/", "https://api.example.org:8443"),
    ("http://api.example.org/", "http://api.example.org:80"),
    ("http://api.example.org:443/", "http://api.example.org:443"),
    ("https://api.example.org./", "https://api.example.org.:443"),
    ("https://api.example.org@evil.example/", "https://evil.example:443"),
    ("https://api.example.org:443@evil.example/", "https://evil.example:443"),
    ("//evil.example/", "https://evil.example:443"),
    ("http://127.0.0.1:81/", "http://127.0.0.1:81"),
]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("location", "target"), ELSEWHERE)
def test_a_redirect_elsewhere_drops_the_token(
    session: Session, world: World, status: int, location: str, target: str
) -> None:
    """Every client follows it, and comes there without the token."""
    world.redirects[API + "/v1/x"] = (status, location)
    assert reach_all(session, world, "https://api.example.org/v1/x") == CLIENTS
    origins = [arrived.origin for arrived in world.arrived]
    assert origins == [API, target] * len(CLIENTS)
    assert with_the_token(session, world) == [API] * len(CLIENTS)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["/v2/x", "https://api.example.org/v2/x", "https://API.example.org/v2/x"]
)
def test_a_redirect_at_the_api_keeps_it(session: Session, world: World, status: int, location: str) -> None:
    world.redirects[API + "/v1/x"] = (status, location)
    assert reach_all(session, world, "https://api.example.org/v1/x") == CLIENTS
    assert [arrived.path for arrived in world.arrived] == ["/v1/x", "/v2/x"] * len(CLIENTS)
    assert with_the_token(session, world) == [API, API] * len(CLIENTS)


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example\\@api.example.org/",
        "https://api.example.org\\@evil.example/",
        "/\\evil.example/",
    ],
)
def test_a_redirect_that_hosts_may_read_differently(session: Session, world: World, location: str) -> None:
    world.redirects[API + "/v1/x"] = (302, location)
    reach_all(session, world, "https://api.example.org/v1/x")
    assert set(with_the_token(session, world)) == {API}


def test_a_redirect_there_and_back_does_not_bring_it_back(session: Session, world: World) -> None:
    world.redirects[API + "/v1/x"] = (302, "https://evil.example/")
    world.redirects["https://evil.example:443/"] = (302, "https://api.example.org/v1/y")
    assert reach_all(session, world, "https://api.example.org/v1/x") == CLIENTS
    assert len(world.arrived) == 3 * len(CLIENTS)
    assert with_the_token(session, world) == [API] * len(CLIENTS)


# On this machine, with no proxy


def test_other_names_and_ports_of_this_machine(demo: DemoProvider) -> None:
    """An API on loopback: its port alone, by its name alone."""
    with ExitStack() as stack:
        api, other = stack.enter_context(Server()), stack.enter_context(Server())
        session = sign_in(demo, api=api.url)
        foreign = [
            f"http://127.0.0.1:{other.port}/x",
            f"http://localhost:{api.port}/x",
            f"http://LOCALHOST:{api.port}/x",
            f"http://127.0.0.2:{api.port}/x",
            f"http://127.1:{api.port}/x",
            f"http://2130706433:{api.port}/x",
            f"http://0x7f000001:{api.port}/x",
            f"http://0.0.0.0:{api.port}/x",
            f"http://[::1]:{api.port}/x",
            f"http://api.localhost:{api.port}/x",
            f"http://127.0.0.1.:{api.port}/x",
            f"http://user@127.0.0.1:{api.port}/x",
            f"https://127.0.0.1:{api.port}/x",
            "http://127.0.0.1/x",
        ]
        for url in foreign:
            assert reach_all(session, None, url) == [], url
        assert api.requests == other.requests == []
        api.text("/x", "{}")
        assert reach_all(session, None, api.url + "/x") == CLIENTS


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        pytest.param(
            "127.0.0.2",
            marks=pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no 127.0.0.2"),
        ),
    ],
)
def test_a_redirect_to_another_server_of_this_machine(demo: DemoProvider, status: int, host: str) -> None:
    with Server() as api, Server(host) as other:
        session = sign_in(demo, api=api.url)
        api.text("/steal", "{}")
        other.text("/steal", "{}")
        for location in (f"{other.url}/steal", f"http://localhost:{api.port}/steal"):
            api.text("/go", "", status, Location=location)
            assert reach_all(session, None, api.url + "/go") == CLIENTS
        there = [request for request in [*api.requests, *other.requests] if request.path == "/steal"]
        assert len(there) == 2 * len(CLIENTS)
        assert [name for request in there for name in request.headers if name == "Authorization"] == []


def test_a_401_after_a_redirect_elsewhere_is_not_answered_with_a_token(demo: DemoProvider) -> None:
    """Ours redirects, the other one asks for authentication and gets none; nothing is renewed for it."""
    with Between(demo.issuer) as between, Server() as ours, Server() as other:
        session = sign_in(demo, between, api=ours.url)
        ours.text("/go", "", 302, Location=other.url + "/steal")
        other.text("/steal", "who are you?", 401)
        reach_all(session, None, ours.url + "/go")
        assert [("Authorization" in request.headers) for request in other.requests] == [False] * len(CLIENTS)
        assert between.fates == []


def test_a_proxy_is_not_asked_for_this_machine(
    demo: DemoProvider, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy in the environment, as companies set it: no token, and no refresh token, goes there in clear."""
    session = sign_in(demo)
    age(session)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, world.proxy)
    assert session.get("/stations").status_code == 200
    assert world.arrived == []
    requests.get("http://elsewhere.example/", timeout=10)
    assert len(world.arrived) == 1, "for others it is asked"


@pytest.mark.parametrize("make", [provider_session, ClientSession, Session])
def test_a_variable_may_go_while_all_are_read(
    make: Callable[[], requests.Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever another thread does to the environment, a call finds its settings there."""
    monkeypatch.setenv("https_proxy", "http://proxy.example")
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            os.environ["AUTHNB_COMES_AND_GOES"] = "1"
            del os.environ["AUTHNB_COMES_AND_GOES"]

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        session = make()
        for _ in range(3000):  # of which without care some 10 fail
            settings = session.merge_environment_settings("https://api.example.org/", {}, None, None, None)
            assert settings["proxies"]["https"] == "http://proxy.example"
    finally:
        over.set()
        thread.join()


# Which addresses are the API's


def test_several_apis(demo: DemoProvider) -> None:
    """``api`` may name several: relative addresses start at the first."""
    session = sign_in(demo, api=["https://api.example.org", "https://files.example.org"])
    assert session.headers_for("https://files.example.org/x")
    with pytest.raises(AuthnbError, match="is not the API it is for"):
        session.headers_for("https://other.example.org/x")


@pytest.mark.parametrize(
    ("url", "goes"),
    [
        ("https://a.example", True),
        ("http://127.0.0.1:1", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("http://a.example", False),
        ("http://localhost.a.example", False),
        ("http://a.localhost", False),
        ("http://127.0.0.1.a.example", False),
        ("http://127.0.0.1@a.example", False),
        ("http://192.168.0.1", False),
    ],
)
def test_without_api_only_https_and_loopback(demo: DemoProvider, url: str, goes: bool) -> None:  # noqa: FBT001 - a row
    session = sign_in(demo, api=None)
    if goes:
        assert session.headers_for(url)
    else:
        with pytest.raises(AuthnbError) as caught:
            session.get(url)
        assert caught.value.error == "insecure_transport"


def test_without_the_token_anything_goes(session: Session, world: World) -> None:
    session.proxies = {"all": world.proxy}
    session.get("http://elsewhere.example/", withhold_token=True)
    assert [arrived.origin for arrived in world.arrived] == ["http://elsewhere.example:80"]
    assert with_the_token(session, world) == []
