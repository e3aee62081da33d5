"""Step-up: an API that asks for more gets it, once the same person has agreed, in the session in use everywhere."""

from __future__ import annotations

import pickle
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
from demo_session import age, renewer, sign_in, stored

import authnb
from authnb.errors import AuthnbError, InteractionRequired, LoginFailed, LoginRequired
from authnb.oauth.responses import Token
from authnb.session.refused import StepUpRequired
from authnb.storage.base import MemoryStorage
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from pathlib import Path

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

LITTLE = "openid profile email"
MORE = "measurements:read"


def granted(demo: DemoProvider, session: Session, *asked: Any, name: str = "ada", **options: Any) -> Session:
    """What comes of asking the person, who agrees."""
    pending = session.ask_for(*asked, **options)
    verification = pending.verification()
    if verification.user_code is None:
        demo.visit(verification.uri, name=name)
    else:
        demo.approve(verification.user_code, name=name)
    return pending.wait(10)  # type: ignore[no-any-return] # it ends with a session


def refused(session: Session) -> StepUpRequired:
    with pytest.raises(StepUpRequired) as caught:
        session.get("stations").raise_for_status()
    return caught.value


@pytest.fixture
def session(demo: DemoProvider) -> Session:
    return sign_in(demo, scope=LITTLE)


def test_the_response_is_as_any_and_its_error_says_what_to_do(session: Session) -> None:
    response = session.get("stations")
    assert (response.status_code, response.ok) == (403, False)
    assert response.json()["error"] == "insufficient_scope"
    error = refused(session)
    assert isinstance(error, requests.HTTPError)
    assert isinstance(error, AuthnbError)
    assert error.error == "insufficient_scope"
    assert (error.scope, error.acr_values, error.max_age) == (MORE, None, None)
    assert error.response.status_code == 403
    assert error.request.url.endswith("/api/stations")
    assert str(error).startswith("403 Client Error: ")
    assert f"api = await api.ask_for({MORE!r})" in str(error)


def test_the_session_in_use_everywhere_has_what_was_asked_for(demo: DemoProvider, session: Session) -> None:
    auth, adapter, archive = session.requests_auth, session.httpx_auth, session.for_audience(demo.archive)
    before = session.token
    assert granted(demo, session, MORE) is session
    assert session.get("stations").status_code == 200
    assert requests.get(demo.api + "/stations", auth=auth, timeout=10).status_code == 200
    assert httpx.get(demo.api + "/stations", auth=adapter).status_code == 200
    assert archive.get("days").status_code == 200
    assert session.token["access_token"] != before["access_token"]
    assert set(session.token["scope"].split()) == {*LITTLE.split(), MORE}
    assert session.scope == f"{LITTLE} {MORE}"


def test_it_is_renewed_with_all_of_it(demo: DemoProvider, session: Session) -> None:
    granted(demo, session, MORE)
    age(session)
    assert session.get("stations").status_code == 200


@pytest.mark.parametrize("mode", ["loopback", "device"])
def test_in_each_mode(demo: DemoProvider, mode: str) -> None:
    session = sign_in(demo, scope=LITTLE)
    assert granted(demo, session, MORE, mode=mode).get("stations").status_code == 200


def test_the_remembered_sign_in_is_replaced(demo: DemoProvider, tmp_path: Path) -> None:
    """Another process finds it: at the next start, and while it runs, without a request to the provider."""
    session = sign_in(demo, scope=LITTLE, storage=FileStorage(tmp_path))
    other = authnb.login(
        demo.issuer,
        client_id=demo.client_id,
        scope=LITTLE,
        api=demo.api,
        storage=FileStorage(tmp_path),
        view=None,
    ).wait(10)
    assert other.get("stations").status_code == 403
    granted(demo, session, MORE)
    assert stored(session).token["access_token"] == session.token["access_token"]
    with authnb.record() as recording:
        assert other.get("stations").status_code == 200
    assert [exchange.receiver for exchange in recording.exchanges] == ["API", "API"]
    assert other.token["access_token"] == session.token["access_token"]
    later = authnb.login(
        demo.issuer,
        client_id=demo.client_id,
        scope=f"{LITTLE} {MORE}",
        api=demo.api,
        storage=FileStorage(tmp_path),
        view=None,
    )
    assert later.wait(10).get("stations").status_code == 200
    assert later.remembered


def test_nobody_is_asked_for_what_is_granted(demo: DemoProvider, session: Session) -> None:
    """The cell may run again."""
    granted(demo, session, MORE)
    before = session.token
    pending = session.ask_for(MORE)
    assert pending.wait(10) is session
    assert session.token is before
    with pytest.raises(LoginFailed) as caught:
        pending.verification()
    assert caught.value.error == "not_needed"


def test_somebody_else_is_refused(demo: DemoProvider, session: Session) -> None:
    before, kept = session.token, stored(session)
    with pytest.raises(LoginFailed, match="somebody else signed in") as caught:
        granted(demo, session, MORE, name="grace")
    assert caught.value.error == "other_person"
    assert "grace" not in str(caught.value).lower()
    assert session.token is before
    assert stored(session) is kept
    assert session.get("stations").status_code == 403


def test_after_somebody_else_the_provider_asks_who_it_is(demo: DemoProvider, session: Session) -> None:
    pending = session.ask_for(MORE)
    assert "login_hint=ada" in pending.verification().uri
    demo.visit(pending.verification().uri, name="grace")
    with pytest.raises(LoginFailed):
        pending.wait(10)
    pending.start_over()  # type: ignore[attr-defined] # a Login
    assert (
        "prompt=select_account" in pending.verification().uri or "prompt=login" in pending.verification().uri
    )
    demo.visit(pending.verification().uri, name="ada")
    assert pending.wait(10).get("stations").status_code == 200


@pytest.mark.parametrize("how", ["cancelled", "declined", "timeout"])
def test_nothing_changes_if_nothing_comes_of_it(demo: DemoProvider, session: Session, how: str) -> None:
    before, kept = session.token, stored(session)
    pending = session.ask_for(MORE, timeout=0.5 if how == "timeout" else None)
    if how == "cancelled":
        pending.verification()
        pending.cancel()
    elif how == "declined":
        demo.visit(pending.verification().uri, name="ada", allow=False)
    with pytest.raises(LoginFailed):
        pending.wait(10)
    assert session.token is before
    assert stored(session) is kept
    assert session.signed_in
    age(session)
    session.ensure_active_token()


def test_a_call_under_way_and_the_old_token_go_on_working(demo: DemoProvider, session: Session) -> None:
    """Whoever was handed the token before keeps one that works until it expires."""
    headers = dict(session.headers_for(demo.api))
    granted(demo, session, MORE)
    answer = requests.get(demo.issuer + "/userinfo", headers=headers, timeout=10)
    assert answer.status_code == 200


def test_a_renewal_at_the_same_time_loses_nothing(demo: DemoProvider, tmp_path: Path) -> None:
    session = sign_in(demo, scope=LITTLE, storage=FileStorage(tmp_path))
    pending = session.ask_for(MORE)
    over, failures = threading.Event(), []

    def renew() -> None:
        while not over.is_set():
            try:
                age(session)
                session.ensure_active_token()
            except AuthnbError as error:
                failures.append(error)

    worker = threading.Thread(target=renew)
    worker.start()
    demo.visit(pending.verification().uri, name="ada")
    pending.wait(10)
    over.set()
    worker.join()
    assert failures == []
    assert session.get("stations").status_code == 200
    age(session)
    assert session.get("stations").status_code == 200


def test_signing_out_meanwhile_wins(demo: DemoProvider, session: Session) -> None:
    pending = session.ask_for(MORE)
    uri = pending.verification().uri
    session.logout()
    demo.visit(uri, name="ada")
    with pytest.raises(LoginRequired):
        pending.wait(10)
    assert session.token is None
    assert renewer(session).storage.load(renewer(session).account) is None


def test_signing_out_while_the_new_token_is_stored_wins(demo: DemoProvider) -> None:
    class SignsOut(MemoryStorage):
        session: Session | None = None

        def save(self, account: Any, sign_in: Any) -> None:
            super().save(account, sign_in)
            if self.session is not None:
                self.session.token_auth.discard_token()

    storage = SignsOut()
    session = sign_in(demo, scope=LITTLE, storage=storage)
    storage.session = session
    new = Token({**session.token, "access_token": "new"})
    with pytest.raises(LoginRequired):
        session.token_auth.replace_token(new, renewer(session).client)
    assert session.token is None


def test_signing_out_revokes_the_replaced_tokens_too(demo: DemoProvider, session: Session) -> None:
    client, first = renewer(session).client, dict(session.token)
    granted(demo, session, MORE)
    session.logout()
    with pytest.raises(AuthnbError, match="invalid_grant"):
        client.refresh(first)


def test_a_session_without_refresh_token_keeps_the_old_one(session: Session) -> None:
    """Some providers issue one only the first time."""
    new = Token({name: value for name, value in session.token.items() if name != "refresh_token"})
    session.token_auth.replace_token(new, renewer(session).client)
    assert session.token["refresh_token"] == stored(session).token["refresh_token"]
    assert stored(session).replaced == ()


def test_a_session_for_another_api_asks_by_its_sign_in(demo: DemoProvider, session: Session) -> None:
    archive = session.for_audience(demo.archive)
    before = archive.token
    assert archive.get("days").status_code == 403
    assert granted(demo, archive, MORE) is archive
    assert archive.token is not before
    assert archive.get("days").status_code == 200
    assert session.get("stations").status_code == 200


def test_its_sessions_for_other_apis_have_it_at_their_next_call(demo: DemoProvider, session: Session) -> None:
    """Also just after a call that was refused."""
    archive = session.for_audience(demo.archive)
    assert archive.get("days").status_code == 403
    granted(demo, session, MORE)
    assert archive.get("days").status_code == 200


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "Say what to ask for"),
        ({"scope": ""}, "scope="),
        ({"scope": ['a"b']}, "scope="),
        ({"scope": 5}, "scope="),
        ({"acr_values": "a\\b"}, "acr_values="),
        ({"max_age": -1}, "max_age="),
        ({"max_age": True}, "max_age="),
        ({"max_age": "5"}, "max_age="),
        ({"scope": "a", "mode": "token"}, "mode="),
        ({"scope": "a", "view": "page"}, "view="),
        ({"scope": "a", "prompt": "none"}, "prompt="),
        ({"scope": "a", "timeout": 0}, "timeout="),
    ],
)
def test_what_cannot_be_asked_for(session: Session, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        session.ask_for(**options)


def test_unattended_it_is_a_typed_error(
    demo: DemoProvider, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = authnb.login(
        demo.issuer,
        client_id=demo.client_id,
        scope=LITTLE,
        api=demo.api,
        storage=renewer(session).storage,
    )
    stays = quiet.wait(10)
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "0")
    with pytest.raises(InteractionRequired, match=f"An API asks for {MORE}") as caught:
        stays.ask_for(MORE).wait(10)
    assert caught.value.error == "interaction_required"
    assert stays.get("stations").status_code == 403


def test_who_is_signed_out_is_asked_to_sign_in(session: Session) -> None:
    session.logout()
    with pytest.raises(LoginRequired):
        session.ask_for(MORE)


def test_a_client_that_signs_in_by_itself_cannot_be_asked(
    demo: DemoProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTHNB_CLIENT_SECRET", demo.job_client_secret)
    session = authnb.login(
        demo.issuer,
        client_id=demo.job_client_id,
        mode="client_credentials",
        api=demo.api,
        view=None,
    ).wait(10)
    with pytest.raises(InteractionRequired, match="No person is signed in here"):
        session.ask_for(MORE)


def test_an_unpickled_session_says_who_can_ask(demo: DemoProvider, tmp_path: Path) -> None:
    session = sign_in(demo, scope=LITTLE, storage=FileStorage(tmp_path))
    other = pickle.loads(pickle.dumps(session))  # noqa: S301 - of this test
    with pytest.raises(InteractionRequired, match="Only the process that signed in"):
        other.ask_for(MORE)
    granted(demo, session, MORE)
    assert other.get("stations").status_code == 200


def test_a_storage_that_fails_leaves_the_session_with_what_was_granted(demo: DemoProvider) -> None:
    class Full(MemoryStorage):
        full = False

        def save(self, account: Any, sign_in: Any) -> None:
            if self.full:
                raise authnb.StorageError("not_stored", "The disk is full.")
            super().save(account, sign_in)

    storage = Full()
    session = sign_in(demo, scope=LITTLE, storage=storage)
    storage.full = True
    pending = session.ask_for(MORE)
    demo.visit(pending.verification().uri, name="ada")
    with pytest.warns(UserWarning, match="in use here but not stored"):
        pending.wait(10)
    assert session.get("stations").status_code == 200
    storage.full = False
    session.token = {**session.token, "expires_at": 1}
    assert session.get("stations").status_code == 200
