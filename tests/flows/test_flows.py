"""Flows against the embedded provider, with real requests and a real listener."""

from __future__ import annotations

import re
import socket
import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from servers import Server
from support import newcomer

from authnb.errors import InvalidToken, LoginFailed, ProviderError
from authnb.flows import Pending, Verification, device_flow, drive, loopback_flow
from authnb.oauth.client import Client
from authnb.oauth.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Generator

    from authnb.demo import DemoProvider
    from authnb.flows import Flow


@pytest.fixture
def client(demo: DemoProvider) -> Client:
    provider = Provider.discover(demo.issuer, needs=("device_authorization_endpoint",))
    return Client(provider, client_id=demo.client_id)


def first(flow: Flow) -> Verification:
    step = next(flow)
    assert isinstance(step, Verification)
    return step


def no_wait(_seconds: float) -> bool:
    return threading.Event().wait(0.01)


def test_loopback_step_by_step(client: Client, demo: DemoProvider) -> None:
    """The flow by hand: next(flow), the browser, next(flow). It asks for a code, with a challenge (RFC 7636)."""
    flow = loopback_flow(client)
    verification = first(flow)
    request = parse_qs(urlsplit(verification.uri).query)
    assert request["response_type"] == ["code"]
    assert request["code_challenge_method"] == ["S256"]
    assert re.fullmatch(r"[\w-]{43}", request["code_challenge"][0])
    assert isinstance(next(flow), Pending)
    demo.visit(verification.uri, name="ada")
    with pytest.raises(StopIteration) as done:
        next(flow)
    assert done.value.value["userinfo"]["preferred_username"] == "ada"


def test_device_step_by_step(client: Client, demo: DemoProvider) -> None:
    flow = device_flow(client)
    verification = first(flow)
    assert verification.user_code in (verification.uri_complete or "")
    assert next(flow) == Pending(wait=1.0)
    demo.approve(str(verification.user_code), name="ada")
    with pytest.raises(StopIteration) as done:
        next(flow)
    assert done.value.value["userinfo"]["preferred_username"] == "ada"


@pytest.mark.parametrize("kind", [loopback_flow, device_flow])
def test_access_denied_ends_the_flow(client: Client, demo: DemoProvider, kind: type) -> None:
    def show(verification: Verification) -> None:
        if verification.user_code:
            demo.deny(verification.user_code, name=newcomer())
        else:
            demo.visit(verification.uri, name=newcomer(), allow=False)

    with pytest.raises(LoginFailed) as caught:
        drive(kind(client, timeout=20), show, lambda wait: threading.Event().wait(wait))
    assert caught.value.error == "access_denied"


@pytest.mark.parametrize("kind", [loopback_flow, device_flow])
def test_a_flow_expires(client: Client, kind: type) -> None:
    with pytest.raises(LoginFailed) as caught:
        drive(kind(client, timeout=0.05), lambda _: None, no_wait)
    assert caught.value.error == "expired_token"


def test_cancelling_closes_the_flow(client: Client) -> None:
    shown: list[Verification] = []
    with pytest.raises(LoginFailed) as caught:
        drive(loopback_flow(client), shown.append, lambda _: True)
    assert caught.value.error == "cancelled"
    assert not listens(shown[0].uri)


def listens(uri: str) -> bool:
    """Whether somebody answers at the redirect address in this authorization request."""
    redirect_uri = urlsplit(parse_qs(urlsplit(uri).query)["redirect_uri"][0])
    with socket.socket() as probe:
        return probe.connect_ex((redirect_uri.hostname, redirect_uri.port)) == 0


def test_closing_a_flow_frees_its_port(client: Client) -> None:
    flow = loopback_flow(client)
    uri = first(flow).uri
    assert listens(uri)
    flow.close()
    assert not listens(uri)


def test_parameters_are_added_to_the_authorization_request(client: Client) -> None:
    flow = loopback_flow(client, login_hint="ada", prompt="login")
    assert "login_hint=ada&prompt=login" in first(flow).uri
    flow.close()


# Responses that the embedded provider never sends


@pytest.fixture
def odd() -> Generator[Server]:
    with Server() as server:
        server.json("/device", DEVICE)
        yield server


DEVICE = {
    "device_code": "dc",
    "user_code": "AB-CD",
    "verification_uri": "https://id.example.org/d",
    "interval": 1,
}


def client_of(server: Server) -> Client:
    provider = Provider(
        server.url,
        token_endpoint=server.url + "/token",
        device_authorization_endpoint=server.url + "/device",
        jwks_uri=server.url + "/jwks",
    )
    return Client(provider, client_id="c", scope="read")


def answers(server: Server, *bodies: tuple[int, str]) -> None:
    left = list(bodies)

    def route(_: object) -> tuple[int, dict[str, str], bytes]:
        status, body = left.pop(0) if len(left) > 1 else left[0]
        return status, {"Content-Type": "application/json"}, body.encode()

    server.routes["/token"] = route


def test_polling_goes_on_through_transient_failures(odd: Server) -> None:
    """slow_down adds five seconds, a server error doubles the pause, pending changes nothing."""
    answers(
        odd,
        (400, '{"error": "authorization_pending"}'),
        (503, "busy"),
        (400, '{"error": "slow_down"}'),
        (200, '{"error": "authorization_pending"}'),
        (200, '{"access_token": "at", "token_type": "bearer"}'),
    )
    waits: list[float] = []
    token = drive(device_flow(client_of(odd)), lambda _: None, lambda wait: waits.append(wait) or False)
    assert token["access_token"] == "at"
    assert waits == [1, 1, 2, 7, 7]
    assert odd.paths() == ["/device"] + ["/token"] * 5


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, '{"error": "expired_token"}', "expired_token"),
        (400, '{"error": "invalid_client"}', "invalid_client"),
        (401, "", "invalid_client"),
        (400, "", "invalid_response"),
        (200, "<html>", "invalid_response"),
        (400, '{"message": "no"}', "invalid_response"),
    ],
)
def test_polling_ends_with_a_clear_error(odd: Server, status: int, body: str, error: str) -> None:
    answers(odd, (status, body))
    with pytest.raises((ProviderError, LoginFailed)) as caught:
        drive(device_flow(client_of(odd)), lambda _: None, lambda _: False)
    assert caught.value.error == error


def test_a_redirect_of_the_token_request_is_not_followed(odd: Server) -> None:
    with Server() as elsewhere:
        odd.text("/token", "", 307, Location=elsewhere.url + "/token")
        with pytest.raises(ProviderError):
            drive(device_flow(client_of(odd)), lambda _: None, lambda _: False)
        assert elsewhere.requests == []


def test_a_provider_without_a_device_endpoint(odd: Server) -> None:
    client = Client(Provider(odd.url, token_endpoint=odd.url + "/token"), client_id="c")
    with pytest.raises(ProviderError, match="device_authorization_endpoint"):
        next(device_flow(client))


def test_a_forged_id_token_signs_nobody_in(odd: Server) -> None:
    answers(odd, (200, '{"access_token": "at", "id_token": "e30.e30."}'))
    with pytest.raises(InvalidToken):
        drive(device_flow(client_of(odd)), lambda _: None, lambda _: False)


def test_secrets_stay_out_of_every_repr(client: Client, demo: DemoProvider) -> None:
    secret = Client(client.provider, client_id=demo.web_client_id, client_secret="s3cr3t-value")
    request = secret.authorization_request("http://127.0.0.1:1/callback")
    text = repr(secret) + repr(request)
    assert demo.web_client_id in text
    assert request.redirect_uri in text
    for value in ("s3cr3t-value", request.state, request.nonce, request.code_verifier):
        assert value not in text
