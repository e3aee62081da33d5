"""The providers of the FAPI tests refuse what they must, so that a sign-in there says something of its client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from fapi import REDIRECT_URI, Fapi, Place, new_key, running
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

VERIFIER = "a-verifier-of-forty-three-characters-or-more"


@pytest.fixture(scope="module")
def fapi() -> Iterator[Fapi]:
    with running() as both:
        yield both


@pytest.fixture(params=["bank", "bank_rsa", "open"])
def place(request: pytest.FixtureRequest, fapi: Fapi) -> Place:
    chosen: Place = getattr(fapi, request.param)
    return chosen


def redeemed(place: Place, key: Any, **changes: Any) -> requests.Response:
    answer = place.code(key, VERIFIER)
    assert answer["iss"] == place.issuer
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }
    return place.post("/token", key, form, **changes)


def test_the_bank_says_what_it_demands(fapi: Fapi) -> None:
    """FAPI 2.0 Security Profile, sections 5.3.2.1 and 5.3.2.2."""
    metadata = fapi.bank.metadata()
    assert metadata["require_pushed_authorization_requests"] is True
    assert metadata["pushed_authorization_request_endpoint"]
    assert metadata["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert metadata["token_endpoint_auth_signing_alg_values_supported"] == ["ES256", "PS256"]
    assert metadata["id_token_signing_alg_values_supported"] == ["ES256", "PS256"]
    assert metadata["dpop_signing_alg_values_supported"] == ["ES256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["response_types_supported"] == ["code"]
    alone = fapi.open.metadata()
    assert "pushed_authorization_request_endpoint" not in alone
    assert alone["dpop_signing_alg_values_supported"] == ["ES256"]
    assert alone["token_endpoint_auth_methods_supported"] == ["none"]


def test_a_client_that_does_all_of_it(place: Place) -> None:
    """Sign-in, a call, a renewal with the same refresh token, and a call with the new token; each call with a proof."""
    key = new_key("ES256")
    before = len(place.told()["calls"])
    token = redeemed(place, key).json()
    assert token["token_type"] == "DPoP"
    assert place.call(token["access_token"], key).json()
    form = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"]}
    renewed = place.post("/token", key, form).json()
    assert renewed["token_type"] == "DPoP"
    assert renewed["refresh_token"] == token["refresh_token"], "bound, and so not rotated"
    assert place.call(renewed["access_token"], key).json()
    assert len(set(place.told()["calls"][before:])) == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"key": None}, "0 proofs"),
        ({"key": new_key("ES256")}, "another's key"),
        ({"scheme": "Bearer"}, "a bound token as Bearer"),
        ({"key": None, "scheme": "Bearer"}, "a bound token as Bearer"),
        ({"htm": "POST"}, "for POST"),
        ({"htu": "https://elsewhere.example/"}, "for https://elsewhere.example/"),
        ({"ath": "AAAA"}, "for another token"),
        ({"ath": None}, "for another token"),
        ({"iat": 1}, "of 1"),
        ({"nonce": None}, "no nonce"),
        ({"nonce": "of yesterday"}, "another nonce"),
    ],
)
def test_the_api_refuses(fapi: Fapi, token: tuple[str, Any], changes: dict[str, Any], why: str) -> None:
    """RFC 9449 section 4.3, and the token as a bearer token (section 7.2)."""
    access_token, key = token
    answer = fapi.open.call(access_token, **{"key": key, **changes})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("DPoP error=")
    assert why in fapi.open.told()["refused"][-1]


@pytest.fixture(scope="module")
def token(fapi: Fapi) -> tuple[str, Any]:
    key = new_key("ES256")
    return redeemed(fapi.open, key).json()["access_token"], key


def test_a_replay_is_refused(fapi: Fapi, token: tuple[str, Any]) -> None:
    access_token, key = token
    assert fapi.open.call(access_token, key, jti="the same").ok
    assert fapi.open.call(access_token, key, jti="the same").status_code == 401
    assert fapi.open.told()["refused"][-1] == "invalid_dpop_proof: a replay"


def test_a_token_that_has_expired_is_refused(fapi: Fapi) -> None:
    key = new_key("ES256")
    fapi.open.set(lifetime=1)
    try:
        expired = redeemed(fapi.open, key).json()["access_token"]
    finally:
        fapi.open.set(lifetime=3600)
    wait_for(lambda: fapi.open.call(expired, key).status_code == 401, "the end of a token of one second")
    assert "expired" in fapi.open.told()["refused"][-1]


@pytest.mark.parametrize(
    ("changes", "assertion", "error"),
    [
        ({"code_challenge_method": "plain"}, {}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, {}, "invalid_request"),
        ({"redirect_uri": None}, {}, "invalid_request"),
        ({"response_type": "code id_token"}, {}, "unsupported_response_type"),
        ({}, None, "invalid_client"),
        ({}, {"aud": "https://elsewhere.example"}, "invalid_client"),
        ({}, {"aud": "{issuer}/token"}, "invalid_client"),
        ({}, {"exp": 1}, "invalid_client"),
    ],
)
def test_the_bank_refuses_a_pushed_request(
    fapi: Fapi, changes: dict[str, Any], assertion: dict[str, Any] | None, error: str
) -> None:
    """FAPI 2.0 Security Profile, sections 5.3.2.1 (8) and 5.3.2.2 (1, 4, 5, 6)."""
    key = new_key("ES256")
    form = fapi.bank.pushed(key, VERIFIER, **changes)
    said: dict[str, str] = {}
    if assertion is not None:
        named = {
            name: value.format(issuer=fapi.bank.issuer) if isinstance(value, str) else value
            for name, value in assertion.items()
        }
        said = fapi.bank.assertion(**named)
    answer = fapi.bank.post("/request", key, form, assertion=said)
    assert answer.json()["error"] == error, answer.text


def test_the_bank_refuses_what_was_not_pushed(fapi: Fapi) -> None:
    """FAPI 2.0 Security Profile, section 5.3.2.2 (3)."""
    request = fapi.bank.pushed(new_key("ES256"), VERIFIER)
    answer = requests.get(f"{fapi.bank.issuer}/auth", request, allow_redirects=False, timeout=20)
    assert "error=invalid_request" in answer.headers.get("Location", ""), answer.text


@pytest.mark.parametrize("place", ["bank", "open"], indirect=True)
def test_a_stolen_code_or_refresh_token(place: Place) -> None:
    """A code is bound to the key by dpop_jkt; a refresh token to the key of a public client, or to the client's own."""
    key, thief = new_key("ES256"), new_key("ES256")
    answer = place.code(key, VERIFIER)
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }
    assert place.post("/token", thief, form).json()["error"] == "invalid_grant"
    token = redeemed(place, key).json()
    form = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"]}
    name_alone = {"client_id": place.client_id}
    expected = "invalid_grant" if place.key is None else "invalid_client"
    assert place.post("/token", thief, form, assertion=name_alone).json()["error"] == expected
