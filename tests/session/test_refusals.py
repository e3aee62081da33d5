"""A refused renewal: calls raise `LoginRequired`, and whoever signs in again gets a sign-in; nothing loops."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from demo_session import SCOPE, age, aged, renewer, sign_in, stored
from servers import Server

import authnb
from authnb.errors import InteractionRequired, InvalidToken, LoginRequired, ProviderError, StorageError
from authnb.oauth.responses import Token
from authnb.storage.base import MemoryStorage
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from pathlib import Path

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session
    from authnb.signin.login import Login
    from authnb.storage.base import Account, SignIn, TokenStorage

REFUSALS = (
    "denied",
    "bad_refresh_token",
    "interaction_required",
    "invalid_request",
    "invalid_token",
    "unauthorized",
    *(WITHOUT_CODE := ("message", "gone")),
)


def login_again(session: Session, storage: TokenStorage, api: str, **more: Any) -> Login:
    """The cell that signs in, run again."""
    client = renewer(session).client
    options = {"mode": "loopback", "view": None, "scope": SCOPE, "api": api, "storage": storage, **more}
    return authnb.login(client.provider, client_id=client.client_id, **options)


@pytest.mark.parametrize("outcome", REFUSALS)
def test_a_refusal_leads_to_a_sign_in(
    demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy, outcome: str
) -> None:
    """However the provider words it: `LoginRequired` for each call, a page to open for the cell.

    One request, where the provider gives a reason.
    """
    token_proxy.outcome = lambda: outcome
    age(session)
    for _ in range(2):
        with pytest.raises(LoginRequired, match="Run the cell that signs in again"):
            session.get("/stations")
    assert token_proxy.outcomes == [outcome] * (2 if outcome in WITHOUT_CODE else 1)
    login = login_again(session, renewer(session).storage, demo.api)
    demo.visit(login.verification().uri, name="ada")
    assert login.wait(10).get("/stations").ok
    assert session.get("/stations").ok, "the session of before uses the new sign-in"


@pytest.mark.parametrize(("outcome", "ended"), [("denied", True), ("gone", False), ("message", False)])
def test_a_refusal_without_a_code_is_not_explained(
    session: Session, token_proxy: TokenEndpointProxy, outcome: str, *, ended: bool
) -> None:
    """Nobody knows whether the provider sent it, so the text does not say that the sign-in was ended there."""
    token_proxy.outcome = lambda: outcome
    age(session)
    with pytest.raises(LoginRequired) as caught:
        session.get("/stations")
    assert ("it was ended there" in caught.value.description) is ended
    assert ("without an error code" in caught.value.description) is not ended


def test_a_refusal_is_remembered_for_the_next_kernel(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, tmp_path: Path
) -> None:
    """Although the access token has not expired: the API refused it, and the provider renews it no more."""
    session = sign_in(demo, token_proxy, storage=FileStorage(tmp_path))
    token_proxy.outcome = lambda: "bad_refresh_token"
    with Server() as api:
        api.json("/", {"message": "Bad credentials"}, 401)
        session.token_auth.origins = frozenset()
        with pytest.raises(LoginRequired):
            session.get(api.url)
    login = login_again(session, FileStorage(tmp_path), demo.api)
    demo.visit(login.verification().uri, name="ada")
    assert login.wait(10) is not session
    assert not stored(session).refused


def test_an_unrenewable_token_that_an_api_refuses_is_replaced(demo: DemoProvider) -> None:
    """A token that never expires and was revoked, as GitHub's OAuth apps have them."""
    session = sign_in(demo)
    eternal = {
        k: v for k, v in session.token.items() if k not in {"refresh_token", "expires_at", "expires_in"}
    }
    session.token = eternal
    its = renewer(session)
    its.storage.save(its.account, replace(stored(session), token=Token(eternal)))
    with Server() as api:
        api.json("/", {"message": "Bad credentials"}, 401)
        session.token_auth.origins = frozenset()
        assert session.get(api.url).status_code == 401
    login = login_again(session, its.storage, demo.api)
    demo.visit(login.verification().uri, name="ada")
    assert login.wait(10).get("/stations").ok


def test_the_login_of_a_refused_session_starts_over(
    demo: DemoProvider, token_proxy: TokenEndpointProxy
) -> None:
    """What the panel shows: the sign-in has ended; "Try again" leads to a page, not to the same error."""
    first = sign_in(demo, token_proxy)
    login = login_again(first, renewer(first).storage, demo.api)
    session = login.wait(10)
    token_proxy.outcome = lambda: "bad_refresh_token"
    age(session)
    with pytest.raises(LoginRequired):
        session.get("/stations")
    assert login.status == "failed"
    with pytest.raises(LoginRequired):
        _ = login.session
    login.start_over()
    demo.visit(login.verification().uri, name="ada")
    assert login.wait(10) is session, "the one that the caller has"
    assert session.get("/stations").ok
    assert login.status == "signed_in"
    token_proxy.outcome = lambda: "pass"
    age(session)
    assert session.get("/stations").ok, "renewed as before"


def test_trouble_is_not_a_refusal(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """While the provider is in trouble the sign-in is kept, and the cell run again says so."""
    session = sign_in(demo, token_proxy)
    token_proxy.outcome = lambda: "503"
    age(session)
    login = login_again(session, renewer(session).storage, demo.api)
    with pytest.raises(ProviderError) as caught:
        login.wait(10)
    assert caught.value.is_transient
    token_proxy.outcome = lambda: "pass"
    login.start_over()
    assert login.wait(10).get("/stations").ok
    assert login.remembered


def test_an_unattended_run_tries_a_refused_sign_in_once_more(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is there to sign in anew, and the refusal may have been a mistake."""
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "0")
    monkeypatch.delenv("BROWSER", raising=False)
    session = sign_in(demo, token_proxy)
    token_proxy.outcome = lambda: "gone"
    age(session)
    with pytest.raises(LoginRequired):
        session.get("/stations")
    options = {"mode": "auto", "view": "text"}
    with pytest.raises(InteractionRequired):
        login_again(session, renewer(session).storage, demo.api, **options).wait(10)
    token_proxy.outcome = lambda: "pass"
    login = login_again(session, renewer(session).storage, demo.api, **options)
    assert login.wait(10).get("/stations").ok


@pytest.mark.parametrize("old", ["gone", "html", "message", "redirect"])
def test_a_moved_token_endpoint_is_found_in_the_metadata(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, tmp_path: Path, old: str
) -> None:
    """The stored endpoint answers as none any more: the metadata is read again, and nobody has to sign in."""
    token_proxy.outcome, token_proxy.elsewhere = (lambda: old), demo.issuer
    storage = FileStorage(tmp_path)
    options = {"client_id": demo.client_id, "mode": "loopback", "view": None, "scope": SCOPE, "api": demo.api}
    login = authnb.login(demo.issuer, storage=storage, **options)
    demo.visit(login.verification().uri, name="ada")
    session = login.wait(10)
    its = renewer(session)
    moved = replace(its.client.provider, token_endpoint=token_proxy.url + "/token")
    sign_in = stored(session)
    its.storage.save(its.account, replace(sign_in, token=aged(sign_in.token, -1), provider=moved))
    resumed = authnb.login(demo.issuer, storage=FileStorage(tmp_path), **options).wait(10)
    assert resumed.get("/stations").ok
    assert token_proxy.outcomes == [old]
    assert stored(resumed).provider.token_endpoint == demo.issuer + "/token"


def test_an_endpoint_given_by_the_caller_is_not_replaced(
    demo: DemoProvider, token_proxy: TokenEndpointProxy
) -> None:
    """What the caller says stands above the metadata."""
    session = sign_in(demo, token_proxy)
    token_proxy.outcome = lambda: "gone"
    age(session)
    with pytest.raises(LoginRequired):
        session.get("/stations")
    assert token_proxy.outcomes == ["gone"]


# What a token response brings is stored before it is judged


def test_a_rotated_refresh_token_survives_a_bad_id_token(
    demo: DemoProvider, token_proxy: TokenEndpointProxy
) -> None:
    """An ID token with the wrong issuer costs the freshness of the claims, and a warning says so."""
    session = sign_in(demo, token_proxy)
    claims, before = session.user, session.token["refresh_token"]
    client = renewer(session).client
    object.__setattr__(client.provider, "issuer", "https://elsewhere.example.org")
    age(session)
    with pytest.warns(UserWarning, match="cannot be accepted"):
        assert session.get("/stations").ok
    assert session.user == claims
    assert session.token["refresh_token"] != before
    assert stored(session).token["refresh_token"] == session.token["refresh_token"]


class StorageOfSaves(MemoryStorage):
    """Keeps every refresh token that was saved."""

    def __init__(self) -> None:
        super().__init__()
        self.refresh_tokens: list[str] = []

    def save(self, account: Account, sign_in: SignIn) -> None:
        self.refresh_tokens.append(sign_in.token["refresh_token"])
        super().save(account, sign_in)


def test_another_subject_is_refused_and_the_old_sign_in_kept(
    demo: DemoProvider, token_proxy: TokenEndpointProxy
) -> None:
    """OpenID Connect Core section 12.2. What came is another person's, so the old sign-in is put back."""
    storage = StorageOfSaves()
    session = sign_in(demo, token_proxy, storage=storage)
    its = renewer(session)
    other = {**session.token["userinfo"], "sub": "somebody-else"}
    session.token = Token({**aged(session.token, -1), "userinfo": other})
    its.storage.save(its.account, replace(stored(session), token=session.token))
    before = session.token["refresh_token"]
    with pytest.raises(InvalidToken):
        session.get("/stations")
    assert stored(session).token["refresh_token"] == before
    assert storage.refresh_tokens[-2] != before, "stored before it was judged"
    login = login_again(session, storage, demo.api)
    demo.visit(login.verification().uri, name="ada")
    assert login.wait(10).get("/stations").ok


# Sessions that cannot be stored


class FullStorage(MemoryStorage):
    """Loads, locks, and cannot save while ``full``."""

    full = True

    def save(self, account: Account, sign_in: SignIn) -> None:
        if self.full:
            raise StorageError("not_stored", "No space left.")
        super().save(account, sign_in)


class ReadOnlyStorage(FullStorage):
    """Cannot be locked either."""

    def lock(self, account: Account) -> Any:
        if self.full:
            raise StorageError("not_stored", "No space left.")
        return super().lock(account)


@pytest.mark.parametrize("kind", [FullStorage, ReadOnlyStorage])
def test_a_sign_in_that_was_never_stored_is_renewed(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, kind: type[FullStorage]
) -> None:
    session = sign_in(demo, token_proxy, storage=kind())
    for _ in range(3):
        age(session)
        assert session.get("/stations").ok
    assert token_proxy.outcomes == ["pass"] * 3


def test_a_renewed_session_that_cannot_be_stored_goes_on(
    demo: DemoProvider, token_proxy: TokenEndpointProxy
) -> None:
    """From the second renewal on the stored refresh token is used up: the one in memory counts."""
    storage = ReadOnlyStorage()
    storage.full = False
    session = sign_in(demo, token_proxy, storage=storage)
    storage.__class__ = FullStorage
    storage.full = True
    session.token = aged(session.token, -1)
    with pytest.warns(UserWarning, match="not stored"):
        assert session.get("/stations").ok
    storage.__class__ = ReadOnlyStorage
    for _ in range(2):
        session.token = aged(session.token, -1)
        assert session.get("/stations").ok
    storage.full = False
    session.token = aged(session.token, -1)
    assert session.get("/stations").ok
    assert stored(session).token["refresh_token"] == session.token["refresh_token"]
    assert token_proxy.outcomes == ["pass"] * 4


# Scope in a renewal (RFC 6749 section 6)


def renewal_server(server: Server, **scopes: str | None) -> list[str]:
    """A token endpoint that takes one form of the scope parameter, and the bodies it got."""
    bodies: list[str] = []

    def token(request: Any) -> tuple[int, dict[str, str], bytes]:
        bodies.append(request.body.decode())
        wanted = scopes["accepts"]
        fits = ("scope=" not in bodies[-1]) if wanted is None else f"scope={wanted}" in bodies[-1]
        answer = b'{"access_token": "new", "expires_in": 60}' if fits else b'{"error": "invalid_scope"}'
        return (200 if fits else 400), {"Content-Type": "application/json"}, answer

    server.routes["/token"] = token
    return bodies


@pytest.mark.parametrize(
    ("quirks", "accepts", "requests"),
    [
        ({}, None, 1),
        ({}, "read", 2),
        ({"refresh_scope": True}, "read+offline_access", 1),
        ({"refresh_scope": True}, None, 2),
    ],
)
def test_scope_in_a_renewal(quirks: dict[str, bool], accepts: str | None, requests: int) -> None:
    """Left out, as the RFC lets it be; named where the provider wants that; after ``invalid_scope`` the other way."""
    with Server() as server:
        bodies = renewal_server(server, accepts=accepts)
        provider = authnb.Provider(
            server.url, token_endpoint=server.url + "/token", quirks=authnb.Quirks(**quirks)
        )
        client = authnb.Client(provider, client_id="notebook", scope="read offline_access")
        new = client.refresh({"access_token": "old", "refresh_token": "r", "scope": "read"})
    assert new["access_token"] == "new"
    assert new["scope"] == "read"
    assert len(bodies) == requests
