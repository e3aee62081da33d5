"""Proofs of possession (RFC 9449): what is in one, how many are sent, and what a response says of them."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from servers import Server

from authnb import Client, Provider
from authnb.errors import AuthnbError, ProviderError
from authnb.oauth.challenge import proof_error
from authnb.oauth.dpop import DPoPKey
from authnb.oauth.responses import AuthorizationResponse, DeviceAuthorization, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import Request

A, B = "https://a.example/token", "https://b.example/token"


def claims(proof: str) -> dict[str, Any]:
    """What a proof says."""
    decoded: dict[str, Any] = json.loads(urlsafe_b64decode(proof.split(".")[1] + "=="))
    return decoded


def nonce(key: DPoPKey, url: str, *, is_api: bool) -> str | None:
    """The nonce in a proof for this server."""
    return claims(key.proof("GET", url, 0, access_token="at" if is_api else None)).get("nonce")


def test_a_nonce_is_for_its_server_alone() -> None:
    """A provider and an API at one origin are two servers (RFC 9449 section 9); so are two ports."""
    key = DPoPKey.generate()
    key.keep_nonce(A, "n", is_api=False)
    assert nonce(key, A, is_api=False) == "n"
    assert nonce(key, "https://A.example/elsewhere?x", is_api=False) == "n"
    assert nonce(key, A, is_api=True) is None
    for other in (B, "https://a.example:8443/token", "http://a.example/token"):
        assert nonce(key, other, is_api=False) is None


def test_the_nonces_of_many_servers_are_not_kept_for_ever() -> None:
    key = DPoPKey.generate()
    for number in range(1000):
        key.keep_nonce(f"https://a{number}.example/", "n", is_api=True)
    assert nonce(key, "https://a999.example/", is_api=True) == "n"
    kept = [number for number in range(900, 1000) if nonce(key, f"https://a{number}.example/", is_api=True)]
    assert 1 <= len(kept) <= 64


def test_a_proof_names_no_query_and_no_person() -> None:
    said = claims(DPoPKey.generate().proof("get", "https://ada:pw@A.example?code=SECRET#x", 7.9))
    assert said["htu"] == "https://a.example/"
    assert (said["htm"], said["iat"]) == ("GET", 7)
    assert "ath" not in said


@pytest.mark.parametrize(
    ("status", "header", "error"),
    [
        (401, 'DPoP error="use_dpop_nonce"', "use_dpop_nonce"),
        (401, 'Bearer, dpop algs="ES256", Error="invalid_dpop_proof"', "invalid_dpop_proof"),
        (403, 'DPoP error="use_dpop_nonce"', None),
        (200, 'DPoP error="use_dpop_nonce"', None),
        (401, 'Bearer error="use_dpop_nonce", realm="DPoP"', None),
        (401, 'DPoP error="invalid_token"', None),
        (401, 'DPoP error="Use_DPoP_Nonce"', None),
        (401, "DPoP use_dpop_nonce", None),
        (401, 'Basic realm="DPoP error=use_dpop_nonce"', None),
        (401, None, None),
        (401, "DPoP" + " " * 10_000 + 'error="use_dpop_nonce"', None),
    ],
)
def test_what_refuses_a_proof(status: int, header: str | None, error: str | None) -> None:
    assert proof_error(status, header) == error


# How many requests


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def client_at(server: Server, **options: Any) -> Client:
    """A client whose tokens must be bound."""
    endpoints = {f"{name}_endpoint": f"{server.url}/{name}" for name in ("token", "userinfo")}
    provider = Provider(server.url, **endpoints)
    return Client(provider, client_id="c", dpop=True, dpop_key=DPoPKey.generate(), **options)


def answers(error: str) -> Callable[[Request], tuple[int, dict[str, str], bytes]]:
    """Refuse each proof with a new nonce."""
    numbers = count()
    body = json.dumps({"error": error}).encode()
    challenge = {"WWW-Authenticate": f'DPoP error="{error}"'}
    return lambda request: (
        400 if request.method == "POST" else 401,
        {"Content-Type": "application/json", "DPoP-Nonce": f"n{next(numbers)}", **challenge},
        body,
    )


def test_a_provider_that_always_wants_another_nonce_is_asked_three_times(server: Server) -> None:
    """By the token endpoint and by userinfo, each time with the nonce that it gave last."""
    server.routes |= {"/token": answers("use_dpop_nonce"), "/userinfo": answers("use_dpop_nonce")}
    client = client_at(server)
    with pytest.raises(ProviderError) as raised:
        client.client_credentials_token()
    assert raised.value.error == "use_dpop_nonce"
    with pytest.raises(ProviderError):
        client.userinfo(Token({"access_token": "at", "dpop_key": client.dpop_key}))
    proofs = [claims(request.headers["DPoP"]) for request in server.requests]
    assert server.paths() == ["/token"] * 3 + ["/userinfo"] * 3
    assert [proof.get("nonce") for proof in proofs] == [None, "n0", "n1"] * 2
    assert [("ath" in proof) for proof in proofs] == [False] * 3 + [True] * 3
    assert len({proof["jti"] for proof in proofs}) == 6


def test_a_refused_proof_is_made_again_only_if_the_clock_was_wrong(server: Server) -> None:
    """Which the Date header says; three times at most, whatever it says."""
    server.routes["/token"] = answers("invalid_dpop_proof")
    with pytest.raises(ProviderError, match="clock is wrong"):
        client_at(server).client_credentials_token()
    assert len(server.requests) == 1

    def never_the_same(request: Request) -> tuple[int, dict[str, str], bytes]:
        server.clock_offset += 5000
        return answers("invalid_dpop_proof")(request)

    server.routes["/token"] = never_the_same
    server.requests.clear()
    with pytest.raises(ProviderError, match="clock is wrong"):
        client_at(server).client_credentials_token()
    assert len(server.requests) == 3


# Tokens that must be bound

DEVICE = DeviceAuthorization(
    device_code="d",
    user_code="u",
    verification_uri="https://a.example",
    verification_uri_complete=None,
    expires_in=60,
    interval=5,
)
CALLBACK = AuthorizationResponse(code="c", error=None, error_description=None, iss=None)
GRANTS: dict[str, Callable[[Client], object]] = {
    "code": lambda c: c.redeem_code(CALLBACK, c.authorization_request("http://127.0.0.1/x", endpoint=A)),
    "device code": lambda c: c.redeem_device_code(DEVICE),
    "client credentials": lambda c: c.client_credentials_token(),
    "refresh token": lambda c: c.refresh(
        {"refresh_token": "rt", "access_token": "a", "dpop_key": c.dpop_key}
    ),
    "exchange": lambda c: c.exchange({"access_token": "at", "dpop_key": c.dpop_key}, resource=A),
}


@pytest.mark.parametrize("grant", GRANTS)
def test_a_bearer_token_is_refused_for_each_grant(server: Server, grant: str) -> None:
    server.json("/token", {"access_token": "at-SECRET", "token_type": "Bearer"})
    with pytest.raises(ProviderError, match="works for anybody who holds it") as raised:
        GRANTS[grant](client_at(server, scope="a"))
    assert raised.value.error == "unsupported_token_type"
    assert "SECRET" not in str(raised.value)
    assert "DPoP" in server.requests[-1].headers


@pytest.mark.parametrize("grant", [grant for grant in GRANTS if grant != "refresh token"])
def test_a_bearer_token_is_told_of_where_none_was_demanded(server: Server, grant: str) -> None:
    server.json("/token", {"access_token": "at", "token_type": "Bearer"})
    with pytest.warns(UserWarning, match="gave one that is not"):
        token: Any = GRANTS[grant](replace(client_at(server, scope="a"), dpop=None))
    assert (token["token_type"], "dpop_key" in token) == ("Bearer", False)


@pytest.mark.parametrize("grant", GRANTS)
def test_a_bound_token_is_accepted_for_each_grant(server: Server, grant: str) -> None:
    server.json("/token", {"access_token": "at", "token_type": "DPoP"})
    client = client_at(server, scope="a")
    token: Any = GRANTS[grant](client)
    assert (token["token_type"], token["dpop_key"]) == ("DPoP", client.dpop_key)


def test_a_client_without_a_key_takes_no_bound_token(server: Server) -> None:
    server.json("/token", {"access_token": "at", "token_type": "DPoP"})
    client = Client(Provider(server.url, token_endpoint=f"{server.url}/token"), client_id="c", scope="a")
    with pytest.raises(AuthnbError, match="dpop=True"):
        client.client_credentials_token()


def test_a_response_names_no_key(server: Server) -> None:
    """Only authnb writes that member."""
    theirs = DPoPKey.generate().as_jwk()
    server.json("/token", {"access_token": "at", "token_type": "Bearer", "dpop_key": theirs})
    client = Client(Provider(server.url, token_endpoint=f"{server.url}/token"), client_id="c", scope="a")
    assert "dpop_key" not in client.client_credentials_token()
