"""An overloaded provider is waited for, within the person's time: while polling, redeeming a code, fetching keys."""

from __future__ import annotations

import json
import threading
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from provider import CLIENT, Answer
from provider import Server as HostileServer
from servers import Server

from authnb.errors import LoginFailed, ProviderError
from authnb.flows import Pending, Verification, device_flow, drive, loopback_flow
from authnb.oauth.client import Client
from authnb.oauth.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.flows import Flow
    from authnb.oauth.responses import Token

    Response = tuple[int, dict[str, str], bytes]

JSON = {"Content-Type": "application/json"}
TOKEN = (200, JSON, b'{"access_token": "at", "token_type": "bearer"}')
DEVICE = {
    "device_code": "dc",
    "user_code": "AB",
    "verification_uri": "https://id.example.org/d",
    "interval": 2,
}
STATUSES = [408, 425, 429, 502, 503, 504]
BODIES = {
    "JSON": (JSON, b'{"error": "rate_limited", "message": "Too many requests"}'),
    "HTML": ({"Content-Type": "text/html"}, b"<html><title>Busy</title>"),
    "empty": ({}, b""),
}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        running.json("/device", DEVICE)
        yield running


def client(server: Server, scope: str = "read", **more: Any) -> Client:
    names = {"authorization": "/authorize", "token": "/token", "device_authorization": "/device"}
    endpoints = {f"{name}_endpoint": server.url + path for name, path in names.items()}
    return Client(Provider(server.url, **endpoints, **more), client_id="c", scope=scope)


def respond(server: Server, path: str, *answers: Response) -> None:
    left = list(answers)
    server.routes[path] = lambda _: left.pop(0) if len(left) > 1 else left[0]


def run(flow: Flow) -> tuple[Token, list[float]]:
    """The token, and the waits that led to it; the callback is sent as a browser would."""
    waits: list[float] = []

    def show(verification: Verification) -> None:
        query = parse_qs(urlsplit(verification.uri).query)
        if "redirect_uri" in query:
            back = {"code": "the-code", "state": query["state"][0]}
            assert requests.get(query["redirect_uri"][0], params=back, timeout=5).ok

    return drive(flow, show, lambda wait: waits.append(wait) or False), waits


@pytest.mark.parametrize("kind", [device_flow, loopback_flow])
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("status", STATUSES)
def test_overload_is_not_final(server: Server, status: int, body: str, kind: Any) -> None:
    """The next request succeeds."""
    headers, content = BODIES[body]
    respond(server, "/token", (status, headers, content), TOKEN)
    token, waits = run(kind(client(server)))
    assert token["access_token"] == "at"
    assert server.paths().count("/token") == 2
    assert waits == ([2, 4] if kind is device_flow else [1])


@pytest.mark.parametrize("kind", [device_flow, loopback_flow])
def test_a_rate_limit_told_as_403(server: Server, kind: Any) -> None:
    """With ``Retry-After`` and without an error code of OAuth; with one it is a refusal."""
    respond(server, "/token", (403, {"Retry-After": "3", "Content-Type": "text/html"}, b"<title>Slow"), TOKEN)
    token, waits = run(kind(client(server)))
    assert (token["access_token"], waits[-1]) == ("at", 3 if kind is loopback_flow else 4)
    respond(server, "/token", (403, {"Retry-After": "3", **JSON}, b'{"error": "access_denied"}'), TOKEN)
    with pytest.raises(LoginFailed):
        run(kind(client(server)))


@pytest.mark.parametrize(("kind", "first"), [(device_flow, [2]), (loopback_flow, [])])
@pytest.mark.parametrize("how", ["seconds", "date"])
def test_retry_after(server: Server, how: str, kind: Any, first: list[float]) -> None:
    """RFC 9110 section 10.2.3: in seconds or as a date, which is the provider's, an hour ahead of us here."""
    server.clock_offset = 3600.0

    def busy(_: object) -> Response:
        server.routes["/token"] = lambda _: TOKEN
        return (
            429,
            {"Retry-After": "7" if how == "seconds" else formatdate(time.time() + 3607, usegmt=True)},
            b"",
        )

    server.routes["/token"] = busy
    _, waits = run(kind(client(server)))
    assert waits[:-1] == first
    assert 5 <= waits[-1] <= 7


def test_retry_after_ends_with_the_persons_time(server: Server) -> None:
    """Polling waits no longer than the code lives; a code is not redeemed after its time: then the error is raised."""
    respond(server, "/token", (503, {"Retry-After": "100000"}, b""))
    flow = device_flow(client(server), timeout=30)
    assert isinstance(next(flow), Verification)
    next(flow)
    step = next(flow)
    assert isinstance(step, Pending)
    assert 20 < step.wait <= 30
    flow.close()
    with pytest.raises(ProviderError) as caught:
        run(loopback_flow(client(server), timeout=30))
    assert caught.value.error == "temporarily_unavailable"
    assert server.paths().count("/token") == 2


@pytest.mark.parametrize("kind", [device_flow, loopback_flow])
def test_a_code_is_redeemed_once(server: Server, kind: Any) -> None:
    """An overloaded JWKS endpoint comes after the token response: the keys are asked for again, the code is not."""
    respond(server, "/jwks", (503, {}, b""), (200, JSON, b'{"keys": []}'))
    respond(
        server, "/token", (200, JSON, json.dumps({"access_token": "at", "id_token": "e30.e30.x"}).encode())
    )
    with pytest.raises(ProviderError):
        run(kind(client(server, "openid", jwks_uri=server.url + "/jwks"), timeout=3))
    assert server.paths().count("/token") == 1


@pytest.mark.parametrize("trouble", ["hung up", "HTTP 500"])
@pytest.mark.parametrize("kind", [device_flow, loopback_flow])
def test_keys_are_requested_again(kind: Any, trouble: str) -> None:
    """A broken connection or a server error after the token response: the code is used up, and the keys can be had."""
    with HostileServer() as hostile:
        scenario = hostile.scenario("one")
        honest, left = (
            scenario.answer,
            [Answer(body=[], raw=True) if trouble == "hung up" else Answer(500)] * 3,
        )

        def answer(name: str, query: str, body: str) -> Answer:
            return left.pop() if name == "jwks" and left else honest(name, query, body)

        scenario.answer = answer  # type: ignore[method-assign] # of this scenario only
        scenario.device["interval"] = 1

        def show(verification: Verification) -> None:
            if verification.user_code is None:
                for address in requests.get(verification.uri, timeout=5).json():
                    requests.get(address, timeout=5)

        flow = kind(Client(Provider.discover(scenario.issuer), client_id=CLIENT, scope="openid"))
        token = drive(flow, show, lambda _: False)
    assert token["userinfo"]["sub"] == "ada"
    assert [path.rpartition("/")[2] for _, path in scenario.requests].count("token") == 1


def test_keys_that_cannot_be_had_end_the_sign_in(server: Server) -> None:
    """After three more requests, not at the end of the person's time."""
    respond(server, "/jwks", (500, {}, b""))
    respond(
        server,
        "/token",
        (200, JSON, json.dumps({"access_token": "at", "id_token": "eyJhbGciOiJSUzI1NiJ9.e30.x"}).encode()),
    )
    with pytest.raises(ProviderError) as caught:
        run(loopback_flow(client(server, "openid", jwks_uri=server.url + "/jwks")))
    assert caught.value.error == "server_error"
    assert server.paths().count("/jwks") <= 5


def test_a_server_error_is_final_for_a_code(server: Server) -> None:
    """HTTP 500: the code may be used up, and can be used once."""
    respond(server, "/token", (500, {}, b""))
    with pytest.raises(ProviderError) as caught:
        run(loopback_flow(client(server)))
    assert caught.value.error == "server_error"
    assert server.paths().count("/token") == 1


def test_a_timeout_is_final_for_a_code(server: Server) -> None:
    """The request arrived, so the code may be used up."""
    stopped = threading.Event()
    server.routes["/token"] = lambda _: (stopped.wait(20), TOKEN)[1]
    try:
        with pytest.raises(ProviderError) as caught:
            run(loopback_flow(client(server, response_timeout=0.3), timeout=3))
    finally:
        stopped.set()
    assert caught.value.error == "timeout"
    assert server.paths().count("/token") == 1


@pytest.mark.parametrize("status", STATUSES)
def test_a_renewal_can_be_tried_again(server: Server, status: int) -> None:
    """The error says so, and when: the refresh token was not used up."""
    respond(server, "/token", (status, {"Retry-After": "3"}, b""), TOKEN)
    with pytest.raises(ProviderError) as caught:
        client(server).refresh({"refresh_token": "rt"})
    assert (caught.value.is_transient, caught.value.retry_after) == (True, 3)
    assert client(server).refresh({"refresh_token": "rt"})["access_token"] == "at"
