"""A recording shows what is known to be harmless; each attack has its honest twin beside it (docs/attacks.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
from demo_session import sign_in
from servers import Server

import authnb
from authnb.transport.http import provider_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider
    from authnb.recording.recorder import Recording

PERSONAL = "Ada-Lovelace-1815"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def shown(recording: Recording) -> str:
    return recording._repr_html_() + repr(recording) + repr(recording.diagram) + repr(recording.exchanges)


def test_an_api_call_shows_no_path_and_no_names(server: Server) -> None:
    """People name files, folders and parameters after themselves."""
    server.json(f"/patients/{PERSONAL}", {PERSONAL: 1, "scope": PERSONAL}, 403, Location=f"/{PERSONAL}")
    with authnb.record() as recording, requests.Session() as session:
        url = f"{server.url}/patients/{PERSONAL}?{PERSONAL}=1&client_id={PERSONAL}"
        headers = {"Authorization": "Bearer at-1"}
        recording.watch(session).post(url, json={PERSONAL: PERSONAL}, headers=headers, timeout=20)
    assert PERSONAL not in shown(recording)


@pytest.mark.parametrize(
    "call",
    [
        lambda api, url: api.get(f"{url}/userinfo"),
        lambda api, url: requests.get(f"{url}/userinfo", auth=api.requests_auth, timeout=20),
        lambda api, url: httpx.get(f"{url}/userinfo", auth=api.httpx_auth),
        lambda api, url: api.get(f"{url}/metadata", withhold_token=True),
        lambda api, url: api.get(f"{url}/keys", withhold_token=True),
        lambda api, url: api.get(f"{url}?token=1&{PERSONAL}=1", withhold_token=True),
        lambda api, url: api.post(url, data={"client_id": PERSONAL}, withhold_token=True),
        lambda api, url: api.post(url, data={"grant_type": PERSONAL}, auth=("user", "password")),
    ],
)
def test_an_api_call_that_looks_like_a_providers_is_still_one(
    demo: DemoProvider, server: Server, call: Any
) -> None:
    """By its path, its parameters or its answer, and by another client or without the token."""
    url = f"{server.url}/patients/{PERSONAL}"
    for name in ("", "/userinfo", "/metadata", "/keys"):
        server.json(f"/patients/{PERSONAL}{name}", {"keys": [], PERSONAL: 1, "issuer": PERSONAL})
    api = sign_in(demo, api=server.url)
    with authnb.record() as recording:
        call(api, url)
    assert PERSONAL not in shown(recording)
    assert [each.receiver for each in recording.exchanges] == ["API"]


@pytest.mark.parametrize("path", ["/token", "/patients"])
def test_a_secret_alone_in_authorization_is_no_scheme(server: Server, path: str) -> None:
    """What stands before the first space is shown, so it has to be a scheme that is known."""
    with authnb.record() as recording, requests.Session() as session:
        form = {"grant_type": "refresh_token"}
        for secret in ("sk-4f1", "sk-4f1 Ada"):
            headers = {"Authorization": secret}
            recording.watch(session).post(f"{server.url}{path}", form, headers=headers, timeout=20)
    assert "sk-4f1" not in shown(recording)


def test_a_known_scheme_is_shown(server: Server) -> None:
    with authnb.record() as recording, requests.Session() as session:
        headers = {"Authorization": "Bearer at-1", "DPoP": "a.b.c"}
        recording.watch(session).get(f"{server.url}/patients", headers=headers, timeout=20)
    ((exchange,)) = recording.exchanges
    assert [(each.name, each.shown) for each in exchange.sent] == [
        ("Authorization", "Bearer [4 characters]"),
        ("DPoP", "[5 characters]"),
    ]


@pytest.mark.parametrize("scheme", ["Bearer", "DPoP", "dpop"])
def test_a_call_by_hand_with_an_access_token_is_an_apis(server: Server, scheme: str) -> None:
    """Whichever scheme sends the token (RFC 6750 section 2.1, RFC 9449 section 7.1)."""
    server.json(f"/patients/{PERSONAL}/jwks", {"keys": []})
    with authnb.record() as recording, requests.Session() as session:
        headers = {"Authorization": f"{scheme} at-1", "DPoP": "a.b.c"}
        recording.watch(session).get(f"{server.url}/patients/{PERSONAL}/jwks", headers=headers, timeout=20)
    assert PERSONAL not in shown(recording)
    assert [each.receiver for each in recording.exchanges] == ["API"]


def test_a_nonce_that_comes_back_in_a_sentence_is_found(server: Server) -> None:
    """That of a DPoP-Nonce header (RFC 9449 section 8)."""
    body = {"error": "use_dpop_nonce", "error_description": "Use nonce-SECRET-one now."}
    server.json("/token", body, 400, **{"DPoP-Nonce": "nonce-SECRET-one"})
    with authnb.record() as recording, provider_session() as http:
        headers = {"DPoP": "head.SECRET.signature"}
        http.post(f"{server.url}/token", data={"grant_type": "refresh_token"}, headers=headers)
    assert "SECRET" not in shown(recording)
    (exchange,) = recording.exchanges
    assert [value.name for value in exchange.sent if value.name == "DPoP"]
    assert "Use […] now." in shown(recording)


def test_a_token_request_by_hand_is_the_providers(demo: DemoProvider) -> None:
    """Of the drop-in for Authlib's session, too."""
    api = sign_in(demo)
    with authnb.record() as recording:
        api.refresh_token(f"{demo.issuer}/token", refresh_token=api.token["refresh_token"])
    (exchange,) = recording.exchanges
    assert (exchange.receiver, exchange.address) == ("provider", "http://127.0.0.1:PORT/token")


@pytest.mark.parametrize("scheme", ["Bearer", "DPoP"])
def test_an_api_call_shows_method_origin_and_status(server: Server, scheme: str) -> None:
    server.json("/patients", {}, 403)
    with authnb.record() as recording, requests.Session() as session:
        recording.watch(session).get(
            f"{server.url}/patients", headers={"Authorization": f"{scheme} at"}, timeout=20
        )
    (exchange,) = recording.exchanges
    assert (exchange.receiver, exchange.method, exchange.address, exchange.status) == (
        "API",
        "GET",
        "http://127.0.0.1:PORT",
        403,
    )


def token_response(server: Server, body: dict[str, object], status: int = 200) -> Recording:
    server.json("/token", body, status)
    with authnb.record() as recording, provider_session() as http:
        http.post(f"{server.url}/token", data={"grant_type": "refresh_token", "refresh_token": "r-SECRET-1"})
    return recording


@pytest.mark.parametrize(
    "body",
    [
        {"interval": PERSONAL, "verification_uri": PERSONAL, "jwks_uri": f"https://x.example/{PERSONAL}"},
        {"expires_in": PERSONAL},
        {"scope": {"of": PERSONAL}},
        {"aud": PERSONAL, "response_type": PERSONAL},
        {"error_description": f"no account for {PERSONAL}"},
        {"error": f"<b>{PERSONAL} ä</b>"},
    ],
)
def test_a_harmless_name_at_another_endpoint_or_of_another_type_is_hidden(
    server: Server, body: dict[str, object]
) -> None:
    assert PERSONAL not in shown(token_response(server, body, 400))


def test_known_parameters_of_the_token_endpoint_are_shown(server: Server) -> None:
    body = {
        "expires_in": 3600,
        "scope": "openid api:read",
        "token_type": "Bearer",
        "access_token": "at-SECRET",
    }
    (exchange,) = token_response(server, body).exchanges
    values = {value.name: value.shown for value in (*exchange.sent, *exchange.received)}
    assert (values["expires_in"], values["scope"], values["token_type"]) == (
        "3600",
        "openid api:read",
        "Bearer",
    )
    assert values["grant_type"] == "refresh_token"
    assert values["access_token"] == "[9 characters]"
    failed = token_response(
        server, {"error": "invalid_grant", "error_description": "The token was used."}, 400
    )
    assert "The token was used." in shown(failed)
