"""The lifetime of a device code, and the words in which providers say that a person has not entered it yet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from servers import Server

from authnb.errors import LoginFailed
from authnb.flows import device_flow, drive
from authnb.oauth.client import Client
from authnb.oauth.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.oauth.responses import Token

JSON = {"Content-Type": "application/json"}
PENDING = (400, JSON, b'{"error": "authorization_pending"}')
EXPIRED = (400, JSON, b'{"error": "expired_token"}')
TOKEN = (200, JSON, b'{"access_token": "at", "token_type": "bearer"}')


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def sign_in(
    server: Server, *answers: tuple[int, dict[str, str], bytes], expires_in: float, timeout: float
) -> Token:
    """Poll without waiting; the last answer is repeated."""
    left = list(answers)
    device = {"device_code": "dc", "user_code": "AB", "verification_uri": "https://id.example.org/d"}
    server.json("/device", {**device, "expires_in": expires_in, "interval": 1})
    server.routes["/token"] = lambda _: left.pop(0) if len(left) > 1 else left[0]
    provider = Provider(
        server.url, token_endpoint=server.url + "/token", device_authorization_endpoint=server.url + "/device"
    )
    flow = device_flow(Client(provider, client_id="c", scope="read"), timeout=timeout)
    return drive(flow, lambda _: None, lambda _: False)


def test_a_code_that_expires_early(server: Server) -> None:
    """The provider ends it long before its time: the text names neither that time nor timeout=, which is no help."""
    with pytest.raises(LoginFailed) as caught:
        sign_in(server, PENDING, EXPIRED, expires_in=600, timeout=300)
    assert caught.value.error == "expired_token"
    assert "300" not in caught.value.description
    assert "timeout=" not in caught.value.description
    assert "Sign in again" in caught.value.description


@pytest.mark.parametrize(("expires_in", "timeout", "helps"), [(0.2, 300, False), (600, 0.2, True)])
def test_timeout_is_named_where_it_helps(
    server: Server, expires_in: float, timeout: float, *, helps: bool
) -> None:
    """A code lives as long as the provider says, whatever timeout= is."""
    with pytest.raises(LoginFailed) as caught:
        sign_in(server, PENDING, expires_in=expires_in, timeout=timeout)
    assert caught.value.error == "expired_token"
    assert ("timeout=" in caught.value.description) is helps


@pytest.mark.parametrize(
    "pending",
    [
        json.dumps({"status": 400, "message": "authorization_pending"}).encode(),
        json.dumps({"type": "authorization_pending", "title": "Pending"}).encode(),
        json.dumps({"error": "AUTHORIZATION_PENDING"}).encode(),
        '{"error": "authorization_pending", "error_description": "R\u00e9essayez"}'.encode("latin-1"),
    ],
)
def test_pending_in_other_forms(server: Server, pending: bytes) -> None:
    """Twitch has the code in `message`, problem details (RFC 9457) in `type`; other letters and encodings pass."""
    token = sign_in(server, (400, JSON, pending), TOKEN, expires_in=600, timeout=300)
    assert token["access_token"] == "at"
