"""A recording shows what is known to be harmless; each attack has its honest twin beside it (docs/attacks.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
from servers import Server

import authnb
from authnb.transport.http import provider_session

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def test_an_api_call_shows_method_origin_and_status(server: Server) -> None:
    server.json("/patients", {}, 403)
    with authnb.record() as recording, requests.Session() as session:
        recording.watch(session).get(
            f"{server.url}/patients", headers={"Authorization": "Bearer at"}, timeout=20
        )
    (exchange,) = recording.exchanges
    assert (exchange.method, exchange.address, exchange.status) == ("GET", "http://127.0.0.1:PORT", 403)


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
