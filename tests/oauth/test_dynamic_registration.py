"""Dynamic client registration (RFC 7591, RFC 7592): what is asked for, and which answers are refused."""

from __future__ import annotations

import json
import pickle
import time
from typing import TYPE_CHECKING, Any

import pytest
from servers import Server
from support import nobody_listens

from authnb.errors import ProviderError
from authnb.oauth.dynamic_registration import (
    SOFTWARE_ID,
    Registration,
    delete_registration,
    read_registration,
    register,
)
from authnb.oauth.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLBACK = "http://127.0.0.1:8765/callback"
SECRET, TOKEN = "cs-SECRET-of-the-client", "rat-SECRET-of-the-registration"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def provider(server: Server, **more: Any) -> Provider:
    return Provider(server.url, registration_endpoint=f"{server.url}/register", **more)


def answer(server: Server, status: int = 201, **members: Any) -> None:
    """The registration endpoint answers with what it was asked for, and these."""
    server.routes["/register"] = lambda request: (
        status,
        {"Content-Type": "application/json"},
        json.dumps({**json.loads(request.body), "client_id": "c-1", **members}).encode(),
    )


def asked(server: Server) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in server.requests if request.path == "/register"]


def refused(server: Server, **more: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        register(provider(server, **more), redirect_uris=[CALLBACK])
    assert caught.value.description.isprintable()
    assert SECRET not in str(caught.value)
    return caught.value


def managed(server: Server, **more: Any) -> Registration:
    """A registration that can be managed."""
    members = {
        "registration_client_uri": f"{server.url}/clients/c-1",
        "registration_access_token": TOKEN,
        **more,
    }
    answer(server, **members)
    return register(provider(server), redirect_uris=[CALLBACK])


def test_a_public_client_with_exactly_these_redirect_uris(server: Server) -> None:
    answer(server)
    registered = register(provider(server), redirect_uris=[CALLBACK], scope="measurements:read")
    assert registered == Registration(
        issuer=server.url, client_id="c-1", redirect_uris=(CALLBACK,), scope="measurements:read"
    )
    (sent,) = asked(server)
    assert sent.pop("software_version")
    assert sent == {
        "client_name": "Notebook (authnb)",
        "software_id": SOFTWARE_ID,
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": [CALLBACK],
        "application_type": "native",
        "scope": "measurements:read",
    }
    assert "Authorization" not in server.requests[0].headers


def test_for_the_device_flow_there_is_no_redirect_uri(server: Server) -> None:
    answer(server)
    assert register(provider(server), redirect_uris=[]).redirect_uris == ()
    (sent,) = asked(server)
    assert sent["grant_types"] == ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]
    assert (sent["redirect_uris"], sent["response_types"]) == ([], []), "left out, they are those of a code"
    assert "scope" not in sent


def test_a_page_elsewhere_is_that_of_a_web_client(server: Server) -> None:
    answer(server)
    register(provider(server), redirect_uris=["https://hub.example.org/authnb/callback.html"])
    assert asked(server)[0]["application_type"] == "web"


def test_no_refresh_token_is_asked_for_where_there_are_none(server: Server) -> None:
    answer(server)
    register(provider(server, grant_types_supported=("authorization_code",)), redirect_uris=[CALLBACK])
    assert asked(server)[0]["grant_types"] == ["authorization_code"]


@pytest.mark.parametrize(
    ("supported", "method"),
    [
        ((), "none"),
        (("client_secret_basic", "none"), "none"),
        (("client_secret_basic", "client_secret_post"), "client_secret_basic"),
        (("client_secret_post", "client_secret_basic"), "client_secret_post"),
        (("private_key_jwt", "client_secret_post"), "client_secret_post"),
        (("private_key_jwt",), "none"),
    ],
)
def test_a_client_with_a_secret_where_there_are_no_public_ones(
    server: Server, supported: tuple[str, ...], method: str
) -> None:
    answer(server, client_secret=SECRET, client_secret_expires_at=0)
    registered = register(
        provider(server, token_endpoint_auth_methods_supported=supported), redirect_uris=[CALLBACK]
    )
    assert asked(server)[0]["token_endpoint_auth_method"] == method
    assert registered.token_endpoint_auth_method == method
    assert registered.client_secret == (None if method == "none" else SECRET), (
        "of a public client it is not kept"
    )


@pytest.mark.parametrize(
    "members", [{}, {"redirect_uris": None}, {"scope": "other"}, {"grant_types": ["implicit"]}]
)
@pytest.mark.parametrize("status", [200, 201])
def test_answers_that_say_less_or_a_200(server: Server, status: int, members: dict[str, Any]) -> None:
    answer(server, status, **members)
    assert register(provider(server), redirect_uris=[CALLBACK]).client_id == "c-1"


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"redirect_uris": ["https://evil.example/callback"]}, "https://evil.example/callback"),
        ({"redirect_uris": [CALLBACK, "https://evil.example/callback"]}, "https://evil.example/callback"),
        ({"redirect_uris": ["http://127.0.0.1/callback"]}, CALLBACK),
        ({"redirect_uris": []}, "none"),
        ({"redirect_uris": CALLBACK}, "other redirect addresses"),
        ({"redirect_uris": [7]}, "other redirect addresses"),
        ({"redirect_uris": ["<img src=x onerror=alert(1)>\x1b[2J\u202e"]}, "other redirect addresses"),
        ({"client_id": None}, "no client_id"),
        ({"client_id": ""}, "no client_id"),
        ({"client_id": 7}, "no client_id"),
        ({"client_id": "a\x1b[2J"}, "no client_id"),
        ({"client_id": "x" * 3000}, "no client_id"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "private_key_jwt"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "client_secret_basic"),  # and no secret
        ({"token_endpoint_auth_method": 7, "client_secret": SECRET}, "'7'"),
    ],
)
def test_another_client_than_was_asked_for_is_refused(
    server: Server, members: dict[str, Any], says: str
) -> None:
    answer(server, **members)
    error = refused(server)
    assert (error.error, says in error.description) == ("registration_refused", True), error.description


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (
            400,
            {"error": "invalid_redirect_uri", "error_description": "no loopback here"},
            "no loopback here",
        ),
        (400, {"error": "invalid_client_metadata"}, "invalid_client_metadata"),
        (401, {}, "only clients that its operators know (HTTP 401)"),
        (403, {}, "only clients that its operators know (HTTP 403)"),
        (403, {"error": "access_denied"}, "declined"),
        (404, {}, "HTTP 404"),
    ],
)
def test_a_refusal_says_why(server: Server, status: int, body: dict[str, str], says: str) -> None:
    server.json("/register", body, status)
    error = refused(server)
    assert (error.error, says in error.description) == ("registration_refused", True), error.description


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_provider_in_trouble_has_not_refused(server: Server, status: int) -> None:
    server.json("/register", {}, status, **{"Retry-After": "7"})
    error = refused(server)
    assert error.is_transient
    assert error.retry_after == 7


def test_a_provider_that_refuses_scopes_is_asked_once_more_without(server: Server) -> None:
    def route(request: Any) -> tuple[int, dict[str, str], bytes]:
        sent = json.loads(request.body)
        refusal = {"error": "invalid_client_metadata"}
        body = refusal if "scope" in sent else {**sent, "client_id": "c-1"}
        return (
            400 if "scope" in sent else 201,
            {"Content-Type": "application/json"},
            json.dumps(body).encode(),
        )

    server.routes["/register"] = route
    assert register(provider(server), redirect_uris=[CALLBACK], scope="rare").scope == ""
    assert ["scope" in sent for sent in asked(server)] == [True, False]


@pytest.mark.parametrize("refused", [False, True])
def test_token_exchange_is_asked_for_where_it_is_named(server: Server, refused: bool) -> None:
    """For `Session.for_audience`; a provider that gives it to no client like this is asked once more without."""
    exchange = "urn:ietf:params:oauth:grant-type:token-exchange"

    def route(request: Any) -> tuple[int, dict[str, str], bytes]:
        sent = json.loads(request.body)
        wrong = refused and exchange in sent["grant_types"]
        body = {"error": "invalid_client_metadata"} if wrong else {**sent, "client_id": "c-1"}
        return 400 if wrong else 201, {"Content-Type": "application/json"}, json.dumps(body).encode()

    server.routes["/register"] = route
    named = provider(server, grant_types_supported=("authorization_code", "refresh_token", exchange))
    assert register(named, redirect_uris=[CALLBACK]).client_id == "c-1"
    usual = ["authorization_code", "refresh_token"]
    requests = [[*usual, exchange], usual] if refused else [[*usual, exchange]]
    assert [sent["grant_types"] for sent in asked(server)] == requests


@pytest.mark.parametrize(
    "route",
    [
        (201, {"Content-Type": "text/html"}, b"<html>Welcome"),
        (201, {"Content-Type": "application/json"}, b'{"client_id": "' + b"x" * (2 << 20) + b'"}'),
        (307, {"Location": "https://evil.example/register"}, b""),
    ],
    ids=["HTML", "two megabytes", "a redirect elsewhere"],
)
def test_answers_that_cannot_be_read(server: Server, route: tuple[int, dict[str, str], bytes]) -> None:
    server.routes["/register"] = lambda _: route
    assert refused(server).error == "invalid_response"


def test_a_provider_that_registers_nobody(server: Server) -> None:
    with pytest.raises(ProviderError) as caught:
        register(Provider(server.url), redirect_uris=[CALLBACK])
    assert caught.value.error == "no_registration"
    assert not server.requests


def test_a_provider_that_cannot_be_reached() -> None:
    with nobody_listens() as url, pytest.raises(ProviderError) as caught:
        register(Provider(url, registration_endpoint=f"{url}/register"), redirect_uris=[CALLBACK])
    assert caught.value.is_transient


def test_its_secrets_are_hidden(server: Server) -> None:
    """From reprs and from pickles."""
    registered = managed(server, client_secret=SECRET, token_endpoint_auth_method="client_secret_post")
    assert registered.client_secret == SECRET
    assert registered.registration_access_token == TOKEN
    assert SECRET not in repr(registered)
    assert TOKEN not in repr(registered)
    with pytest.raises(TypeError, match="is not pickled"):
        pickle.dumps(registered)


def test_a_secret_ends(server: Server) -> None:
    """RFC 7591 section 3.2.1: 0 is never."""
    now = int(time.time())
    for ends, expired in (
        (0, False),
        (now + 3600, False),
        (now + 5, True),
        (now - 5, True),
        (-1, False),
        ("x", False),
    ):
        members = {"client_secret": SECRET, "token_endpoint_auth_method": "client_secret_basic"}
        assert managed(server, client_secret_expires_at=ends, **members).expired is expired, ends
    assert not managed(server, client_secret=SECRET, client_secret_expires_at=now - 5).expired, (
        "it has no secret"
    )


@pytest.mark.parametrize(
    "members",
    [
        {"registration_client_uri": "https://evil.example/c-1"},
        {"registration_client_uri": "http://127.0.0.1:1/c-1"},
        {"registration_client_uri": "javascript:alert(1)"},
        {"registration_client_uri": 7},
        {"registration_client_uri": None},
        {"registration_access_token": None},
        {"registration_access_token": "a\r\nb"},
        {"registration_access_token": "a b"},
    ],
)
def test_the_token_for_the_registration_goes_nowhere_else(server: Server, members: dict[str, Any]) -> None:
    registered = managed(server, **members)
    assert registered.registration_client_uri is None
    assert registered.registration_access_token is None
    assert delete_registration(provider(server), registered) is False
    assert read_registration(provider(server), registered) is registered


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_registration_that_was_deleted_there(server: Server, status: int) -> None:
    registered = managed(server)
    server.json("/clients/c-1", {}, status)
    assert read_registration(provider(server), registered) is None
    request = server.requests[-1]
    assert (request.method, request.headers["Authorization"]) == ("GET", f"Bearer {TOKEN}")


def test_a_registration_whose_secrets_were_replaced(server: Server) -> None:
    """RFC 7592 section 2.1: the old ones must not be used any more."""
    registered = managed(server)
    server.json("/clients/c-1", {"client_id": "c-1", "registration_access_token": "rat-2"})
    found = read_registration(provider(server), registered)
    assert found is not None
    assert found.registration_access_token == "rat-2"
    assert found.registration_client_uri == registered.registration_client_uri


@pytest.mark.parametrize("body", [{"client_id": "another"}, {}])
def test_a_registration_of_another_client_changes_nothing(server: Server, body: dict[str, str]) -> None:
    registered = managed(server)
    server.json("/clients/c-1", {**body, "registration_access_token": "rat-2"})
    assert read_registration(provider(server), registered) == registered


def test_reading_where_that_is_not_supported(server: Server) -> None:
    registered = managed(server)
    server.json("/clients/c-1", {}, 405)
    assert read_registration(provider(server), registered) == registered
    server.json("/clients/c-1", {}, 503)
    with pytest.raises(ProviderError) as caught:
        read_registration(provider(server), registered)
    assert caught.value.is_transient


@pytest.mark.parametrize("status", [204, 200, 401, 404])
def test_deleting(server: Server, status: int) -> None:
    registered = managed(server)
    server.json("/clients/c-1", {}, status)
    assert delete_registration(provider(server), registered) is True
    request = server.requests[-1]
    assert (request.method, request.headers["Authorization"]) == ("DELETE", f"Bearer {TOKEN}")


def test_deleting_where_that_is_refused(server: Server) -> None:
    registered = managed(server)
    server.json("/clients/c-1", {"error": "invalid_request", "error_description": f"not {TOKEN}"}, 405)
    with pytest.raises(ProviderError, match="Deleting the registration") as caught:
        delete_registration(provider(server), registered)
    assert TOKEN not in str(caught.value)


def test_it_comes_back_from_what_is_stored(server: Server) -> None:
    registered = managed(server, client_secret=SECRET, token_endpoint_auth_method="client_secret_basic")
    assert Registration.from_dict(json.loads(json.dumps(registered.to_dict()))) == registered
    for wrong in ({}, {"issuer": server.url}, {**registered.to_dict(), "client_id": 7}, {"redirect_uris": 7}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Registration.from_dict(wrong)
