"""`Session.lasts`: whether a sign-in lasts as long as a job, as far as the provider says and renewals showed."""

from __future__ import annotations

import base64
import dataclasses
import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from demo_session import age, renewer, sign_in, stored

import authnb
from authnb.demo import DemoProvider
from authnb.errors import LoginRequired
from authnb.oauth.responses import Token
from authnb.session.lifetime import read_duration
from authnb.session.session import Session
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from pathlib import Path

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb import Lifetime

HOUR = 3600


@pytest.fixture(scope="module")
def unchanged(demo: DemoProvider) -> Session:
    """A session that these tests only read."""
    return sign_in(demo)


def set_members(session: Session, **members: Any) -> None:
    """Let the session's token have these members too, in the session and in its storage; None removes one."""
    token = {**session.token, **members}
    session.token = Token({name: value for name, value in token.items() if value is not ...})
    its = renewer(session)
    its.storage.save(its.account, replace(stored(session), token=session.token))


def renew(session: Session, *, after: int = 0) -> None:
    """Renew the token, as if so many seconds had passed since it was issued; what the provider states stays."""
    set_members(session, issued_at=session.token["issued_at"] - after)
    age(session)
    session.ensure_active_token()


def about(answer: Lifetime, seconds: float) -> bool:
    """Whether it names an end so many seconds from now, or up to two minutes earlier."""
    assert answer.until is not None
    assert answer.until.tzinfo is not None
    return -120 < (answer.until - datetime.now(UTC)).total_seconds() - seconds < 5


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("24h", 86400),
        ("90m", 5400),
        ("7d", 604800),
        ("1w", 604800),
        ("45s", 45),
        ("1.5 h", 5400),
        ("1h30m", 5400),
        (" 24H ", 86400),
        ("3600", 3600),
        (3600, 3600),
        (0.5, 0.5),
        (timedelta(days=1, hours=2), 93600),
    ],
)
def test_lengths_of_time(duration: Any, seconds: float) -> None:
    assert read_duration(duration) == seconds


@pytest.mark.parametrize(
    "duration",
    [
        *("", "soon", "h", "24 hours of work", "-1h", "1h-", "1e3", "24h\n90", "٣h", "inf", "9" * 400 + "d"),
        *(
            0,
            -1,
            True,
            float("nan"),
            float("inf"),
            10**400,
            timedelta(0),
            timedelta(days=-1),
            None,
            [1],
            b"24h",
        ),
    ],
)
def test_no_length_of_time(unchanged: Session, duration: Any) -> None:
    with pytest.raises(ValueError, match=r"is no length of time\. Give one such as '24h'"):
        unchanged.lasts(duration)


def test_the_answer_is_a_sentence(session: Session) -> None:
    """And frozen, true or false, with no secret."""
    answer = session.lasts("90m")
    assert isinstance(answer, authnb.Lifetime)
    assert repr(answer) == answer.reason
    assert bool(answer) is answer.lasts
    assert dataclasses.is_dataclass(answer)
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.lasts = True  # type: ignore[misc] # what is tested
    assert session.token["access_token"] not in repr(answer)
    assert session.token["refresh_token"] not in repr(answer)


def test_a_short_job(session: Session) -> None:
    """The access token alone is enough for it."""
    answer = session.lasts("10m")
    assert answer
    assert answer.reason.startswith("Yes: the access token alone is valid until ")
    assert about(answer, HOUR)


def test_a_provider_that_states_nothing(session: Session) -> None:
    """It is not known; what is known is since when it has worked."""
    answer = session.lasts("24h")
    assert not answer
    assert answer.until is None
    assert answer.reason.startswith("Not known: 127.0.0.1 does not state how long it renews the sign-in")
    assert "has not been renewed yet" in answer.reason
    signed_in_at = session.token["issued_at"] - 60
    renew(session, after=60)
    assert session.token["signed_in_at"] == signed_in_at
    assert "and was last renewed at " in session.lasts("24h").reason
    renew(session, after=1000)
    assert session.token["signed_in_at"] == signed_in_at


def test_a_sign_in_of_an_earlier_authnb(session: Session) -> None:
    """Its token has none of the members; after a renewal it is not known when the person signed in."""
    set_members(session, issued_at=...)
    assert "was made by an earlier authnb" in session.lasts("24h").reason
    age(session)
    session.ensure_active_token()
    assert "signed_in_at" not in session.token
    assert session.lasts("24h").reason.startswith("Not known: ")


@pytest.mark.parametrize(
    "member", ["refresh_token_expires_in", "refresh_expires_in", "x_refresh_token_expires_in"]
)
def test_a_refresh_token_that_lives_long_enough(member: str) -> None:
    """By whichever name the provider states it; an end by this machine's clock is given."""
    with DemoProvider(refresh_token_lifetime=48 * HOUR, refresh_lifetime_member=member) as demo:
        session = sign_in(demo)
        answer = session.lasts("24h")
        assert answer, answer
        assert answer.reason.startswith("Yes: 127.0.0.1 renews the sign-in until ")
        assert about(answer, 48 * HOUR)
        assert not session.lasts("49h")


def test_each_renewal_extends_it() -> None:
    """Measured, as the limit of that is not stated; nor is there a yes before the first renewal."""
    with DemoProvider(
        access_token_lifetime=600,
        refresh_token_lifetime=2 * HOUR,
        refresh_lifetime_member="refresh_expires_in",
    ) as demo:
        session = sign_in(demo)
        first = session.lasts("24h")
        assert not first
        assert "whether a renewal extends that shows at the first one" in first.reason
        set_members(session, refresh_token_expires_at=session.token["refresh_token_expires_at"] - 600)
        renew(session, after=600)
        answer = session.lasts("24h")
        assert not answer
        assert answer.reason.startswith("Not known: the refresh token expires at ")
        assert "the last renewal extended that, up to a limit that 127.0.0.1 does not state" in answer.reason
        assert about(answer, 2 * HOUR)


def test_no_renewal_extends_it() -> None:
    """Then the end is known, as is how long a new sign-in lasts."""
    with DemoProvider(
        access_token_lifetime=600,
        refresh_token_lifetime=48 * HOUR,
        sign_in_lifetime=10 * HOUR,
        refresh_lifetime_member="refresh_expires_in",
    ) as demo:
        session = sign_in(demo)
        renew(session, after=60)
        answer = session.lasts("24h")
        assert not answer
        assert answer.reason.startswith("No: 127.0.0.1 renews the sign-in until ")
        assert (
            "the last renewal did not extend. A sign-in is for 10 hours there: split the job" in answer.reason
        )
        assert about(answer, 10 * HOUR)
        set_members(
            session,
            signed_in_at=session.token["signed_in_at"] - 6 * HOUR,
            refresh_token_expires_at=session.token["refresh_token_expires_at"] - 6 * HOUR,
        )
        answer = session.lasts("8h")
        assert not answer
        assert "Sign in again when you submit the job: this sign-in was for 10 hours." in answer.reason


@pytest.mark.parametrize("before", [True, False])
def test_two_renewals_in_a_row_measure_nothing(before: bool) -> None:
    """What is stated is rounded to seconds: what was measured before counts."""
    with DemoProvider(refresh_token_lifetime=2 * HOUR, refresh_lifetime_member="refresh_expires_in") as demo:
        session = sign_in(demo)
        set_members(session, refresh_token_extended=before, issued_at=session.token["issued_at"] + 1000)
        renew(session)
        assert session.token["refresh_token_extended"] is before


def test_an_idle_limit_and_an_end() -> None:
    """As draft-ietf-oauth-refresh-token-expiration states both: kept alive by renewals, until the end."""
    with DemoProvider(
        access_token_lifetime=600,
        refresh_token_lifetime=HOUR,
        sign_in_lifetime=10 * HOUR,
        refresh_lifetime_member="refresh_token_timeout",
    ) as demo:
        session = sign_in(demo)
        answer = session.lasts("8h")
        assert answer
        assert "each renewal extends that. Let this kernel or authnb agent run" in answer.reason
        assert about(answer, 10 * HOUR)
        renew(session, after=60)
        assert session.lasts("8h")
        answer = session.lasts("24h")
        assert not answer
        assert answer.reason.startswith("No: 127.0.0.1 states that no renewal helps after ")
        assert "A sign-in is for 10 hours there" in answer.reason
        assert about(answer, 10 * HOUR)


def test_it_never_expires(session: Session) -> None:
    """Keycloak's offline tokens: 0 seconds, though an idle limit may apply (keycloak/keycloak#48063)."""
    set_members(session, refresh_token_expires_at=None)
    answer = session.lasts("52w")
    assert answer
    assert answer.until is None
    assert "renews the sign-in without end. It may have an idle limit that it does not state" in answer.reason


def test_a_refresh_token_that_has_expired(session: Session) -> None:
    age(session)
    set_members(session, refresh_token_expires_at=int(time.time()) - 60)
    answer = session.lasts("1h")
    assert not answer
    assert answer.reason.startswith("No: the refresh token expired at ")


def test_a_refresh_token_that_is_kept() -> None:
    """A renewal that brings no new refresh token leaves the old one's end; a new one has an end of its own."""
    from authnb.oauth.refresh import refresh_lifetime  # noqa: PLC0415 - of this test only

    old = {"issued_at": 100, "refresh_token_expires_at": 500, "authorization_expires_at": 900}
    kept = {"signed_in_at": 100, "authorization_expires_at": 900}
    assert refresh_lifetime(old, {"issued_at": 200}) == {
        **kept,
        "refresh_token_expires_at": 500,
        "refresh_token_extended": False,
    }
    assert refresh_lifetime(old, {"issued_at": 200, "refresh_token": "new"}) == kept
    stated = {"issued_at": 200, "refresh_token": "new", "refresh_token_expires_at": 600}
    assert refresh_lifetime(old, stated) == {
        **kept,
        "refresh_token_expires_at": 600,
        "refresh_token_extended": True,
    }


def test_the_scope_that_lasts_longer_is_named(session: Session) -> None:
    its = renewer(session)
    its.client = replace(
        its.client, provider=replace(its.client.provider, scopes_supported=("offline_access",))
    )
    assert (
        "The scope 'offline_access', which the provider has, may last longer." in session.lasts("24h").reason
    )
    set_members(session, scope="openid offline_access")
    assert "offline_access" not in session.lasts("24h").reason


def test_without_a_refresh_token(session: Session) -> None:
    set_members(session, refresh_token=...)
    assert session.lasts("10m")
    answer = session.lasts("24h")
    assert not answer
    assert answer.reason.startswith(
        "No: 127.0.0.1 gave no refresh token, and the access token is valid until "
    )
    assert about(answer, HOUR)
    set_members(session, expires_at=..., expires_in=...)
    answer = session.lasts("10m")
    assert not answer
    assert answer.reason.startswith("Not known: ")
    assert answer.until is None


def test_in_a_forked_process(session: Session) -> None:
    session.token_auth.after_fork()
    renewer(session).storage.after_fork()
    answer = session.lasts("24h")
    assert not answer
    assert "this process was forked from the one that signed in" in answer.reason


def test_a_client_by_itself(demo: DemoProvider) -> None:
    api = authnb.login(
        demo.issuer,
        client_id=demo.job_client_id,
        client_secret=demo.job_client_secret,
        mode="client_credentials",
        view=None,
    ).wait(20)
    answer = api.lasts("52w")
    assert answer
    assert answer.until is None
    assert "as long as 127.0.0.1 accepts its secret" in answer.reason


def test_a_token_from_a_file(demo: DemoProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Known as far as the token says; whether a fresh one will be there is not."""
    payload = base64.urlsafe_b64encode(json.dumps({"exp": int(time.time()) + HOUR}).encode()).decode()
    (tmp_path / "token").write_text(f"e30.{payload}.c2ln")
    monkeypatch.setenv("AUTHNB_TOKEN_FILE", str(tmp_path / "token"))
    api = authnb.login(demo.issuer, client_id="job", mode="token", api=demo.api, view=None).wait(20)
    assert api.lasts("30m").reason.startswith(
        "Yes: the token from the file that AUTHNB_TOKEN_FILE names is valid"
    )
    answer = api.lasts("2h")
    assert not answer
    assert answer.reason.startswith(
        "Not known: the token from the file that AUTHNB_TOKEN_FILE names is valid until"
    )
    (tmp_path / "token").write_text("opaque")
    api = authnb.login(demo.issuer, client_id="job", mode="token", api=demo.api, view=None).wait(20)
    assert "is valid for a time that is not known" in api.lasts("1m").reason


def test_signed_out(session: Session) -> None:
    session.logout()
    answer = session.lasts("1m")
    assert not answer
    assert answer.reason == "No: the session is signed out. Sign in again."
    assert about(answer, 0)


def test_refused(session: Session, token_proxy: TokenEndpointProxy) -> None:
    token_proxy.outcome = lambda: "denied"
    age(session)
    with pytest.raises(LoginRequired):
        session.get("/measurements")
    answer = session.lasts("1m")
    assert not answer
    assert answer.reason == "No: 127.0.0.1 no longer renews it. Sign in again."


def test_ended_and_renewed_by_another_process(demo: DemoProvider, tmp_path: Path) -> None:
    """What is stored counts: a longer sign-in, a refusal, and that there is none."""
    session = sign_in(demo, storage=FileStorage(tmp_path))
    its = renewer(session)
    now = stored(session)
    longer = Token(
        {**now.token, "access_token": "renewed", "refresh_token_expires_at": int(time.time()) + 48 * HOUR}
    )
    its.storage.save(its.account, replace(now, token=longer))
    assert session.lasts("24h")
    its.storage.save(its.account, replace(now, token=longer, refused=True))
    assert session.lasts("1m").reason.startswith("No: 127.0.0.1 no longer renews it.")
    its.storage.remove(its.account)
    assert session.lasts("1m").reason.startswith("No: it is not stored any more, because authnb logout")


def test_storage_that_cannot_be_read(demo: DemoProvider, tmp_path: Path) -> None:
    """What the session itself has counts then."""
    session = sign_in(demo, storage=FileStorage(tmp_path))
    for file in tmp_path.glob("*.signin"):
        file.write_bytes(b"damaged")
    assert session.lasts("10m")


def test_a_session_for_another_api_lasts_as_the_sign_in() -> None:
    with DemoProvider(refresh_token_lifetime=48 * HOUR, refresh_lifetime_member="refresh_expires_in") as demo:
        session = sign_in(demo, resource=[demo.api, demo.archive])
        archive = session.for_audience(demo.archive)
        assert archive.lasts("24h").until == session.lasts("24h").until is not None
        narrower = archive.for_audience(demo.archive)
        session.logout()
        assert narrower.lasts("1m").reason == "No: the session is signed out. Sign in again."


def test_in_a_worker(session: Session) -> None:
    """Of the kernel it knows only that it shares."""
    context = multiprocessing.get_context("spawn")
    with session.share_with(multiprocessing), ProcessPoolExecutor(1, mp_context=context) as pool:
        before = pool.submit(Session.lasts, session, "10m").result()
        pool.submit(Session.ensure_active_token, session).result()
        short, long = pool.map(Session.lasts, [session] * 2, ["10m", "24h"])
    assert before.reason.startswith(
        "Not known: the token from the kernel that shares it is valid for a time that"
    )
    assert short.reason.startswith("Yes: the token from the kernel that shares it is valid until ")
    assert not long
    assert long.reason.startswith("Not known: the token from the kernel that shares it is valid until ")


def test_a_session_that_was_constructed() -> None:
    token = {"access_token": "a", "token_type": "Bearer", "expires_at": int(time.time()) + HOUR}
    session = Session("client", token=token)
    assert session.lasts("10m")
    assert session.lasts("2h").reason.startswith("No: the provider gave no refresh token")
