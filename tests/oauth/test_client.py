"""Token, userinfo and revocation requests of the client."""

from __future__ import annotations

import threading
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from provider import CLIENT, REFRESH_TOKEN, Scenario, as_json
from provider import Server as HostileServer
from servers import Server

from authnb.errors import InvalidToken, ProviderError
from authnb.oauth.client import Client
from authnb.oauth.provider import Provider
from authnb.oauth.quirks import Quirks
from authnb.oauth.responses import AuthorizationResponse, Token

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def scenario() -> Iterator[Scenario]:
    with HostileServer() as server:
        yield server.scenario("one")


def client(scenario: Scenario, **more: Any) -> Client:
    return Client(Provider.discover(scenario.issuer), client_id=CLIENT, **more)


OLD = Token(
    {"access_token": "old", "refresh_token": REFRESH_TOKEN, "scope": "openid x", "userinfo": {"sub": "ada"}}
)


def test_a_renewal_carries_over_omitted_members(scenario: Scenario) -> None:
    scenario.claims.update(nonce=None)
    scenario.token.update(refresh_token=None)
    new = client(scenario).refresh(OLD)
    assert (new["refresh_token"], new["scope"], new["userinfo"]["sub"]) == (REFRESH_TOKEN, "openid x", "ada")


def test_a_renewal_cannot_change_who_is_signed_in(scenario: Scenario) -> None:
    """OpenID Connect Core section 12.2."""
    scenario.claims.update(nonce=None, sub="mallory")
    with pytest.raises(InvalidToken):
        client(scenario).refresh(OLD)


@pytest.mark.parametrize("changed", [{"iss": "https://evil.example"}, {"aud": "other"}, {"exp": 1}])
def test_a_renewed_id_token_that_fails_verification_changes_no_claims(
    scenario: Scenario, changed: dict[str, Any]
) -> None:
    """The new refresh token is kept, for the old one may be used up; the claims stay those of the sign-in."""
    scenario.claims.update(nonce=None, **changed)
    with pytest.warns(UserWarning, match="cannot be accepted"):
        new = client(scenario).refresh(OLD)
    assert new["userinfo"] == OLD["userinfo"]
    assert new["access_token"] != OLD["access_token"]


def test_the_jwks_is_fetched_before_a_renewal() -> None:
    """A process killed between renewal and storing loses its refresh token: no fetch may come between."""
    with Server() as server:
        server.json("/jwks", {"keys": []})
        server.json("/token", {"access_token": "new", "refresh_token": "next"})
        provider = Provider(server.url, token_endpoint=server.url + "/token", jwks_uri=server.url + "/jwks")
        Client(provider, client_id=CLIENT).refresh(Token({**OLD, "id_token": "old"}))
        assert server.paths() == ["/jwks", "/token"]


def test_userinfo_of_another_subject_is_refused(scenario: Scenario) -> None:
    """OpenID Connect Core section 5.3.2."""
    with Server() as other:
        other.json("/userinfo", {"sub": "mallory", "name": "Mallory"})
        provider = Provider(scenario.issuer, userinfo_endpoint=other.url + "/userinfo")
        with pytest.raises(InvalidToken):
            Client(provider, client_id=CLIENT).userinfo(OLD)
        other.json("/userinfo", {"sub": "ada", "name": "Ada"})
        assert Client(provider, client_id=CLIENT).userinfo(OLD)["name"] == "Ada"


def test_userinfo_without_a_subject_is_not_used(scenario: Scenario) -> None:
    """OpenID Connect Core section 5.3.2: its claims must not be used; the ID token says who signed in."""
    scenario.overrides["userinfo"] = lambda: as_json({"name": "Mallory"})
    scenario.claims.update(nonce=None)
    ours = client(scenario)
    token = ours.complete({**scenario.token, "id_token": scenario.signed()}, None)
    assert (token["userinfo"]["sub"], "name" in token["userinfo"]) == ("ada", False)
    with pytest.raises(ProviderError, match="names no subject"):
        ours.userinfo(token)


def test_a_numeric_subject_is_the_same_in_userinfo(scenario: Scenario) -> None:
    scenario.overrides["userinfo"] = lambda: as_json({"sub": 42, "name": "Ada"})
    scenario.claims.update(nonce=None, sub=42)
    token = client(scenario).complete({**scenario.token, "id_token": scenario.signed()}, None)
    assert (token["userinfo"]["sub"], token["userinfo"]["name"]) == ("42", "Ada")


@pytest.mark.parametrize("changed", [{"nonce": "another"}, {"iss": "https://elsewhere.example"}])
def test_an_id_token_that_nobody_asked_for_is_verified_too(
    scenario: Scenario, changed: dict[str, str]
) -> None:
    answer = {**scenario.token, "id_token": scenario.signed()}
    scenario.claims = {"nonce": "n"}
    token = client(scenario, scope="read").complete({**answer, "id_token": scenario.signed()}, "n")
    assert token["userinfo"]["sub"] == "ada"
    scenario.claims.update(changed)
    with pytest.raises(InvalidToken):
        client(scenario, scope="read").complete({**answer, "id_token": scenario.signed()}, "n")


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_date_header_that_is_wrong(scenario: Scenario, hours: int) -> None:
    """As of a gateway: an ID token that is valid by this machine's clock is accepted; one valid by neither is not."""
    scenario.claims.update(nonce=None)
    ours = client(scenario)
    ours.provider.clock.synchronize(formatdate(time.time() + hours * 3600, usegmt=True))
    assert ours.complete({**scenario.token, "id_token": scenario.signed()}, None)["userinfo"]["sub"] == "ada"
    scenario.claims.update(iat=lambda now: now - 9000, exp=lambda now: now - 8000)
    with pytest.raises(InvalidToken):
        ours.complete({**scenario.token, "id_token": scenario.signed()}, None)


def test_userinfo_replaces_no_claim_of_the_id_token(scenario: Scenario) -> None:
    """It adds those that the ID token lacks: the ID token is signed, the userinfo response need not be."""
    with Server() as other:
        other.json("/userinfo", {"sub": "ada", "email": "mallory@example.org", "name": "Ada"})
        provider = Provider(scenario.issuer, userinfo_endpoint=other.url + "/userinfo")
        verified = Token(
            {**OLD, "scope": "openid profile", "userinfo": {"sub": "ada", "email": "ada@example.org"}}
        )
        completed = Client(provider, client_id=CLIENT).complete(verified, None)
    assert completed["userinfo"] == {"sub": "ada", "email": "ada@example.org", "name": "Ada"}


@pytest.mark.parametrize(
    ("secret", "supported", "in_header", "in_body"),
    [
        (None, ("none",), False, False),
        ("s", (), True, False),
        ("s", ("client_secret_basic", "client_secret_post"), True, False),
        ("s", ("client_secret_post",), False, True),
    ],
)
def test_client_authentication_methods(
    secret: str | None,
    supported: tuple[str, ...],
    in_header: bool,
    in_body: bool,
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
        assert "scope" not in body, "RFC 6749 section 6: as granted before"


def test_a_revocation_error_quotes_the_provider(scenario: Scenario) -> None:
    with Server() as server:
        provider = Provider(scenario.issuer, revocation_endpoint=server.url + "/revoke")
        one = Client(provider, client_id=CLIENT)
        server.json("/revoke", {})
        one.revoke("t-SECRET", "refresh_token")
        server.json("/revoke", {"error": "invalid_client", "error_description": "no t-SECRET for you"}, 401)
        with pytest.raises(ProviderError) as caught:
            one.revoke("t-SECRET", "refresh_token")
        assert "t-SECRET" not in str(caught.value)


def test_a_token_that_cannot_be_revoked(scenario: Scenario) -> None:
    """RFC 7009 section 2.2.1: as JSON Web Tokens at some providers."""
    scenario.metadata["revocation_endpoint"] = f"{scenario.issuer}/revoke"
    scenario.overrides["revoke"] = lambda: as_json({"error": "unsupported_token_type"}, 400)
    with pytest.raises(ProviderError, match="That token ends when it expires"):
        client(scenario).revoke("at", "access_token")


def test_the_lifetime_counts_from_the_request() -> None:
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


@pytest.mark.parametrize(
    ("scope", "has_nonce"),
    [("openid", True), ("email openid", True), ("measurements:read", False), ("openid2", False), ("", False)],
)
def test_a_nonce_goes_with_the_scope_openid(scope: str, has_nonce: bool) -> None:
    """OpenID Connect Core section 3.1.2.1; oidc-provider refuses one without, and PKCE protects the code there."""
    provider = Provider("https://id.example.org", authorization_endpoint="https://id.example.org/authorize")
    request = Client(provider, client_id="c", scope=scope).authorization_request(
        "http://127.0.0.1:1/callback"
    )
    sent = parse_qs(urlsplit(request.uri).query)
    assert sent.get("nonce") == ([request.nonce] if has_nonce else None)
    assert (request.nonce is not None) == has_nonce
    assert sent["code_challenge_method"] == ["S256"]


def test_resource_goes_with_authorization_and_token_requests() -> None:
    """RFC 8707 section 2; ``audience``, which no RFC has, only where a token is first requested."""
    with Server() as server:
        device = {"device_code": "dc", "user_code": "AB", "verification_uri": "https://id.example.org/d"}
        server.json("/device", device)
        server.json("/token", {"access_token": "at"})
        quirks = Quirks(resource="https://api.example.org/", audience="api")
        names = {"authorization": "authorize", "token": "token", "device_authorization": "device"}
        endpoints = {f"{name}_endpoint": f"{server.url}/{path}" for name, path in names.items()}
        one = Client(Provider(server.url, quirks=quirks, **endpoints), client_id="c", scope="x")
        request = one.authorization_request("http://127.0.0.1:1/callback")
        response = AuthorizationResponse.parse(f"code=c&state={request.state}", request.state)
        assert response is not None
        one.redeem_code(response, request)
        one.redeem_device_code(one.authorize_device())
        one.refresh(OLD)
        sent = [
            parse_qs(urlsplit(request.uri).query),
            *(parse_qs(each.body.decode()) for each in server.requests),
        ]
        assert [each.get("resource") for each in sent] == [["https://api.example.org/"]] * 5
        assert [each.get("audience") for each in sent] == [["api"], None, ["api"], None, None]


@pytest.mark.parametrize(
    "send",
    [
        lambda client: client.client_credentials_token(),
        lambda client: client.refresh({"refresh_token": "refresh-token-1"}),
        lambda client: client.revoke("access-token-1", "access_token"),
        lambda client: client.authorize_device(),
    ],
    ids=("client_credentials", "refresh", "revoke", "device"),
)
def test_a_client_secret_that_the_provider_repeats_is_not_shown(send: Any) -> None:
    secret = "planted/client+secret"
    with Server() as server:
        said = f"The client c with the secret {secret} is unknown"
        server.json("/", {"error": "invalid_client", "error_description": said}, 401)
        names = ("token_endpoint", "revocation_endpoint", "device_authorization_endpoint")
        provider = Provider(server.url, **dict.fromkeys(names, f"{server.url}/"))
        with pytest.raises(ProviderError, match="The client c with the secret … is unknown"):
            send(Client(provider, client_id="c", client_secret=secret))
