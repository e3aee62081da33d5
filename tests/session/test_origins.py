"""The token goes where it belongs and nowhere else, whichever client carries it: real proxies, TLS and sockets."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import fsspec
import httpx
import pytest
import requests
from aiohttp import ClientError
from demo_session import age, sign_in
from network import Network
from servers import Server
from token_endpoint_proxy import TokenEndpointProxy

from authnb.errors import AuthnbError
from authnb.oauth.authlib_session import ClientSession
from authnb.session.session import Session
from authnb.transport.http import provider_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.demo import DemoProvider

    Reach = Callable[["Session", Network | None, str], None]

API = "https://api.example.org:443"
REFUSED = (AuthnbError, requests.RequestException, httpx.HTTPError, httpx.InvalidURL, ClientError, ValueError)


# The clients that carry the token. Each posts, for what may be repeated; through the network's proxy, if there is one.


def requests_options(network: Network | None) -> dict[str, Any]:
    through = {} if network is None else {"proxies": {"all": network.proxy}, "verify": network.ca_file}
    return {"data": b"body", **through}


def by_session(session: Session, network: Network | None, url: str) -> None:
    session.post(url, timeout=10, **requests_options(network))


def by_requests(session: Session, network: Network | None, url: str) -> None:
    requests.post(url, auth=session.requests_auth, timeout=10, **requests_options(network))


def httpx_options(session: Session, network: Network | None) -> dict[str, Any]:
    through = {} if network is None else {"proxy": network.proxy, "verify": network.trust}
    return {"auth": session.httpx_auth, "follow_redirects": True, **through}


def by_httpx(session: Session, network: Network | None, url: str) -> None:
    with httpx.Client(**httpx_options(session, network)) as client:
        client.post(url, content=b"body")


def by_httpx_async(session: Session, network: Network | None, url: str) -> None:
    async def send() -> None:
        async with httpx.AsyncClient(**httpx_options(session, network)) as client:
            await client.post(url, content=b"body")

    asyncio.run(send())


def by_fsspec(session: Session, network: Network | None, url: str) -> None:
    through = {} if network is None else {"proxy": network.proxy, "ssl": network.trust}
    options = {"headers": session.headers_for(url), "skip_instance_cache": True, **through}
    fsspec.filesystem("https", **options).cat(url)


CLIENTS: list[Reach] = [by_session, by_requests, by_httpx, by_httpx_async, by_fsspec]


def reach_all(session: Session, network: Network | None, url: str) -> list[Reach]:
    """Send the token there by every client; those that did not refuse."""
    went = []
    for reach in CLIENTS:
        with suppress(*REFUSED):
            reach(session, network, url)
            went.append(reach)
    return went


@pytest.fixture(scope="module")
def shared_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with Network(tmp_path_factory.mktemp("network")) as running:
        yield running


@pytest.fixture
def network(shared_network: Network) -> Network:
    shared_network.received.clear()
    shared_network.redirects.clear()
    return shared_network


@pytest.fixture(scope="module")
def session(demo: DemoProvider) -> Session:
    return sign_in(demo, api="https://api.example.org/v1")


def with_the_token(session: Session, network: Network) -> list[str]:
    """The origins of requests that held it anywhere."""
    return [
        received.origin for received in network.received if session.token["access_token"] in received.text
    ]


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
def test_a_foreign_address_is_refused(session: Session, network: Network, url: str) -> None:
    """By every client, and nothing is sent at all: not to that host, nor the token to any."""
    assert reach_all(session, network, url) == []
    assert network.received == []
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
def test_what_can_be_read_in_two_ways_stays_at_the_api(session: Session, network: Network, url: str) -> None:
    """Refused, or an address of the API itself."""
    reach_all(session, network, url)
    assert {received.origin for received in network.received} <= {API}


@pytest.mark.parametrize(
    "url",
    ["https://api.example.org/v1/x", "https://API.Example.ORG/v1/x", "https://api.example.org:443/v1/x"],
)
def test_the_same_origin_by_another_name_gets_it(session: Session, network: Network, url: str) -> None:
    """RFC 6454 section 4: scheme and host in any case, the default port named or not. Or this shows nothing."""
    assert reach_all(session, network, url) == CLIENTS
    assert with_the_token(session, network) == [API] * len(CLIENTS)


def test_the_api_receives_the_access_token_alone(session: Session, network: Network) -> None:
    """In the Authorization header: nothing in the URL, no refresh token, which would outlive it, and no ID token."""
    assert reach_all(session, network, API + "/v1/x") == CLIENTS
    assert with_the_token(session, network) == [API] * len(CLIENTS)
    assert {received.path for received in network.received} == {"/v1/x"}
    for name in ("refresh_token", "id_token"):
        assert not [received for received in network.received if session.token[name] in received.text]


def test_a_server_without_a_trusted_certificate_gets_nothing(session: Session, network: Network) -> None:
    """TLS is verified before a request is sent, whichever client sends it."""
    proxies = {"all": network.proxy}
    for send in (
        lambda: session.get(API + "/v1/x", proxies=proxies),
        lambda: requests.get(API + "/v1/x", auth=session.requests_auth, proxies=proxies, timeout=10),
    ):
        with pytest.raises(requests.exceptions.SSLError):
            send()
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(API + "/v1/x", auth=session.httpx_auth, proxy=network.proxy)
    assert network.received == []


@pytest.mark.parametrize("url", ["x", "/x", "x/../x"])
def test_relative_addresses_start_at_the_api(session: Session, network: Network, url: str) -> None:
    by_session(session, network, url)
    assert [received.path for received in network.received] == ["/v1/x"]
    assert with_the_token(session, network) == [API]


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
    session: Session, network: Network, status: int, location: str, target: str
) -> None:
    """Every client follows it, and comes there without the token."""
    network.redirects[API + "/v1/x"] = (status, location)
    assert reach_all(session, network, "https://api.example.org/v1/x") == CLIENTS
    origins = [received.origin for received in network.received]
    assert origins == [API, target] * len(CLIENTS)
    assert with_the_token(session, network) == [API] * len(CLIENTS)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["/v2/x", "https://api.example.org/v2/x", "https://API.example.org/v2/x"]
)
def test_a_redirect_at_the_api_keeps_it(
    session: Session, network: Network, status: int, location: str
) -> None:
    network.redirects[API + "/v1/x"] = (status, location)
    assert reach_all(session, network, "https://api.example.org/v1/x") == CLIENTS
    assert [received.path for received in network.received] == ["/v1/x", "/v2/x"] * len(CLIENTS)
    assert with_the_token(session, network) == [API, API] * len(CLIENTS)


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example\\@api.example.org/",
        "https://api.example.org\\@evil.example/",
        "/\\evil.example/",
    ],
)
def test_a_redirect_that_hosts_may_read_differently(
    session: Session, network: Network, location: str
) -> None:
    network.redirects[API + "/v1/x"] = (302, location)
    reach_all(session, network, "https://api.example.org/v1/x")
    assert set(with_the_token(session, network)) == {API}


def test_a_redirect_there_and_back_does_not_bring_it_back(session: Session, network: Network) -> None:
    network.redirects[API + "/v1/x"] = (302, "https://evil.example/")
    network.redirects["https://evil.example:443/"] = (302, "https://api.example.org/v1/y")
    assert reach_all(session, network, "https://api.example.org/v1/x") == CLIENTS
    assert len(network.received) == 3 * len(CLIENTS)
    assert with_the_token(session, network) == [API] * len(CLIENTS)


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
    with TokenEndpointProxy(demo.issuer) as token_proxy, Server() as ours, Server() as other:
        session = sign_in(demo, token_proxy, api=ours.url)
        ours.text("/go", "", 302, Location=other.url + "/steal")
        other.text("/steal", "who are you?", 401)
        reach_all(session, None, ours.url + "/go")
        assert [("Authorization" in request.headers) for request in other.requests] == [False] * len(CLIENTS)
        assert token_proxy.outcomes == []


def test_a_proxy_is_not_asked_for_this_machine(
    demo: DemoProvider, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy in the environment, as companies set it: no token, and no refresh token, goes there in clear."""
    session = sign_in(demo)
    age(session)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, network.proxy)
    assert session.get("/stations").status_code == 200
    assert network.received == []
    requests.get("http://elsewhere.example/", timeout=10)
    assert len(network.received) == 1, "for others it is asked"


@pytest.fixture
def proxied(network: Network, monkeypatch: pytest.MonkeyPatch) -> Network:
    """A proxy in the environment, for all addresses and schemes."""
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, network.proxy)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", network.ca_file)
    return network


async def in_async_httpx(session: Session, url: str, **options: Any) -> int:
    async with httpx.AsyncClient(auth=session.httpx_auth, **options) as client:
        return (await client.get(url)).status_code


def in_httpx(session: Session, url: str, **options: Any) -> int:
    with httpx.Client(auth=session.httpx_auth, **options) as client:
        return client.get(url).status_code


def in_urllib(session: Session, url: str, **_: Any) -> int:
    with urlopen(Request(url, headers=session.headers_for(url)), timeout=10) as response:  # noqa: S310 - http is meant
        return int(response.status)


BY_ENVIRONMENT: dict[str, Callable[..., int]] = {
    "requests": lambda session, url, **_: (
        requests.get(url, auth=session.requests_auth, timeout=10).status_code
    ),
    "httpx": in_httpx,
    "httpx, async": lambda *given, **options: asyncio.run(in_async_httpx(*given, **options)),
    "urllib": in_urllib,
}


@pytest.mark.parametrize("client", BY_ENVIRONMENT)
def test_no_proxy_of_the_environment_reads_a_token_for_this_machine(
    demo: DemoProvider, proxied: Network, client: str
) -> None:
    """Other clients would ask it, in clear. The error says how to leave it out, and that helps."""
    session = sign_in(demo)
    with pytest.raises(AuthnbError, match="NO_PROXY") as caught:
        BY_ENVIRONMENT[client](session, f"{demo.api}/stations")
    assert caught.value.error == "insecure_transport"
    assert with_the_token(session, proxied) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1,localhost,::1")
        assert BY_ENVIRONMENT[client](session, f"{demo.api}/stations") == 200
    assert with_the_token(session, proxied) == []


@pytest.mark.parametrize("client", BY_ENVIRONMENT)
def test_a_proxy_that_the_environment_names_later_is_noticed(
    demo: DemoProvider, network: Network, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    """By a variable in any case, as `urllib.request.getproxies` takes it."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    session = sign_in(demo)
    for name in ("http_proxy", "HTTP_PROXY", "Http_Proxy", "ALL_PROXY"):
        assert BY_ENVIRONMENT[client](session, f"{demo.api}/stations") == 200
        with monkeypatch.context() as patch:
            patch.setenv(name, network.proxy)
            with pytest.raises(AuthnbError, match="a proxy would read"):
                BY_ENVIRONMENT[client](session, f"{demo.api}/stations")
    assert network.received == []


@pytest.mark.parametrize("client", ["requests", "httpx", "httpx, async"])
def test_a_tunnel_to_an_https_api_is_used(demo: DemoProvider, proxied: Network, client: str) -> None:
    """The proxy reads nothing there."""
    session = sign_in(demo, api=API)
    options = {} if client == "requests" else {"verify": proxied.trust}
    assert BY_ENVIRONMENT[client](session, f"{API}/stations", **options) == 200
    assert len(with_the_token(session, proxied)) == 1
    assert {received.origin for received in proxied.received} == {API}


def test_no_proxy_that_is_given_reads_a_token(demo: DemoProvider, network: Network) -> None:
    """By ``proxies=`` or the session's ``proxies``; what the session does without the token is its own affair."""
    session = sign_in(demo)
    with pytest.raises(AuthnbError, match="a proxy would read"):
        session.get("/stations", proxies={"http": network.proxy})
    session.proxies = {"all": network.proxy}
    with pytest.raises(AuthnbError, match="a proxy would read"):
        session.get("/stations")
    assert network.received == []
    session.get("/stations", withhold_token=True)
    assert len(network.received) == 1
    assert with_the_token(session, network) == []


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
def test_without_api_only_https_and_loopback(demo: DemoProvider, url: str, goes: bool) -> None:
    session = sign_in(demo, api=None)
    if goes:
        assert session.headers_for(url)
    else:
        with pytest.raises(AuthnbError) as caught:
            session.get(url)
        assert caught.value.error == "insecure_transport"


def test_without_the_token_anything_goes(session: Session, network: Network) -> None:
    session.proxies = {"all": network.proxy}
    session.get("http://elsewhere.example/", withhold_token=True)
    assert [received.origin for received in network.received] == ["http://elsewhere.example:80"]
    assert with_the_token(session, network) == []
