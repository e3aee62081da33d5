"""Whatever works on Authlib's session works on ours; where ours is stricter, docs/session.md says so."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from authlib.integrations.base_client import MissingTokenError, OAuthError
from authlib.integrations.base_client.errors import InvalidTokenError
from authlib.integrations.requests_client import OAuth2Session
from servers import Server

from authnb.errors import AuthnbError
from authnb.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

EITHER = pytest.mark.parametrize("kind", [OAuth2Session, Session])
GOOD = {"access_token": "new", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r2"}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        running.json("/token", GOOD)
        running.json("/api", {"said": "hello"})
        yield running


def old(server: Server, kind: type, **more: Any) -> Any:
    """A session whose token is over."""
    token = {"access_token": "old", "refresh_token": "r1", "token_type": "Bearer", "expires_at": 1}
    options = {"token": token, "token_endpoint": server.url + "/token", **more}
    return kind("client", "secret", scope="read", **options)


def form(request: Any) -> str:
    return str(request.body.decode())


@EITHER
def test_authorization_address(kind: type) -> None:
    session = kind("client", redirect_uri="https://a.example/cb", scope="read", code_challenge_method="S256")
    uri, state = session.create_authorization_url(
        "https://id.example/authorize", code_verifier="v" * 43, prompt="login"
    )
    assert all(
        part in uri for part in ("client_id=client", "code_challenge=", "prompt=login", f"state={state}")
    )


@EITHER
@pytest.mark.parametrize(
    ("parameters", "sent"),
    [
        ({"code": "c", "grant_type": "authorization_code"}, "grant_type=authorization_code"),
        ({"username": "u", "password": "p"}, "grant_type=password"),
        ({}, "grant_type=client_credentials"),
        ({"authorization_response": "https://a.example/cb?code=c&state=s", "state": "s"}, "code=c"),
    ],
)
def test_fetch_token(server: Server, kind: type, parameters: dict[str, str], sent: str) -> None:
    session = kind("client", "secret", scope="read")
    token = session.fetch_token(server.url + "/token", **parameters)
    assert token["access_token"] == "new"
    assert session.token == token
    assert sent in form(server.requests[0])
    assert server.requests[0].headers["Authorization"].startswith("Basic ")


@EITHER
def test_a_token_that_is_over_is_renewed(server: Server, kind: type) -> None:
    updated: list[Any] = []
    session = old(
        server, kind, update_token=lambda token, **old: updated.append((token["access_token"], old))
    )
    assert session.get(server.url + "/api").json() == {"said": "hello"}
    assert server.paths() == ["/token", "/api"]
    assert server.requests[1].headers["Authorization"] == "Bearer new"
    assert updated == [("new", {"refresh_token": "r1"})]


@EITHER
def test_client_credentials_are_asked_for_again(server: Server, kind: type) -> None:
    session = old(server, kind, grant_type="client_credentials")
    session.token = {"access_token": "old", "expires_at": 1}
    assert session.get(server.url + "/api").ok
    assert "client_credentials" in form(server.requests[0])


@EITHER
def test_what_cannot_be_renewed_says_so(server: Server, kind: type) -> None:
    session = kind("client", token={"access_token": "old", "expires_at": 1})
    with pytest.raises(InvalidTokenError):
        session.get(server.url + "/api")
    with pytest.raises(MissingTokenError):
        kind("client").get(server.url + "/api")


@EITHER
def test_errors_of_the_token_endpoint(server: Server, kind: type) -> None:
    server.json("/token", {"error": "invalid_grant", "error_description": "no"}, 400)
    with pytest.raises(OAuthError, match="invalid_grant"):
        old(server, kind).get(server.url + "/api")
    server.text("/token", "busy", 503)
    with pytest.raises(requests.HTTPError):
        old(server, kind).get(server.url + "/api")
    server.text("/token", "<html>")
    with pytest.raises(ValueError, match="JSON"):
        old(server, kind).get(server.url + "/api")


@EITHER
@pytest.mark.parametrize(("placement", "where"), [("header", "headers"), ("uri", "path"), ("body", "body")])
def test_where_the_token_is_put(server: Server, kind: type, placement: str, where: str) -> None:
    session = kind("client", token={"access_token": "at-1"}, token_placement=placement)
    session.post(server.url + "/api", data={"x": "1"} if placement != "body" else None)
    assert "at-1" in str(getattr(server.requests[0], where))


@EITHER
def test_hooks_revocation_introspection(server: Server, kind: type) -> None:
    session = kind("client", "secret", token={"access_token": "at"})
    session.register_compliance_hook(
        "protected_request", lambda url, headers, body: (url, {**headers, "X": "y"}, body)
    )
    session.get(server.url + "/api")
    assert server.requests[0].headers["X"] == "y"
    assert session.revoke_token(server.url + "/token", token_type_hint="access_token").ok
    assert session.introspect_token(server.url + "/token", token="at").json() == GOOD
    assert "token_type_hint=access_token" in form(server.requests[1])


@EITHER
def test_withheld_tokens_other_auth_and_timeouts(server: Server, kind: type) -> None:
    session = kind("client", token={"access_token": "at"}, default_timeout=5)
    session.get(server.url + "/api", withhold_token=True)
    session.get(server.url + "/api", auth=("a", "b"))
    session.get(server.url + "/api", timeout=3, params={"q": "1"}, headers={"Z": "1"})
    assert "Authorization" not in server.requests[0].headers
    assert server.requests[1].headers["Authorization"].startswith("Basic ")
    assert server.requests[2].headers["Z"] == "1"


@EITHER
def test_the_token_is_a_dict_that_can_be_set(kind: type) -> None:
    session = kind("client")
    assert session.token is None
    session.token = {"access_token": "at", "expires_in": 60}
    assert session.token["access_token"] == "at"
    assert not session.token.is_expired(0)
    session.token["expires_at"] = 1
    assert session.token.is_expired(0)
    assert json.loads(json.dumps(session.token))["access_token"] == "at"
    assert session.token_from_fragment("https://a/cb#access_token=x&token_type=bearer")["access_token"] == "x"


@EITHER
def test_times_become_numbers_as_the_token_is_set(kind: type) -> None:
    """In the dict that was handed over too, as Authlib does it."""
    session = kind("client")
    answer = session.token_from_fragment(
        "https://a/cb#access_token=x&token_type=bearer&expires_at=4000000000"
    )
    assert answer["expires_at"] == session.token["expires_at"] == 4_000_000_000


# Stricter, as docs/session.md lists


def test_a_bad_answer_does_not_replace_the_token(server: Server) -> None:
    server.json("/token", {"message": "no"}, 400)
    updated: list[Any] = []
    session = old(server, Session, update_token=lambda *a, **k: updated.append((a, k)))
    with pytest.raises(OAuthError, match="invalid_response"):
        session.get(server.url + "/api")
    assert session.token["refresh_token"] == "r1"
    assert updated == []


def test_token_calls_follow_no_redirect(server: Server) -> None:
    with Server() as elsewhere:
        server.text("/token", "", 307, Location=elsewhere.url + "/token")
        with pytest.raises(ValueError, match="JSON"):
            old(server, Session).get(server.url + "/api")
        with pytest.raises(ValueError, match="JSON"):
            Session("client", "secret").fetch_token(server.url + "/token")
        assert elsewhere.requests == []


def test_one_renewal_for_all_threads(server: Server) -> None:
    session = old(server, Session)
    start = threading.Barrier(32)
    codes: list[int] = []

    def call() -> None:
        start.wait()
        codes.append(session.get(server.url + "/api").status_code)

    threads = [threading.Thread(target=call) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 32
    assert server.paths().count("/token") == 1


def test_a_short_lived_token_is_used(server: Server) -> None:
    session = old(server, Session)
    session.token = {"access_token": "at", "refresh_token": "r", "expires_in": 50}
    session.get(server.url + "/api")
    assert server.paths() == ["/api"]


def test_no_token_in_clear_and_none_in_a_repr() -> None:
    session = Session("client", token={"access_token": "at-secret", "expires_at": int(time.time()) + 900})
    assert "at-secret" not in repr(session) + repr(session.token)
    with pytest.raises(AuthnbError):
        session.get("http://api.example.org/")
    assert session.default_timeout is not None
