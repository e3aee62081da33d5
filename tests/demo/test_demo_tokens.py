"""The token and revocation endpoints."""

from __future__ import annotations

from collections import Counter

import pytest
import requests
from demo_helpers import (
    CALLBACK,
    Clock,
    Window,
    allow,
    api_status,
    ask,
    at_once,
    get_tokens,
    redeem,
    refresh,
    signed_in_window,
    token_request,
    web_post,
)
from joserfc import jwt
from joserfc.jwk import KeySet

from authnb.demo import DemoProvider


def outcomes(answers: list[requests.Response]) -> Counter[tuple[int, str]]:
    return Counter((answer.status_code, answer.json().get("error", "ok")) for answer in answers)


def test_a_code_used_by_eight_at_once_gives_tokens_to_one(demo: DemoProvider) -> None:
    """RFC 6749 section 4.1.2: a code is used once, and no answer is a 500."""
    asked = ask(demo)
    code = allow(signed_in_window(demo), asked)["code"]
    answers = at_once(lambda: redeem(demo, asked, code))
    assert outcomes(answers) == {(200, "ok"): 1, (400, "invalid_grant"): 7}


def test_a_code_that_comes_again_ends_its_tokens(demo: DemoProvider) -> None:
    """RFC 6749 section 4.1.2: the tokens of a code used twice are revoked."""
    asked = ask(demo)
    code = allow(signed_in_window(demo), asked)["code"]
    tokens = redeem(demo, asked, code).json()
    assert api_status(demo, tokens["access_token"]) == 200
    assert redeem(demo, asked, code).json()["error"] == "invalid_grant"
    assert api_status(demo, tokens["access_token"]) == 401
    assert refresh(demo, tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_failed_use_does_not_spend_the_code(demo: DemoProvider) -> None:
    """A mistake in the other parameters is told, and the right request still works."""
    asked = ask(demo)
    code = allow(signed_in_window(demo), asked)["code"]
    assert redeem(demo, asked, code, code_verifier="x" * 43).json()["error"] == "invalid_grant"
    assert redeem(demo, asked, code, redirect_uri=CALLBACK + "/").json()["error"] == "invalid_grant"
    assert redeem(demo, asked, code, code_verifier=None).json()["error"] == "invalid_request"
    assert redeem(demo, asked, code).status_code == 200


def test_a_code_belongs_to_its_client_and_ends_after_a_minute(demo: DemoProvider, clock: Clock) -> None:
    window, asked = signed_in_window(demo), ask(demo)
    code = allow(window, asked)["code"]
    stolen = web_post(
        demo,
        "/token",
        grant_type="authorization_code",
        code=code,
        code_verifier=asked.verifier,
        redirect_uri=CALLBACK,
    )
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    clock.turn(61)
    assert redeem(demo, asked, code).json()["error"] == "invalid_grant"


def test_a_refresh_token_used_by_eight_at_once_succeeds_once(demo: DemoProvider) -> None:
    """One gets tokens; the seven others show that the token leaked, so the family ends."""
    old = get_tokens(demo)
    answers = at_once(lambda: refresh(demo, old["refresh_token"]))
    assert outcomes(answers) == {(200, "ok"): 1, (400, "invalid_grant"): 7}
    new = next(answer.json() for answer in answers if answer.ok)
    assert refresh(demo, new["refresh_token"]).json()["error"] == "invalid_grant"
    assert api_status(demo, new["access_token"]) == 401


def test_a_used_refresh_token_revokes_its_family_only(demo: DemoProvider) -> None:
    """RFC 9700 section 4.14.2."""
    first, other = get_tokens(demo), get_tokens(demo)
    second = refresh(demo, first["refresh_token"]).json()
    third = refresh(demo, second["refresh_token"]).json()
    assert len({first["refresh_token"], second["refresh_token"], third["refresh_token"]}) == 3
    assert refresh(demo, first["refresh_token"]).json()["error"] == "invalid_grant"
    assert refresh(demo, third["refresh_token"]).json()["error"] == "invalid_grant"
    assert api_status(demo, third["access_token"]) == 401
    assert api_status(demo, other["access_token"]) == 200


def test_a_refresh_may_narrow_the_scope_but_not_widen_it(demo: DemoProvider) -> None:
    """RFC 6749 section 6; the new refresh token keeps the whole scope, and a refused wish spends nothing."""
    tokens = get_tokens(demo, scope="openid measurements:read")
    wider = refresh(demo, tokens["refresh_token"], scope="openid email")
    assert wider.json()["error"] == "invalid_scope"
    narrow = refresh(demo, tokens["refresh_token"], scope="openid").json()
    assert narrow["scope"] == "openid"
    assert api_status(demo, narrow["access_token"]) == 403
    assert refresh(demo, narrow["refresh_token"]).json()["scope"] == "openid measurements:read"


def test_tokens_end_in_time(demo: DemoProvider, clock: Clock) -> None:
    tokens = get_tokens(demo)
    assert tokens["expires_in"] == 3600
    clock.turn(3599)
    assert api_status(demo, tokens["access_token"]) == 200
    clock.turn(2)
    assert api_status(demo, tokens["access_token"]) == 401
    clock.turn(31 * 24 * 3600)
    assert refresh(demo, tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_lifetimes_can_be_chosen() -> None:
    with DemoProvider(access_token_lifetime=90) as demo:
        assert get_tokens(demo)["expires_in"] == 90


def test_an_id_token_says_who_for_whom_and_when(demo: DemoProvider, clock: Clock) -> None:
    """OpenID Connect Core 1.0 sections 2 and 12.2: auth_time stays at a refresh, the nonce goes."""
    tokens = get_tokens(demo)
    keys = KeySet.import_key_set(requests.get(f"{demo.issuer}/jwks", timeout=20).json())
    first = jwt.decode(tokens["id_token"], keys, ["RS256"])
    assert first.header["kid"] == keys.keys[0].kid
    claims = first.claims
    assert claims == {
        "iss": demo.issuer,
        "aud": "notebook",
        "sub": claims["sub"],
        "iat": int(clock()),
        "exp": int(clock()) + 3600,
        "auth_time": int(clock()),
        "nonce": "some nonce",
        "at_hash": claims["at_hash"],
        "name": "ada",
        "preferred_username": "ada",
        "email": "ada@example.org",
        "email_verified": False,
        "acr": "urn:authnb:demo:password",
    }
    started = int(clock())
    clock.turn(100)
    later = refresh(demo, tokens["refresh_token"]).json()
    claims = jwt.decode(later["id_token"], keys, ["RS256"]).claims
    assert (claims["iat"], claims["auth_time"]) == (started + 100, started)
    assert "nonce" not in claims


def test_claims_follow_the_scope(demo: DemoProvider) -> None:
    tokens = get_tokens(demo, scope="openid")
    userinfo = requests.get(
        f"{demo.issuer}/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"}, timeout=20
    )
    assert list(userinfo.json()) == ["sub"]
    plain = get_tokens(demo, "bob", scope="measurements:read")
    assert "id_token" not in plain
    refused = requests.get(
        f"{demo.issuer}/userinfo", headers={"Authorization": f"Bearer {plain['access_token']}"}, timeout=20
    )
    assert refused.status_code == 403


def test_a_public_client_may_revoke_and_a_refresh_token_takes_its_family(demo: DemoProvider) -> None:
    """RFC 7009 section 2.1, whatever the hint says."""
    tokens = get_tokens(demo)
    newer = refresh(demo, tokens["refresh_token"]).json()

    def revoke(token: str, **others: str) -> int:
        data = {"client_id": "notebook", "token": token} | others
        return requests.post(f"{demo.issuer}/revoke", data=data, timeout=20).status_code

    assert revoke(tokens["access_token"], token_type_hint="refresh_token") == 200
    assert [api_status(demo, each["access_token"]) for each in (tokens, newer)] == [401, 200]
    assert revoke(newer["refresh_token"], token_type_hint="no such kind") == 200
    assert api_status(demo, newer["access_token"]) == 401
    assert refresh(demo, newer["refresh_token"]).json()["error"] == "invalid_grant"
    assert revoke("unknown") == 200
    assert revoke("") == 400


def test_nobody_revokes_the_tokens_of_another_client(demo: DemoProvider) -> None:
    tokens = get_tokens(demo)
    assert web_post(demo, "/revoke", token=tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert web_post(demo, "/revoke", token=tokens["access_token"]).status_code == 400
    assert api_status(demo, tokens["access_token"]) == 200


@pytest.mark.parametrize("path", ["/token", "/revoke"])
def test_a_wrong_secret_is_an_invalid_client(demo: DemoProvider, path: str) -> None:
    """RFC 6749 section 5.2: 401, and the scheme that was used."""
    for secret in ("wrong", "wröng", ""):
        answer = web_post(demo, path, secret, grant_type="refresh_token", refresh_token="x", token="x")
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    data = {"client_id": "web", "client_secret": "wrong", "grant_type": "refresh_token", "token": "x"}
    posted = requests.post(f"{demo.issuer}{path}", data=data, timeout=20)
    assert (posted.status_code, posted.json()["error"]) == (401, "invalid_client")


def test_the_web_client_must_show_its_secret_either_way(demo: DemoProvider) -> None:
    def tokens(**credentials: str) -> requests.Response:
        asked = ask(demo, client_id="web", redirect_uri="http://localhost:5000/authorize")
        code = allow(signed_in_window(demo), asked)["code"]
        parameters = {"grant_type": "authorization_code", "code": code, "code_verifier": asked.verifier}
        data = parameters | {"redirect_uri": asked.redirect_uri} | credentials
        if credentials:
            return requests.post(f"{demo.issuer}/token", data=data, timeout=20)
        return web_post(demo, "/token", **data)

    assert "refresh_token" in tokens().json()
    assert "refresh_token" in tokens(client_id="web", client_secret=demo.web_client_secret).json()
    assert tokens(client_id="web").json()["error"] == "invalid_client"
    assert demo.web_client_secret not in repr(demo)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": '"\\'}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "no such code"}, "invalid_grant"),
        (
            {"grant_type": "authorization_code", "code": "\ud83d".encode("utf-8", "surrogatepass")},
            "invalid_grant",
        ),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "unknown"}, "invalid_grant"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}, "invalid_request"),
        ({"grant_type": ["refresh_token", "refresh_token"], "refresh_token": "x"}, "invalid_request"),
    ],
)
def test_a_bad_token_request_gets_its_error(onlooker: Window, data: dict[str, str], error: str) -> None:
    answer = token_request(onlooker.demo, **data)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.headers["Cache-Control"] == "no-store"


def test_bad_client_credentials_are_no_server_error(demo: DemoProvider) -> None:
    data = {"grant_type": "refresh_token", "refresh_token": "x"}
    for header in ("Basic /////w==", "Basic %%%", "Basic", "Bearer x", "Basic OjpA"):
        answer = requests.post(
            f"{demo.issuer}/token", data=data, headers={"Authorization": header}, timeout=20
        )
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    unknown = requests.post(f"{demo.issuer}/token", data=data | {"client_id": "nobody"}, timeout=20)
    assert unknown.json()["error"] == "invalid_client"


def test_parameters_in_the_url_are_refused(demo: DemoProvider) -> None:
    """RFC 6749 section 2.3.1: a URL is kept in too many places."""
    url = f"{demo.issuer}/token?client_id=notebook&grant_type=refresh_token&refresh_token=x"
    assert requests.post(url, timeout=20).json()["error"] == "invalid_request"
    assert requests.get(url, timeout=20).status_code == 405
