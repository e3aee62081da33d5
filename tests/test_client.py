"""What the client asks of a provider, and what it believes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from provider import CLIENT, REFRESH_TOKEN, Play
from provider import Server as Mischief
from servers import Server

from authnb.answers import Token
from authnb.client import Client
from authnb.errors import InvalidToken, ProviderError
from authnb.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def play() -> Iterator[Play]:
    with Mischief() as server:
        yield server.play("one")


def client(play: Play, **more: Any) -> Client:
    return Client(Provider.discover(play.issuer), client_id=CLIENT, **more)


OLD = Token(
    {"access_token": "old", "refresh_token": REFRESH_TOKEN, "scope": "openid x", "userinfo": {"sub": "ada"}}
)


def test_a_renewal_keeps_what_the_answer_leaves_out(play: Play) -> None:
    play.claims.update(nonce=None)
    play.token.update(refresh_token=None)
    new = client(play).refresh(OLD)
    assert (new["refresh_token"], new["scope"], new["userinfo"]["sub"]) == (REFRESH_TOKEN, "openid x", "ada")


@pytest.mark.parametrize("changed", [{"sub": "mallory"}, {"iss": "https://evil.example"}, {"aud": "other"}])
def test_a_renewal_cannot_change_who_is_signed_in(play: Play, changed: dict[str, str]) -> None:
    """OpenID Connect Core section 12.2."""
    play.claims.update(nonce=None, **changed)
    with pytest.raises(InvalidToken):
        client(play).refresh(OLD)


def test_nothing_slow_comes_between_a_renewal_and_its_storing() -> None:
    """A process that is killed there has used up its refresh token: the keys are fetched before."""
    with Server() as server:
        server.json("/jwks", {"keys": []})
        server.json("/token", {"access_token": "new", "refresh_token": "next"})
        provider = Provider(server.url, token_endpoint=server.url + "/token", jwks_uri=server.url + "/jwks")
        Client(provider, client_id=CLIENT).refresh(Token({**OLD, "id_token": "old"}))
        assert server.paths() == ["/jwks", "/token"]


def test_userinfo_of_another_person_is_refused(play: Play) -> None:
    """OpenID Connect Core section 5.3.2."""
    with Server() as other:
        other.json("/userinfo", {"sub": "mallory", "name": "Mallory"})
        provider = Provider(play.issuer, userinfo_endpoint=other.url + "/userinfo")
        with pytest.raises(InvalidToken):
            Client(provider, client_id=CLIENT).userinfo(OLD)
        other.json("/userinfo", {"sub": "ada", "name": "Ada"})
        assert Client(provider, client_id=CLIENT).userinfo(OLD)["name"] == "Ada"


@pytest.mark.parametrize(
    ("secret", "supported", "in_header", "in_body"),
    [
        (None, ("none",), False, False),
        ("s", (), True, False),
        ("s", ("client_secret_basic", "client_secret_post"), True, False),
        ("s", ("client_secret_post",), False, True),
    ],
)
def test_how_the_client_shows_who_it_is(
    secret: str | None,
    supported: tuple[str, ...],
    in_header: bool,  # noqa: FBT001
    in_body: bool,  # noqa: FBT001
) -> None:
    """RFC 6749 section 2.3.1; the secret goes one way, never both."""
    with Server() as server:
        server.json("/token", {"access_token": "at"})
        provider = Provider(
            server.url, token_endpoint=server.url + "/token", token_endpoint_auth_methods_supported=supported
        )
        Client(provider, client_id="c", client_secret=secret, scope="x").refresh(OLD)
        (request,) = server.requests
        body = parse_qs(request.body.decode())
        assert ("Authorization" in request.headers) == in_header
        assert ("client_secret" in body) == in_body
        assert body.get("client_id") == (None if in_header else ["c"])
        assert body["scope"] == ["openid x"], "the scope that was granted"


def test_revocation_says_what_the_provider_said(play: Play) -> None:
    with Server() as server:
        provider = Provider(play.issuer, revocation_endpoint=server.url + "/revoke")
        one = Client(provider, client_id=CLIENT)
        server.json("/revoke", {})
        one.revoke("t-SECRET", "refresh_token")
        server.json("/revoke", {"error": "invalid_client", "error_description": "no t-SECRET for you"}, 401)
        with pytest.raises(ProviderError) as caught:
            one.revoke("t-SECRET", "refresh_token")
        assert "t-SECRET" not in str(caught.value)


def test_a_slow_answer_does_not_make_a_token_live_longer() -> None:
    """Its life began at the provider, while the answer was still on its way."""
    asked: list[float] = []

    def route(_: object) -> tuple[int, dict[str, str], bytes]:
        asked.append(time.time())
        threading.Event().wait(1.2)
        return 200, {"Content-Type": "application/json"}, b'{"access_token": "at", "expires_in": 20}'

    with Server() as server:
        server.routes["/token"] = route
        provider = Provider(server.url, token_endpoint=server.url + "/token")
        token = Client(provider, client_id="c", scope="x").refresh(OLD)
    assert token["expires_at"] <= asked[0] + 20
