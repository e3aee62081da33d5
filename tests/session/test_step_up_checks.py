"""What must hold before a session uses what came of a step-up, and what an API's challenge cannot do."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from demo_session import renewer, stored
from provider import CLIENT, Scenario, as_json
from provider import Server as Providers
from runner import browse
from servers import Server

import authnb
from authnb.errors import AuthnbError, LoginFailed
from authnb.session.refused import Requirement, StepUpRequired, read_requirement
from authnb.session.step_up import StepUp
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.session.session import Session

SCOPE = "openid boats:read"


@pytest.fixture(scope="module")
def providers() -> Iterator[Providers]:
    with Providers() as running:
        yield running


@pytest.fixture
def api() -> Iterator[Server]:
    """An API that asks for what its test sets."""
    with Server() as running:
        yield running


@pytest.fixture
def scenario(providers: Providers) -> Scenario:
    made = providers.scenario(f"s{len(providers.scenarios)}")
    made.token["scope"] = SCOPE
    made.metadata["revocation_endpoint"] = f"{made.issuer}/revoke"
    made.overrides["revoke"] = lambda: as_json({})
    return made


@pytest.fixture
def session(scenario: Scenario, api: Server) -> Session:
    login = authnb.login(
        scenario.issuer,
        client_id=CLIENT,
        mode="loopback",
        view=None,
        storage=MemoryStorage(),
        scope=SCOPE,
        api=api.url,
    )
    browse(login)
    return login.wait(60)


def challenges(api: Server, header: str, status: int = 403) -> None:
    """Have the API answer so."""
    api.routes["/x"] = lambda _: (status, {"WWW-Authenticate": header}, b"no")


def answer(scenario: Scenario, number: int, **claims: Any) -> None:
    """Have the provider issue other tokens, with these claims in the ID token."""
    scenario.token |= {"access_token": f"at-{number}", "refresh_token": f"rt-{number}"}
    scenario.claims |= {"at_hash": None, **claims}


def agree(pending: Any) -> Session:
    browse(pending)
    return pending.wait(60)  # type: ignore[no-any-return] # it ends with a session


def asked(pending: Any) -> dict[str, str]:
    """The parameters of the authorization request."""
    query = parse_qs(urlsplit(pending.verification().uri).query)
    return {name: values[0] for name, values in query.items()}


def test_the_request_names_what_is_asked_for(session: Session) -> None:
    """And keeps what was granted (OpenID Connect Core section 3.1.2.1, RFC 9470 section 4)."""
    pending = session.ask_for("tides:read", acr_values=["phrh", "phr"], max_age=300)
    parameters = asked(pending)
    pending.cancel()
    assert parameters["scope"] == "openid boats:read tides:read"
    assert parameters["acr_values"] == "phrh phr"
    assert parameters["max_age"] == "300"
    assert parameters["client_id"] == CLIENT


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({}, "of no class that it names"),
        ({"acr": "0"}, "of the class '0'"),
        ({"acr": ["phr"]}, "of the class"),
        ({"acr": "\x1b[2Jphr"}, "of the class"),
    ],
)
def test_another_class_of_authentication_is_refused(
    scenario: Scenario, session: Session, claims: dict[str, Any], said: str
) -> None:
    before, kept = session.token, stored(session)
    answer(scenario, 2, **claims)
    with pytest.raises(LoginFailed, match=said) as caught:
        agree(session.ask_for(acr_values="phr"))
    assert caught.value.error == "unmet_authentication_requirements"
    assert str(caught.value).isprintable()
    assert session.token is before
    assert stored(session) is kept


def test_the_class_that_was_asked_for_is_taken(scenario: Scenario, session: Session) -> None:
    answer(scenario, 2, acr="phr")
    assert agree(session.ask_for(acr_values="phrh phr")) is session
    assert session.token["access_token"] == "at-2"
    assert session.ask_for(acr_values="phr").wait(10) is session, "it is there already"


@pytest.mark.parametrize("auth_time", [None, "now", True, lambda now: now - 500, lambda now: now + 500])
def test_an_authentication_that_is_too_old_is_refused(
    scenario: Scenario, session: Session, auth_time: Any
) -> None:
    before = session.token
    answer(scenario, 2, auth_time=auth_time)
    with pytest.raises(LoginFailed, match="at most 300 seconds old") as caught:
        agree(session.ask_for(max_age=300))
    assert caught.value.error == "unmet_authentication_requirements"
    assert session.token is before


@pytest.mark.parametrize("age", [0, 299])
def test_a_recent_one_is_taken(scenario: Scenario, session: Session, age: int) -> None:
    answer(scenario, 2, auth_time=lambda now: now - age)
    assert agree(session.ask_for(max_age=300)) is session
    assert session.token["access_token"] == "at-2"


def test_only_the_id_token_says_how_somebody_authenticated(scenario: Scenario, session: Session) -> None:
    """Claims of the userinfo endpoint, which nobody signed, do not count."""
    answer(scenario, 2)
    scenario.token["scope"] = f"{SCOPE} profile"
    scenario.overrides["userinfo"] = lambda: as_json(
        {"sub": "ada", "name": "Ada", "acr": "phr", "auth_time": int(time.time())}
    )
    for more in ({"acr_values": "phr"}, {"max_age": 300}):
        with pytest.raises(LoginFailed, match="The session is as it was"):
            agree(session.ask_for("profile", **more))
    assert [path.rpartition("/")[2] for _, path in scenario.requests].count("userinfo") == 2


@pytest.mark.parametrize("claims", [{"sub": "grace"}, {"sub": "Ada"}])
def test_another_subject_is_refused_and_its_token_revoked(
    scenario: Scenario, session: Session, claims: dict[str, Any]
) -> None:
    before = session.token
    answer(scenario, 2, **claims)
    with pytest.raises(LoginFailed) as caught:
        agree(session.ask_for("tides:read"))
    assert caught.value.error == "other_person"
    assert session.token is before
    assert [path.rpartition("/")[2] for _, path in scenario.requests].count("revoke") == 2


def test_a_scope_that_is_not_granted(scenario: Scenario, session: Session) -> None:
    before = session.token
    answer(scenario, 2)
    with pytest.raises(LoginFailed, match="did not grant tides:read") as caught:
        agree(session.ask_for("tides:read"))
    assert caught.value.error == "insufficient_scope"
    assert session.token is before


def test_a_part_of_it_is_used_and_the_rest_named(scenario: Scenario, session: Session) -> None:
    answer(scenario, 2)
    scenario.token["scope"] = f"{SCOPE} tides:read"
    pending: Any = session.ask_for("tides:read tides:write")
    assert agree(pending) is session
    assert pending.not_granted == ("tides:write",)


def test_what_was_granted_before_is_not_given_up(scenario: Scenario, session: Session) -> None:
    before = session.token
    answer(scenario, 2)
    scenario.token["scope"] = "openid tides:read"
    with pytest.raises(LoginFailed, match="would have taken back boats:read"):
        agree(session.ask_for("tides:read"))
    assert session.token is before


def test_what_the_api_still_refuses_is_not_asked_for_again(
    scenario: Scenario, session: Session, api: Server
) -> None:
    """Asked twice for the same, and it still says no."""
    challenges(api, 'Bearer error="insufficient_scope", scope="tides:read"')
    assert session.get("x").status_code == 403
    answer(scenario, 2)
    scenario.token["scope"] = f"{SCOPE} tides:read"
    agree(session.ask_for("tides:read"))
    with pytest.raises(StepUpRequired, match="asking again will not help"):
        session.get("x").raise_for_status()
    with pytest.raises(LoginFailed, match="refuses the call all the same") as caught:
        session.ask_for("tides:read").wait(10)
    assert caught.value.error == "insufficient_scope"


def test_a_call_that_was_under_way_meanwhile_is_only_to_be_sent_again(
    scenario: Scenario, session: Session, api: Server
) -> None:
    """Its body cannot be, and what the API said of the old token says nothing of the new one."""
    answer(scenario, 2)
    scenario.token["scope"] = f"{SCOPE} tides:read"
    header = 'Bearer error="insufficient_scope", scope="tides:read"'

    pending = session.ask_for("tides:read")

    def meanwhile(_: Any) -> tuple[int, dict[str, str], bytes]:
        agree(pending)
        return 403, {"WWW-Authenticate": header}, b""

    api.routes["/x"] = meanwhile
    with pytest.raises(StepUpRequired, match="granted while the call was under way: call again"):
        session.post("x", data=iter([b"a"])).raise_for_status()
    assert session.ask_for("tides:read").wait(10) is session


def test_nor_is_an_authentication_that_is_never_enough(
    scenario: Scenario, session: Session, api: Server
) -> None:
    challenges(api, 'Bearer error="insufficient_user_authentication", max_age="0"', 401)
    for number in (2, 3):
        assert session.get("x").status_code == 401
        answer(scenario, number, auth_time=lambda now: now)
        agree(session.ask_for(max_age=0))
    assert session.get("x").status_code == 401
    with pytest.raises(LoginFailed, match="Asking the person again will not help"):
        session.ask_for(max_age=0).wait(10)


def test_a_refusal_of_the_authentication_is_not_answered_with_a_renewal(
    scenario: Scenario, session: Session, api: Server
) -> None:
    """A renewed token has the same authentication (RFC 9470)."""
    header = 'Bearer error="insufficient_user_authentication", acr_values="phr", max_age="300"'
    challenges(api, header, 401)
    before, requests_before = session.token, len(scenario.requests)
    response = session.get("x")
    assert len(scenario.requests) == requests_before
    assert session.token is before
    with pytest.raises(StepUpRequired) as caught:
        response.raise_for_status()
    assert (caught.value.acr_values, caught.value.max_age, caught.value.scope) == ("phr", 300, None)
    assert "api.ask_for(acr_values='phr', max_age=300)" in str(caught.value)


def test_a_scope_that_the_provider_does_not_list_is_said_to_be_so(session: Session, api: Server) -> None:
    its = renewer(session)
    listing = replace(its.client.provider, scopes_supported=("openid", "boats:read"))
    its.client = replace(its.client, provider=listing)
    challenges(api, 'Bearer error="insufficient_scope", scope="tides:read"')
    with pytest.raises(StepUpRequired, match="does not list tides:read among the scopes") as caught:
        session.get("x").raise_for_status()
    assert "or ask for it all the same: api = await api.ask_for('tides:read')" in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        'Bearer error="invalid_token"',
        'Bearer realm="insufficient_scope"',
        'Basic error="insufficient_scope", scope="a"',
        'Bearer error="INSUFFICIENT_SCOPE"',
    ],
)
def test_other_refusals_are_as_they_were(session: Session, api: Server, header: str) -> None:
    challenges(api, header)
    response = session.get("x")
    with pytest.raises(requests.HTTPError) as caught:
        response.raise_for_status()
    assert not isinstance(caught.value, AuthnbError)


@pytest.mark.parametrize(
    ("scope", "read"),
    [
        ("a b a", ("a", "b")),
        ("<script>alert(1)</script>", ("<script>alert(1)</script>",)),
        ("a\\\\b", ()),
        ("a\tb", ()),
        ("a\x1b[2J", ()),
        ("\u202eevil", ()),
        ("é", ()),
        ("a" * 201, ()),
        (" ".join(map(str, range(21))), ()),
        ("", ()),
    ],
)
def test_scope_tokens_of_a_challenge_are_checked(scope: str, read: tuple[str, ...]) -> None:
    """RFC 6749 section 3.3; of a list that is no scope nothing is taken."""
    requirement = read_requirement(
        403, f'Bearer error="insufficient_scope", scope="{scope}"', "https://api.example.org/x"
    )
    assert requirement is not None
    assert requirement.scope == read


def test_a_challenge_cannot_repeat_the_token_or_act_on_a_terminal(session: Session, api: Server) -> None:
    token = session.token["access_token"]
    challenges(
        api,
        f'Bearer error="insufficient_scope", scope="{token}", error_description="Send {token} \x1b[2J to '
        + "x" * 3000
        + '"',
    )
    with pytest.raises(StepUpRequired) as caught:
        session.get("x").raise_for_status()
    text = str(caught.value)
    assert token not in text
    assert text.isprintable()
    assert len(text) < 1500
    assert caught.value.scope is None


def test_a_challenge_does_not_choose_where_to_sign_in(
    scenario: Scenario, session: Session, api: Server
) -> None:
    """Nor the client, nor the redirect URI."""
    challenges(
        api,
        'Bearer error="insufficient_scope", scope="tides:read", as_uri="https://evil.example", '
        'authorization_uri="https://evil.example/authorize", resource_metadata="https://evil.example/.well-known/x", '
        'client_id="evil", redirect_uri="https://evil.example"',
    )
    with pytest.raises(StepUpRequired) as caught:
        session.get("x").raise_for_status()
    assert "evil" not in str(caught.value)
    pending = session.ask_for(caught.value.scope)
    uri = pending.verification().uri
    pending.cancel()
    assert uri.startswith(f"{scenario.issuer}/authorize?")
    assert "evil" not in uri


def test_where_a_call_is_redirected_to_cannot_ask(session: Session, api: Server) -> None:
    """The token did not go there, so its challenge is not about it."""
    with Server() as elsewhere:
        elsewhere.routes["/y"] = lambda _: (
            403,
            {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="everything"'},
            b"",
        )
        target = elsewhere.url.replace("127.0.0.1", "localhost") + "/y"
        api.routes["/x"] = lambda _: (302, {"Location": target}, b"")
        response = session.get("x")
        assert response.status_code == 403
        assert "Authorization" not in elsewhere.requests[0].headers
    with pytest.raises(requests.HTTPError) as caught:
        response.raise_for_status()
    assert not isinstance(caught.value, StepUpRequired)


def test_what_a_challenge_covers() -> None:
    wanted = Requirement(error="insufficient_scope", url="https://api.example.org/", scope=("a",))
    step_up = StepUp(None, scope=("a", "b"))
    assert step_up.covers(wanted)
    assert not StepUp(None, scope=("b",)).covers(wanted)
    stronger = Requirement(
        error="insufficient_user_authentication", url="https://x.example/", acr_values=("1", "2"), max_age=5
    )
    assert StepUp(None, acr_values=("2",), max_age=5).covers(stronger)
    assert not StepUp(None, acr_values=("3",), max_age=5).covers(stronger)
    assert not StepUp(None, acr_values=("2",)).covers(stronger)
