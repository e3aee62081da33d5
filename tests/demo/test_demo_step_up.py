"""APIs that want more than a token has: another scope (RFC 6750), or another sign-in (RFC 9470)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from demo_helpers import (
    DEVICE_GRANT,
    PASSWORD,
    SCOPE,
    Shown,
    Window,
    ask,
    get_tokens,
    redeem,
    refresh,
    signed_in_window,
    token_request,
)
from joserfc import jwt
from joserfc.jwk import KeySet
from registered import register

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from pathlib import Path

    from demo_helpers import Asked, Clock

PASSWORD_ACR = "urn:authnb:demo:password"
CODE_ACR = "urn:authnb:demo:one-time-code"
WHOLE = f"{SCOPE} archive:read"


def get(url: str, tokens: dict[str, Any]) -> requests.Response:
    return requests.get(url, headers={"Authorization": f"Bearer {tokens['access_token']}"}, timeout=20)


def shown_code(page: Shown) -> str:
    return page.soup.select_one("[data-one-time-code]").text


def finish(window: Window, page: Shown, asked: Asked) -> dict[str, Any]:
    """Enter what is asked for, say yes, and give the tokens."""
    if page.title == "Sign in":
        page = window.submit(page, name="ada", password=PASSWORD)
    if page.title == "Enter the one-time code":
        page = window.submit(page, one_time_code=shown_code(page))
    page = window.submit(page, decision="allow")
    answer = redeem(window.demo, asked, page.answer["code"])
    assert answer.status_code == 200, answer.text
    return answer.json()


def id_claims(demo: DemoProvider, tokens: dict[str, Any]) -> dict[str, Any]:
    keys = KeySet.import_key_set(requests.get(f"{demo.issuer}/jwks", timeout=20).json())
    return jwt.decode(tokens["id_token"], keys).claims


def test_by_scope(demo: DemoProvider) -> None:
    """RFC 6750 section 3.1; the page asks for what is new, and names what was allowed before."""
    window, asked = signed_in_window(demo), ask(demo, resource=demo.archive)
    first = finish(window, window.get(asked.url), asked)
    refused = get(f"{demo.archive}/months", first)
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
    challenge = refused.headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="archive:read"' in challenge
    asked = ask(demo, resource=demo.archive, scope=WHOLE)
    page = window.get(asked.url)
    assert [item.text for item in page.soup.select(".scopes li")] == ["read the whole archive"]
    assert "You allowed before: know that it is you, see your name" in page.text
    second = finish(window, page, asked)
    assert second["scope"] == WHOLE
    assert get(f"{demo.archive}/months", second).status_code == 200
    assert get(f"{demo.archive}/days", first).status_code == 200, "what was granted is kept"
    assert get(f"{demo.archive}/months", first).status_code == 403


def test_what_was_allowed_before_is_of_this_client(demo: DemoProvider) -> None:
    """A client that registered itself has no part in what another was allowed."""
    window, asked = signed_in_window(demo), ask(demo)
    finish(window, window.get(asked.url), asked)
    page = window.get(ask(demo, client_id=register(demo)["client_id"]).url)
    assert "You allowed before" not in page.text
    assert len(page.soup.select(".scopes li")) == len(SCOPE.split())


def test_by_acr(demo: DemoProvider) -> None:
    """RFC 9470 sections 3 to 5: the challenge, the authorization request, and the token."""
    window, asked = signed_in_window(demo), ask(demo)
    first = finish(window, window.get(asked.url), asked)
    assert id_claims(demo, first)["acr"] == PASSWORD_ACR
    refused = get(f"{demo.api}/calibration", first)
    assert (refused.status_code, refused.json()["error"]) == (401, "insufficient_user_authentication")
    challenge = refused.headers["WWW-Authenticate"]
    assert challenge.endswith(f'acr_values="{CODE_ACR}"')
    assert 'error="insufficient_user_authentication"' in challenge
    assert "max_age" not in challenge
    asked = ask(demo, acr_values=CODE_ACR)
    page = window.get(asked.url)
    assert page.title == "Enter the one-time code"
    assert "protects nothing" in page.text
    second = finish(window, page, asked)
    assert id_claims(demo, second)["acr"] == CODE_ACR
    assert get(f"{demo.api}/calibration", second).status_code == 200
    assert get(f"{demo.api}/calibration", first).status_code == 401
    renewed = refresh(demo, second["refresh_token"]).json()
    assert id_claims(demo, renewed)["acr"] == CODE_ACR
    assert get(f"{demo.api}/calibration", renewed).status_code == 200


def test_by_max_age(demo: DemoProvider, clock: Clock) -> None:
    """A renewed token is as old as the sign-in; another sign-in makes the API content."""
    window, asked = signed_in_window(demo), ask(demo)
    first = finish(window, window.get(asked.url), asked)
    assert get(f"{demo.api}/contacts", first).status_code == 200
    clock.turn(301)
    for tokens in (first, refresh(demo, first["refresh_token"]).json()):
        refused = get(f"{demo.api}/contacts", tokens)
        assert (refused.status_code, refused.json()["error"]) == (401, "insufficient_user_authentication")
        assert refused.headers["WWW-Authenticate"].endswith('max_age="300"')
        assert "acr_values" not in refused.headers["WWW-Authenticate"]
        assert get(f"{demo.api}/stations", tokens).status_code == 200
    asked = ask(demo, max_age="300")
    page = window.get(asked.url)
    assert page.title == "Sign in"
    second = finish(window, page, asked)
    assert id_claims(demo, second)["auth_time"] == clock()
    assert get(f"{demo.api}/contacts", second).status_code == 200


def test_by_both_and_by_scope_too(demo: DemoProvider, clock: Clock) -> None:
    """A new sign-in forgets the second factor of the one before."""
    window = signed_in_window(demo)
    wanted = {"resource": demo.archive, "scope": WHOLE, "acr_values": CODE_ACR, "max_age": "300"}
    asked = ask(demo, **wanted)
    first = finish(window, window.get(asked.url), asked)
    assert get(f"{demo.archive}/corrections", first).status_code == 200
    clock.turn(301)
    challenge = get(f"{demo.archive}/corrections", first).headers["WWW-Authenticate"]
    assert challenge.endswith(f'acr_values="{CODE_ACR}", max_age="300"')
    asked = ask(demo, **wanted)
    page = window.get(asked.url)
    assert page.title == "Sign in"
    page = window.submit(page, name="ada", password=PASSWORD)
    assert page.title == "Enter the one-time code"
    assert get(f"{demo.archive}/corrections", finish(window, page, asked)).status_code == 200


def test_a_second_factor_is_asked_for_once(demo: DemoProvider) -> None:
    """While the sign-in in the browser lasts; it does for less, and for whichever comes first of those there are."""
    window = signed_in_window(demo)
    for acr_values, title in (
        (PASSWORD_ACR, "Allow"),
        (f"{PASSWORD_ACR} {CODE_ACR}", "Allow"),
        (f"urn:unknown {CODE_ACR} {PASSWORD_ACR}", "Enter the one-time code"),
    ):
        asked = ask(demo, acr_values=acr_values)
        page = window.get(asked.url)
        assert page.title.startswith(title)
    finish(window, page, asked)
    for acr_values in (CODE_ACR, PASSWORD_ACR):
        asked = ask(demo, acr_values=acr_values)
        page = window.get(asked.url)
        assert page.title.startswith("Allow")
        assert id_claims(demo, finish(window, page, asked))["acr"] == CODE_ACR
    window.sign_in()
    assert window.get(ask(demo, acr_values=CODE_ACR).url).title == "Enter the one-time code"


def test_a_level_that_there_is_not(demo: DemoProvider) -> None:
    """RFC 9470 section 5: the client hears of it."""
    for window in (Window(demo), signed_in_window(demo)):
        answer = window.get(ask(demo, acr_values="urn:unknown").url).answer
        assert answer["error"] == "unmet_authentication_requirements"
        assert answer["state"] == "some state"


def test_with_nobody_to_ask(demo: DemoProvider) -> None:
    """`prompt=none` (OpenID Connect Core 1.0 section 3.1.2.6)."""
    answer = signed_in_window(demo).get(ask(demo, acr_values=CODE_ACR, prompt="none").url).answer
    assert answer["error"] == "login_required"


def test_by_device_code(demo: DemoProvider) -> None:
    """The token says how the person is signed in where they entered the code."""
    data = {"client_id": demo.client_id, "scope": SCOPE}
    for with_factor, acr in ((False, PASSWORD_ACR), (True, CODE_ACR)):
        window = signed_in_window(demo)
        if with_factor:
            page = window.get("/one-time-code")
            window.submit(page, one_time_code=shown_code(page))
        device = requests.post(f"{demo.issuer}/device_authorization", data=data, timeout=20).json()
        window.submit(window.get(device["verification_uri_complete"]), decision="allow")
        tokens = token_request(demo, grant_type=DEVICE_GRANT, device_code=device["device_code"]).json()
        assert id_claims(demo, tokens)["acr"] == acr


def test_a_token_with_nobody_signed_in_is_refused(demo: DemoProvider) -> None:
    auth = (demo.job_client_id, demo.job_client_secret)
    data = {"grant_type": "client_credentials"}
    tokens = requests.post(f"{demo.issuer}/token", data=data, auth=auth, timeout=20).json()
    for path in ("/calibration", "/contacts"):
        assert get(demo.api + path, tokens).json()["error"] == "insufficient_user_authentication"


def test_the_scope_comes_first(demo: DemoProvider) -> None:
    """Whoever lacks the scope is not sent to sign in again for nothing."""
    tokens = get_tokens(demo, scope="openid")
    for path in ("/calibration", "/contacts"):
        assert get(demo.api + path, tokens).json()["error"] == "insufficient_scope"


class TestTheCode:
    """One-time codes: for one browser, for five minutes, once."""

    def test_a_wrong_one_is_replaced(self, demo: DemoProvider) -> None:
        window = signed_in_window(demo)
        page = window.get(ask(demo, acr_values=CODE_ACR).url)
        first = shown_code(page)
        wrong = f"{(int(first) + 1) % 1_000_000:06}"
        page = window.submit(page, one_time_code=wrong)
        assert (page.status, page.errors) == (
            400,
            ["That was not the code, or it is too old. Here is another."],
        )
        assert shown_code(page) != first
        page = window.submit(page, one_time_code=first)
        assert page.status == 400
        assert window.submit(page, one_time_code=f" {shown_code(page)} ").title.startswith("Allow")

    def test_it_is_used_once(self, demo: DemoProvider) -> None:
        window = signed_in_window(demo)
        page = window.get("/one-time-code")
        code = shown_code(page)
        window.submit(page, one_time_code=code)
        again = window.post("/one-time-code", {**fields(page), "one_time_code": code})
        assert again.status == 400

    def test_it_gets_too_old(self, demo: DemoProvider, clock: Clock) -> None:
        window = signed_in_window(demo)
        page = window.get("/one-time-code")
        clock.turn(300)
        assert window.submit(page, one_time_code=shown_code(page)).status == 400

    def test_it_is_for_one_browser(self, demo: DemoProvider) -> None:
        """Also of the same person."""
        window, other = signed_in_window(demo), signed_in_window(demo)
        code = shown_code(window.get("/one-time-code"))
        page = other.get("/one-time-code")
        assert other.submit(page, one_time_code=code).status == 400

    def test_guessing_is_slowed_down(self, demo: DemoProvider) -> None:
        """For the account, in however many browsers; a right code in between does not start the count anew."""
        windows = [signed_in_window(demo) for _ in range(2)]
        pages = [window.get("/one-time-code") for window in windows]
        statuses = []
        for _ in range(2):
            for number, window in enumerate(windows):
                pages[number] = window.submit(pages[number], one_time_code="x")
                statuses.append(pages[number].status)
        assert statuses == [400, 400, 400, 429]
        assert pages[1].errors == ["Too many wrong attempts: try again in 1 second."]

    def test_a_forged_form_counts_for_nothing(self, demo: DemoProvider) -> None:
        window = signed_in_window(demo)
        page = window.get("/one-time-code")
        forged = window.post("/one-time-code", {"one_time_code": shown_code(page)})
        assert forged.status == 400
        assert "did not come from here" in " ".join(forged.errors)
        assert window.get(ask(demo, acr_values=CODE_ACR).url).title == "Enter the one-time code"

    def test_nobody_is_signed_in(self, demo: DemoProvider) -> None:
        page = Window(demo).get("/one-time-code", next="/authorize?x=1")
        assert page.title == "Sign in"
        assert parse_qs(urlsplit(page.url).query)["next"] == ["/authorize?x=1"]

    def test_afterwards_nobody_is_sent_elsewhere(self, demo: DemoProvider) -> None:
        window = signed_in_window(demo)
        for elsewhere in ("https://evil.example/authorize", "//evil.example/authorize", "/revoke"):
            page = window.get("/one-time-code", next=elsewhere)
            assert window.submit(page, one_time_code=shown_code(page)).url == f"{demo.issuer}/"

    def test_the_database_has_its_digest(self, tmp_path: Path) -> None:
        file = tmp_path / "demo.sqlite3"
        with DemoProvider(file) as demo:
            code = shown_code(signed_in_window(demo).get("/one-time-code"))
            with closing(sqlite3.connect(file)) as database:
                row = database.execute("select * from browsers").fetchone()
        assert code not in row


def fields(page: Shown) -> dict[str, str]:
    return {tag["name"]: tag.get("value", "") for tag in page.soup.select("input[name]")}


def test_what_a_token_says_of_it() -> None:
    """RFC 9068 section 2.2.1."""
    with DemoProvider(jwt_access_tokens=True) as demo:
        window, asked = signed_in_window(demo), ask(demo, acr_values=CODE_ACR)
        tokens = finish(window, window.get(asked.url), asked)
        keys = KeySet.import_key_set(requests.get(f"{demo.issuer}/jwks", timeout=20).json())
        claims = jwt.decode(tokens["access_token"], keys).claims
        known = id_claims(demo, tokens)
        assert (claims["acr"], claims["auth_time"]) == (CODE_ACR, known["auth_time"])


def test_the_person_of_the_demo_does_it() -> None:
    """Whoever uses `visit` in a notebook need not know."""
    with DemoProvider() as demo:
        page = demo.visit(f"{demo.issuer}/one-time-code?next=/device")
        assert page.url == f"{demo.issuer}/device"


def test_a_provider_without_a_second_factor() -> None:
    """It ignores what it does not know; its tokens have no acr, and the API goes on wanting one."""
    with DemoProvider(second_factor=False) as demo:
        document = requests.get(f"{demo.issuer}/.well-known/openid-configuration", timeout=20).json()
        assert "acr_values_supported" not in document
        window, asked = signed_in_window(demo), ask(demo, acr_values=CODE_ACR)
        page = window.get(asked.url)
        assert page.title.startswith("Allow")
        tokens = finish(window, page, asked)
        assert "acr" not in id_claims(demo, tokens)
        assert get(f"{demo.api}/calibration", tokens).json()["error"] == "insufficient_user_authentication"
        assert get(f"{demo.api}/contacts", tokens).status_code == 200


def test_the_levels_are_in_the_metadata(demo: DemoProvider) -> None:
    document = requests.get(f"{demo.issuer}/.well-known/openid-configuration", timeout=20).json()
    assert document["acr_values_supported"] == [PASSWORD_ACR, CODE_ACR]
    assert "acr" in document["claims_supported"]
    assert "archive:read" in document["scopes_supported"]


@pytest.mark.parametrize("column", ["browsers.acr", "authorizations.acr", "browsers.one_time_code_digest"])
def test_a_database_of_an_earlier_version(tmp_path: Path, column: str) -> None:
    file = tmp_path / "demo.sqlite3"
    with DemoProvider(file) as demo:
        window, port = signed_in_window(demo), int(demo.issuer.rsplit(":", 1)[1])
    table, name = column.split(".")
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
        database.commit()
    with DemoProvider(file, port) as demo:
        asked = ask(demo, acr_values=CODE_ACR)
        tokens = finish(window, window.get(asked.url), asked)
        assert id_claims(demo, tokens)["acr"] == CODE_ACR
