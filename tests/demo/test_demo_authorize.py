"""The authorization endpoint: refusals, error redirects, consent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from demo_helpers import CALLBACK, PASSWORD, Clock, Window, allow, ask, redeem, signed_in_window

if TYPE_CHECKING:
    from authnb.demo import DemoProvider


def test_an_allowed_request_gives_code_state_and_issuer(demo: DemoProvider) -> None:
    answer = allow(signed_in_window(demo), ask(demo))
    assert answer == {"code": answer["code"], "state": "some state", "iss": demo.issuer}


def test_a_denied_request_is_told_with_issuer(demo: DemoProvider) -> None:
    """RFC 9207 section 2: errors name the issuer too."""
    window = signed_in_window(demo)
    page = window.submit(window.get(ask(demo).url), decision="deny")
    assert page.response.status_code == 303
    assert (page.answer["error"], page.answer["state"]) == ("access_denied", "some state")
    assert page.answer["iss"] == demo.issuer
    assert "code" not in page.answer


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1:1/callback",
        "http://127.0.0.1:65535/callback",
        "http://127.0.0.1/callback",
        "http://[::1]:5000/callback",
        "http://localhost:8888/callback",
    ],
)
def test_any_loopback_port_will_do(demo: DemoProvider, redirect_uri: str) -> None:
    """RFC 8252 section 7.3."""
    window, asked = signed_in_window(demo), ask(demo, redirect_uri=redirect_uri)
    page = window.submit(window.get(asked.url), decision="allow")
    assert page.url.startswith(f"{redirect_uri}?code=")
    assert redeem(demo, asked, page.answer["code"]).status_code == 200


@pytest.mark.parametrize(
    "redirect_uri",
    [
        None,
        "",
        "/callback",
        "callback",
        "https://127.0.0.1:5000/callback",
        "HTTP://127.0.0.1:5000/callback",
        "http://127.0.0.1:5000/Callback",
        "http://127.0.0.1:5000/callback/",
        "http://127.0.0.1:5000/callback/../callback",
        "http://127.0.0.1:5000//callback",
        "http://127.0.0.1:5000/callback?next=x",
        "http://127.0.0.1:5000/callback#x",
        "http://127.0.0.1:5000/call%62ack",
        "http://127.0.0.1:5000/callback\n",
        "http://127.0.0.1:5000\\@example.org/callback",
        "http://127.0.0.1:5000@example.org/callback",
        "http://ada@127.0.0.1:5000/callback",
        "http://127.0.0.1.example.org:5000/callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:5000:80/callback",
        "http://127.0.0.1:\u0665\u0660\u0660\u0660/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.2:5000/callback",
        "http://127.1:5000/callback",
        "http://2130706433:5000/callback",
        "http://LOCALHOST:5000/callback",
        "http://localhost.:5000/callback",
        "http://[::ffff:127.0.0.1]:5000/callback",
        "http://example.org/callback",
        "javascript:alert(1)",
        'http://127.0.0.1:5000/callback"<b>',
        "http://127.0.0.1:5000/authorize",
    ],
)
def test_a_redirect_uri_that_is_not_registered_gets_nothing(
    onlooker: Window, redirect_uri: str | None
) -> None:
    """RFC 6749 section 4.1.2.1: an error page, and no redirect."""
    page = onlooker.get(ask(onlooker.demo, redirect_uri=redirect_uri).url)
    assert (page.status, page.title) == (400, "This sign-in cannot go on")
    assert "Location" not in page.response.headers
    assert page.url.startswith(onlooker.demo.issuer)


@pytest.mark.parametrize("client_id", [None, "", "nobody", "\x00", '"', "web"])
def test_an_unknown_client_gets_nothing(onlooker: Window, client_id: str | None) -> None:
    page = onlooker.get(ask(onlooker.demo, client_id=client_id).url)
    assert (page.status, page.title) == (400, "This sign-in cannot go on")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"scope": "openid nonsense"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "nonsense"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://example.org/"}, "request_uri_not_supported"),
        ({"prompt": "none"}, "consent_required"),
    ],
)
def test_a_bad_request_is_told_to_the_client(
    onlooker: Window, changes: dict[str, str | None], error: str
) -> None:
    answer = onlooker.get(ask(onlooker.demo, **changes).url).answer
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "some state", onlooker.demo.issuer)


def test_the_web_client_needs_pkce_too(demo: DemoProvider) -> None:
    asked = ask(demo, client_id="web", redirect_uri="http://127.0.0.1:5000/authorize", code_challenge=None)
    assert signed_in_window(demo).get(asked.url).answer["error"] == "invalid_request"


def test_a_repeated_parameter_is_refused(demo: DemoProvider) -> None:
    """RFC 6749 section 3.1."""
    window = signed_in_window(demo)
    for repeated in (
        "state=2",
        "client_id=notebook",
        "scope=openid",
        "redirect_uri=http://127.0.0.1:8/callback",
    ):
        assert window.get(f"{ask(demo).url}&{repeated}").status == 400
    assert window.get(f"{ask(demo).url}&code_challenge=x").answer["error"] == "invalid_request"


def test_line_breaks_in_state_split_no_header(demo: DemoProvider) -> None:
    window = signed_in_window(demo)
    page = window.submit(window.get(ask(demo, state="a\r\nSet-Cookie: x=y").url), decision="deny")
    assert page.answer["state"] == "a\r\nSet-Cookie: x=y"
    assert "x=y" not in page.response.headers.get("Set-Cookie", "")


def test_the_consent_page_names_the_scopes_and_the_person(demo: DemoProvider) -> None:
    page = signed_in_window(demo).get(ask(demo, scope="openid email").url)
    assert [item.text for item in page.soup.select("li")] == [
        "know that it is you",
        "see your e-mail address",
    ]
    assert "signed in as ada" in page.text


def test_a_denial_is_not_stored_as_consent(demo: DemoProvider) -> None:
    window = signed_in_window(demo)
    window.submit(window.get(ask(demo).url), decision="deny")
    assert window.get(ask(demo).url).title == "Allow Notebook?"


@pytest.mark.parametrize("forged", [{"csrf_token": ""}, {"csrf_token": "forged"}, {"decision": "perhaps"}])
def test_a_forged_consent_gives_no_code(demo: DemoProvider, forged: dict[str, str]) -> None:
    window = signed_in_window(demo)
    page = window.submit(window.get(ask(demo).url), **{"decision": "allow"} | forged)
    assert (page.status, page.title) == (400, "Allow Notebook?")
    assert window.get(ask(demo).url).title == "Allow Notebook?"


def test_consent_of_somebody_signed_out_leads_to_the_sign_in_page(demo: DemoProvider) -> None:
    window, other = signed_in_window(demo), Window(demo)
    page = window.get(ask(demo).url)
    assert other.submit(page, decision="allow").title == "Sign in"


def test_prompt_none_never_asks(demo: DemoProvider) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.6, with and without `openid`."""
    for scope in ("openid", "measurements:read"):
        answer = Window(demo).get(ask(demo, prompt="none", scope=scope).url).answer
        assert (answer["error"], answer["iss"]) == ("login_required", demo.issuer)


@pytest.mark.parametrize("prompt", ["login", "select_account", "login consent"])
def test_prompt_login_asks_again_once(demo: DemoProvider, prompt: str) -> None:
    window = signed_in_window(demo)
    page = window.get(ask(demo, prompt=prompt).url)
    assert page.title == "Sign in"
    page = window.submit(page, name="ada", password=PASSWORD)
    assert page.title == "Allow Notebook?"
    assert "code" in window.submit(page, decision="allow").answer


def test_prompt_create_begins_with_the_sign_up_page(demo: DemoProvider) -> None:
    """Initiating User Registration via OpenID Connect 1.0; also for one who is signed in."""
    for window in (Window(demo), signed_in_window(demo, "bob")):
        name = f"carol{id(window)}"
        page = window.get(ask(demo, prompt="create", login_hint=name).url)
        assert page.title == "Create an account"
        assert page.field("name")["value"] == name
        page = window.submit(page, email="c@example.org", password=PASSWORD, password_again=PASSWORD)
        assert page.title == "Sign in"
        page = window.submit(page, password=PASSWORD)
        assert f"signed in as {name}" in page.text


def test_max_age_asks_those_who_signed_in_long_ago(demo: DemoProvider, clock: Clock) -> None:
    window = signed_in_window(demo)
    window.submit(window.get(ask(demo).url), decision="allow")
    clock.turn(60)
    assert window.get(ask(demo, max_age="61").url).title == "Allow Notebook?"
    assert window.get(ask(demo, max_age="60", prompt="none").url).answer["error"] == "login_required"
    page = window.get(ask(demo, max_age="60").url)
    assert page.title == "Sign in"
    assert window.submit(page, name="ada", password=PASSWORD).title == "Allow Notebook?"
    assert window.get(ask(demo, max_age="0").url).title == "Sign in"
    assert window.get(ask(demo, max_age="9" * 400).url).title == "Allow Notebook?"


def test_a_login_hint_fills_in_the_name_and_is_compared(demo: DemoProvider) -> None:
    window = signed_in_window(demo)
    page = window.get(ask(demo, login_hint="bob").url)
    assert (page.title, page.field("name")["value"]) == ("Sign in", "bob")
    assert window.get(ask(demo, login_hint="ADA").url).title == "Allow Notebook?"
    assert window.get(ask(demo, login_hint="ada@example.org").url).title == "Allow Notebook?"
    other = Window(demo)
    page = other.submit(other.get(ask(demo, login_hint="bob").url), name="ada", password=PASSWORD)
    assert page.title == "Allow Notebook?"


def test_a_posted_request_is_the_same_request(demo: DemoProvider) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1."""
    data = {
        "response_type": "code",
        "client_id": "notebook",
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "code_challenge": "x" * 43,
        "code_challenge_method": "S256",
    }
    assert signed_in_window(demo).post("/authorize", data).title == "Allow Notebook?"
