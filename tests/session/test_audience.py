"""One sign-in for several APIs: each has tokens of its own, by token exchange or by the refresh token."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from demo_session import SCOPE, age, renewer, sign_in, stored
from servers import Server

import authnb
from authnb.errors import AuthnbError, LoginRequired, ProviderError
from authnb.storage.base import MemoryStorage
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

WAYS = pytest.mark.parametrize("exchange", [True, False], ids=["by exchange", "by refresh token"])


def signed_in(
    demo: DemoProvider, token_proxy: TokenEndpointProxy | None = None, *, exchange: bool, **options: Any
) -> Session:
    """A session at the provider for learning, which offers token exchange or does not say so."""
    session = sign_in(demo, token_proxy, **options)
    if not exchange:
        client = renewer(session).client
        session.token_auth.renewer = replace(
            renewer(session),
            client=replace(client, provider=replace(client.provider, grant_types_supported=())),
        )
    return session


@WAYS
def test_each_api_has_tokens_of_its_own(demo: DemoProvider, *, exchange: bool) -> None:
    session = signed_in(demo, exchange=exchange)
    archive = session.for_audience(demo.archive)
    assert archive.get("days").json()["days"]
    assert session.get("stations").status_code == 200
    assert archive.user == session.user
    assert "refresh_token" not in archive.token
    assert session.get(demo.archive + "/days").status_code == 401
    assert archive.get(demo.api + "/stations").status_code == 401


@WAYS
def test_its_token_is_for_its_origin_alone(demo: DemoProvider, *, exchange: bool) -> None:
    """The URL in ``for_audience`` is ``api`` too, whatever the session's is."""
    session = signed_in(demo, exchange=exchange, api=[demo.api, "https://other.example"])
    archive = session.for_audience(demo.archive)
    assert archive.access_token().token == archive.token["access_token"]
    for url in ("https://other.example/", "http://127.0.0.1:9/"):
        with pytest.raises(AuthnbError, match="is not the API"):
            archive.access_token(url)


@WAYS
def test_both_stay_signed_in(demo: DemoProvider, *, exchange: bool) -> None:
    """Rotated refresh tokens reach the storage: used twice, one would end the family."""
    session = signed_in(demo, exchange=exchange)
    archive = session.for_audience(demo.archive)
    for _ in range(2):
        archive.token = {**archive.token, "expires_at": 1}
        assert archive.get("days").status_code == 200
        age(session)
        assert session.get("stations").status_code == 200


@WAYS
def test_no_token_for_one_api_reaches_another(demo: DemoProvider, *, exchange: bool) -> None:
    """Neither at first nor after a renewal."""
    session = signed_in(demo, exchange=exchange)
    with Server() as server:
        server.json("/days", {"days": []})
        archive = session.for_audience(demo.archive, api=server.url)
        for _ in range(2):
            assert archive.get("days").status_code == 200
            archive.token = {**archive.token, "expires_at": 1}
        sent = [request.headers["Authorization"] for request in server.requests]
    assert len(set(sent)) == 2
    assert f"Bearer {session.token['access_token']}" not in sent


@WAYS
def test_a_narrower_token(demo: DemoProvider, *, exchange: bool) -> None:
    session = signed_in(demo, exchange=exchange)
    narrow = session.for_audience(demo.api, scope="measurements:read")
    assert narrow.token["scope"] == "measurements:read"
    assert narrow.get("stations").status_code == 200
    assert session.token["scope"] == SCOPE
    with pytest.raises(ProviderError, match="scope"):
        session.for_audience(demo.api, scope="offline_access")


@WAYS
def test_an_unknown_api(demo: DemoProvider, *, exchange: bool) -> None:
    """The provider's refusal, and the sign-in goes on."""
    session = signed_in(demo, exchange=exchange)
    with pytest.raises(ProviderError) as raised:
        session.for_audience("https://other.example")
    assert raised.value.error == "invalid_target"
    age(session)
    assert session.get("stations").status_code == 200


@WAYS
def test_the_sign_in_ends_for_all(demo: DemoProvider, *, exchange: bool) -> None:
    session = signed_in(demo, exchange=exchange)
    archive = session.for_audience(demo.archive)
    session.logout()
    archive.token = {**archive.token, "expires_at": 1}
    with pytest.raises(LoginRequired):
        archive.get("days")


def test_another_kernel_renews_after_a_token_for_another_api(demo: DemoProvider, tmp_path: Path) -> None:
    """The successor of the refresh token is stored."""
    session = signed_in(demo, exchange=False, storage=FileStorage(tmp_path))
    before = stored(session).token
    session.for_audience(demo.archive)
    after = stored(session).token
    assert after["refresh_token"] != before["refresh_token"]
    assert after["access_token"] == before["access_token"]
    later = authnb.login(
        demo.issuer,
        client_id=demo.client_id,
        scope=SCOPE,
        api=demo.api,
        view=None,
        storage=FileStorage(tmp_path),
    ).wait(10)
    age(later)
    assert later.get("stations").status_code == 200


def test_without_a_refresh_token(demo: DemoProvider) -> None:
    session = signed_in(demo, exchange=False)
    token = session.token.without_refresh_token()
    session.token = token
    its = renewer(session)
    its.storage.save(its.account, replace(stored(session), token=token))
    with pytest.raises(LoginRequired, match="gave no refresh token"):
        session.for_audience(demo.archive)


def test_a_name_in_place_of_a_url(demo: DemoProvider) -> None:
    """Some providers know their APIs by name (RFC 8693 section 2.1), and then its address has to be told."""
    session = signed_in(demo, exchange=False)
    with pytest.raises(ValueError, match="Name the API's too"):
        session.for_audience("archive")
    with pytest.raises(ProviderError, match="offers no token exchange"):
        session.for_audience("archive", api=demo.archive)


def test_a_session_that_nobody_signed_in() -> None:
    with pytest.raises(ValueError, match=r"authnb\.login"):
        authnb.Session("client", token={"access_token": "t"}).for_audience("https://other.example")


@pytest.fixture
def elsewhere(demo: DemoProvider) -> Iterator[tuple[Server, Session]]:
    """A token endpoint that answers as a test says, and a session that exchanges its token there."""
    session = signed_in(demo, exchange=True)
    client = renewer(session).client
    with Server() as server:
        provider = replace(client.provider, token_endpoint=server.url + "/token")
        session.token_auth.renewer = replace(renewer(session), client=replace(client, provider=provider))
        yield server, session


def test_a_token_of_another_type_is_not_used(demo: DemoProvider, elsewhere: tuple[Server, Session]) -> None:
    """RFC 8693 section 2.2.1: the response says what it holds."""
    server, session = elsewhere
    answer = {"access_token": "issued", "token_type": "Bearer", "expires_in": 60}
    server.json("/token", {**answer, "issued_token_type": "urn:ietf:params:oauth:token-type:id_token"})
    with pytest.raises(ProviderError, match="token-type:id_token"):
        session.for_audience(demo.archive)
    server.json("/token", {**answer, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"})
    assert session.for_audience(demo.archive).token["access_token"] == "issued"


def test_a_refused_exchange_repeats_no_token(demo: DemoProvider, elsewhere: tuple[Server, Session]) -> None:
    """Although the provider does."""
    server, session = elsewhere
    secret = session.token["access_token"]
    refusal = {"error": "invalid_request", "error_description": f"The subject_token {secret} is none."}
    server.json("/token", refusal, 400)
    with pytest.raises(ProviderError, match="The subject_token … is none") as raised:
        session.for_audience(demo.archive)
    assert secret not in f"{raised.value}{raised.value!r}"


@pytest.mark.parametrize("mode", ["loopback", "device"])
def test_a_sign_in_for_several_apis(demo: DemoProvider, mode: str) -> None:
    """RFC 8707 section 2: all in the authorization request, the first in the token request."""
    login = authnb.login(
        demo.issuer,
        client_id=demo.client_id,
        scope=SCOPE,
        resource=[demo.archive, demo.api],
        api=demo.archive,
        mode=mode,  # type: ignore[arg-type] # two of them
        view=None,
        storage=MemoryStorage(),
    )
    shown = login.verification()
    if shown.user_code is None:
        demo.visit(shown.uri, name="ada")
    else:
        demo.approve(shown.user_code, name="ada")
    archive = login.wait(30)
    assert archive.get("days").status_code == 200
    age(archive)
    assert archive.get("days").status_code == 200
    assert archive.for_audience(demo.api).get("stations").status_code == 200


def test_an_api_that_was_not_asked_for(demo: DemoProvider) -> None:
    session = signed_in(demo, exchange=True, resource=demo.api)
    with pytest.raises(ProviderError) as raised:
        session.for_audience(demo.archive)
    assert raised.value.error == "invalid_target"


@pytest.mark.parametrize(
    "resource", ["archive", "https://a.example/#part", "https://a.example/ b", [1], 5, "http://["]
)
def test_no_resource(demo: DemoProvider, resource: Any) -> None:
    with pytest.raises(ValueError, match="RFC 8707"):
        authnb.login(demo.issuer, client_id=demo.client_id, resource=resource)
