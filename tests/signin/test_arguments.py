"""Arguments of `login` that cannot work raise `ValueError` at once, with what is wanted; and a few mistakes of use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
from demo_session import SCOPE, age, sign_in

import authnb
from authnb.demo import DemoProvider
from authnb.errors import AuthnbError, LoginRequired, LoginTimeout

if TYPE_CHECKING:
    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.session.session import Session
    from authnb.storage.base import MemoryStorage

ISSUER = "https://id.example.org"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({"client_id": 7}, "the identifier that the provider issued"),
        ({"client_id": ""}, "the identifier that the provider issued"),
        ({"redirect_port": "8765"}, "redirect_port=8765"),
        ({"redirect_port": True}, "redirect_port=8765"),
        ({"redirect_port": []}, "redirect_port=8765"),
        ({"redirect_port": [8765, "8766"]}, "redirect_port=8765"),
        ({"redirect_port": 70000}, "redirect_port=8765"),
        *[
            ({"redirect_path": path}, "redirect_path='/NAME/callback'")
            for path in ("callback", "", "//x", "/a?b", "/a#b", "/a/../b", "/é", "/a\n", 7)
        ],
        ({"redirect_path": {"elsewhere": "/callback"}}, "to choose from"),
        ({"timeout": None}, "timeout=3600"),
        ({"timeout": 0}, "timeout=3600"),
        ({"timeout": float("inf")}, "timeout=3600"),
        ({"api": "api.example.org"}, "api='https://api.example.org'"),
        ({"api": ["https://api.example.org", "data.example.org"]}, "api='https://api.example.org'"),
        ({"api": []}, "leave api= out"),
        ({"api": 7}, "leave api= out"),
        ({"api": "http://api.example.org"}, "use https"),
        ({"scope": 7}, "scope='openid profile'"),
        ({"scope": ["openid", 7]}, "scope='openid profile'"),
        ({"scope": 'say "openid"'}, "scope='openid profile'"),
        ({"profile": ""}, "profile='work'"),
        ({"prompt": "none"}, "Leave prompt= out"),
        ({"prompt": 7}, "prompt='select_account'"),
        ({"login_hint": 7}, "user name"),
        ({"storage": "file"}, "authnb.TokenStorage"),
        ({"mode": "magic"}, "'loopback'"),
        ({"mode": "password"}, "'loopback'"),
        ({"view": "hologram"}, "'panel'"),
    ],
)
def test_what_cannot_work_is_refused_at_once(arguments: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValueError, match="=") as caught:
        authnb.login(ISSUER, **{"client_id": "notebook", **arguments})
    assert wanted in str(caught.value)


@pytest.mark.parametrize("issuer", [None, 7, "", [], [None]])
def test_an_issuer_is_a_text_or_a_provider(issuer: Any) -> None:
    with pytest.raises(ValueError, match=r"issuer|client_id"):
        authnb.login(issuer, client_id="notebook")


@pytest.mark.parametrize(
    "issuer",
    ["id.example.org", "id.example.org/tenant", "http://id.example.org", "ftp://id.example.org", "https://"],
)
def test_an_issuer_is_an_https_address(issuer: str) -> None:
    with pytest.raises(ValueError, match=r"issuer=.* is not an https address .* https://id\.example\.org"):
        authnb.login(issuer, client_id="notebook")


def test_a_mode_that_takes_a_secret_is_refused_before_the_person_acts() -> None:
    """And another one is named, if there is one."""
    with pytest.raises(authnb.ProviderError, match=r"client_secret=.*mode='device' needs none"):
        authnb.login("github", client_id="notebook", mode="loopback", view=None).wait(60)


def test_a_bad_value_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named, and what it may hold."""
    monkeypatch.setenv("AUTHNB_MODE", "telepathy")
    with pytest.raises(ValueError, match=r"AUTHNB_MODE is 'telepathy'.*'device'"):
        authnb.login(ISSUER, client_id="notebook")


@pytest.mark.parametrize("name", ["AUTHNB_INTERACTIVE", "AUTHNB_REMOTE"])
def test_a_switch_from_the_environment_is_0_or_1(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "yes")
    with pytest.raises(ValueError, match=f"{name} is 'yes'. Set it to 0 or 1"):
        authnb.login(ISSUER, client_id="notebook")


def test_a_scope_may_be_any_iterable_of_words(demo: DemoProvider) -> None:
    session = sign_in(demo, scope=iter(SCOPE.split()))
    assert set(session.token["scope"].split()) == set(SCOPE.split())


def test_a_forgotten_await_is_named(demo: DemoProvider, storage: MemoryStorage) -> None:
    login = authnb.login(demo.issuer, client_id=demo.client_id, mode="loopback", view=None, storage=storage)
    with pytest.raises(AttributeError, match=r"await authnb\.login"):
        login.get("/measurements")
    assert not hasattr(login, "_repr_png_")
    login.cancel()


def test_a_wait_that_runs_out(demo: DemoProvider, storage: MemoryStorage) -> None:
    """One of our errors, with text, and a `TimeoutError`; the sign-in goes on."""
    options = {"client_id": demo.client_id, "mode": "loopback", "view": None, "scope": SCOPE}
    login = authnb.login(demo.issuer, storage=storage, **options)
    with pytest.raises(TimeoutError, match="wait\\(\\) again") as caught:
        login.wait(0.01)
    assert isinstance(caught.value, AuthnbError)
    assert isinstance(caught.value, LoginTimeout)
    demo.visit(login.verification().uri, name="ada")
    assert login.wait(10).user


def test_a_provider_that_was_not_started_says_so() -> None:
    with pytest.raises(AttributeError, match=r"\.start\(\)"):
        _ = DemoProvider().issuer
    with pytest.raises(AttributeError, match=r"\.start\(\)"):
        _ = DemoProvider().api


def test_a_session_tells_whether_it_is_signed_in(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """True with a token, False once its renewal was refused, True after the next sign-in, False after `logout`."""
    session = sign_in(demo, token_proxy)
    assert session.signed_in
    token_proxy.outcome = lambda: "denied"
    age(session)
    with pytest.raises(LoginRequired):
        session.get("/stations")
    assert not session.signed_in
    session.token = sign_in(demo).token
    assert session.signed_in
    session.logout()
    assert not session.signed_in


def test_a_session_is_an_auth(session: Session, demo: DemoProvider) -> None:
    """For a bare call of requests or httpx."""
    assert requests.get(f"{demo.api}/stations", auth=session, timeout=10).ok
    with httpx.Client() as client:
        assert client.get(f"{demo.api}/stations", auth=session).is_success
    with pytest.raises(AuthnbError):
        requests.get("https://elsewhere.example.org", auth=session, timeout=10)


# prompt and login_hint (OpenID Connect Core section 3.1.2.1)


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({}, []),
        ({"prompt": "login"}, ["prompt=login&"]),
        ({"prompt": "login", "login_hint": "ada"}, ["prompt=login&", "login_hint=ada&"]),
        ({"profile": "boss"}, ["prompt=select_account&"]),
        ({"profile": "boss", "scope": "openid offline_access"}, ["prompt=select_account+consent&"]),
        ({"profile": "boss", "prompt": "login"}, ["prompt=login&"]),
    ],
)
def test_prompt_and_login_hint(
    demo: DemoProvider, storage: MemoryStorage, arguments: dict[str, Any], sent: list[str]
) -> None:
    """A second profile chooses an account by default, or the provider's session would sign the first one in again."""
    login = authnb.login(
        demo.issuer, client_id=demo.client_id, mode="loopback", view=None, storage=storage, **arguments
    )
    query = login.verification().uri.replace("%20", "+") + "&"
    assert all(part in query for part in sent)
    assert sent or ("prompt=" not in query and "login_hint=" not in query)
    login.cancel()


def test_another_account_instead(demo: DemoProvider, storage: MemoryStorage) -> None:
    """The panel's "Not you?": logged out, and the provider asks which account to use."""
    options = {"client_id": demo.client_id, "mode": "loopback", "view": None, "scope": SCOPE}
    login = authnb.login(demo.issuer, storage=storage, **options)
    demo.visit(login.verification().uri, name="ada")
    first = login.wait(10)
    login.switch_account()
    assert "prompt=select_account" in login.verification().uri
    demo.visit(login.verification().uri, name="grace")
    assert login.wait(10).user["preferred_username"] == "grace"
    assert not first.signed_in
