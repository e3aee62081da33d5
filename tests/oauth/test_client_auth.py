"""Client authentication (RFC 6749 section 2.3.1) against servers that decode it, and servers that do not."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote_plus

import pytest
from servers import Server

import authnb
from authnb.errors import ProviderError
from authnb.oauth.client import Client
from authnb.oauth.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Request

SECRETS = ["s+e/c=r%41t", "white space", "colon:colon", "sécret", "пароль", "密码", "a&b=c", "100%"]
TOKEN = {"access_token": "at", "refresh_token": "rt", "token_type": "Bearer"}


class AuthServer(Server):
    """A token, device authorization and revocation endpoint that authenticates a client."""

    client_id, secret = "notebook", "secret"
    decodes = True  # what Basic holds, as RFC 6749 asks
    methods: tuple[str, ...] = ("client_secret_basic", "client_secret_post")

    def serve(self) -> None:
        device = {
            "device_code": "dc",
            "user_code": "AB",
            "verification_uri": "https://id.example.org/d",
            **TOKEN,
        }
        for name in ("token", "device_authorization", "revocation"):
            self.routes[f"/{name}"] = self.answer
        self.device = device

    def answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        if self.credentials(request) != (self.client_id, self.secret):
            return 401, {"Content-Type": "application/json"}, b'{"error": "invalid_client"}'
        return 200, {"Content-Type": "application/json"}, json.dumps(self.device).encode()

    def credentials(self, request: Request) -> tuple[str, str] | None:
        if (header := request.headers.get("Authorization")) is not None:
            user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
            return (unquote_plus(user), unquote_plus(password)) if self.decodes else (user, password)
        body = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        return (body["client_id"], body["client_secret"]) if "client_secret" in body else None

    def client(self, **more: Any) -> Client:
        endpoints = {
            f"{name}_endpoint": f"{self.url}/{name}"
            for name in ("token", "device_authorization", "revocation")
        }
        provider = Provider(self.url, **endpoints, token_endpoint_auth_methods_supported=self.methods)
        return Client(provider, client_id=self.client_id, client_secret=self.secret, scope="x", **more)


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with AuthServer() as running:
        running.serve()
        yield running


def use(client: Client) -> None:
    """Each kind of request with client authentication."""
    client.authorize_device()
    assert client.refresh(TOKEN)["access_token"] == "at"
    client.revoke("rt", "refresh_token")


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("client_id", ["notebook", "https://app.example.org/?id=1", "käse"])
def test_id_and_secret_are_form_encoded(server: AuthServer, client_id: str, secret: str) -> None:
    """A server that decodes them, as the RFC asks, authenticates the client at the first request."""
    server.client_id, server.secret = client_id, secret
    use(server.client())
    assert len(server.requests) == 3
    assert all("Authorization" in request.headers for request in server.requests)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_server_that_does_not_decode(server: AuthServer, secret: str) -> None:
    """After ``invalid_client``, ``client_secret_post`` is tried once."""
    server.decodes, server.secret = False, secret
    use(server.client())
    assert ["Authorization" in request.headers for request in server.requests] == [True, False] * 3


@pytest.mark.parametrize(
    ("secret", "methods", "more"),
    [
        ("plain-secret", ("client_secret_basic", "client_secret_post"), {}),
        ("s+crët", ("client_secret_basic",), {}),
        (
            "s+crët",
            ("client_secret_basic", "client_secret_post"),
            {"token_endpoint_auth_method": "client_secret_basic"},
        ),
    ],
    ids=["encoding changes nothing", "not in the metadata", "the method was chosen"],
)
def test_there_is_no_second_request(
    server: AuthServer, secret: str, methods: tuple[str, ...], more: dict[str, str]
) -> None:
    """A wrong secret is not sent twice, nor in a way that the metadata or the caller excludes."""
    server.decodes, server.secret, server.methods = False, secret, methods
    client = server.client(**more)
    server.secret = "another"
    with pytest.raises(ProviderError) as caught:
        client.refresh(TOKEN)
    assert caught.value.error == "invalid_client"
    assert len(server.requests) == 1


def test_the_method_is_an_argument_of_login(server: AuthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """``token_endpoint_auth_method=``, in the words of RFC 7591 section 2; another word is a ValueError at once."""
    monkeypatch.setenv("AUTHNB_CLIENT_SECRET", server.secret)
    login = authnb.login(
        server.client().provider,
        client_id=server.client_id,
        mode="client_credentials",
        view=None,
        token_endpoint_auth_method="client_secret_post",
    )
    assert login.wait(20).token["access_token"] == "at"
    assert "Authorization" not in server.requests[0].headers
    with pytest.raises(ValueError, match="client_secret_basic"):
        authnb.login(server.url, client_id="c", token_endpoint_auth_method="client_secret_jwt")


def test_both_methods_refused(server: AuthServer) -> None:
    """The second refusal is final."""
    server.secret = "s+crët"
    client = server.client()
    server.secret = "another"
    with pytest.raises(ProviderError) as caught:
        client.refresh(TOKEN)
    assert caught.value.error == "invalid_client"
    assert len(server.requests) == 2
