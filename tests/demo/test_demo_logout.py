"""OpenID Connect RP-Initiated Logout 1.0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from demo_helpers import CALLBACK, allow, ask, get_tokens, redeem, signed_in_window

if TYPE_CHECKING:
    from authnb.demo import DemoProvider


def test_an_id_token_alone_signs_out_and_leads_back(demo: DemoProvider) -> None:
    window, asked = signed_in_window(demo), ask(demo)
    id_token = redeem(demo, asked, allow(window, asked)["code"]).json()["id_token"]
    page = window.get("/logout", id_token_hint=id_token, post_logout_redirect_uri=CALLBACK, state="s")
    assert page.url == f"{CALLBACK}?state=s"
    assert window.get("/").title == "A provider to learn with"


def test_without_an_id_token_the_person_is_asked(demo: DemoProvider) -> None:
    window = signed_in_window(demo)
    page = window.get("/logout", post_logout_redirect_uri=CALLBACK, client_id="notebook")
    assert page.title == "Sign out?"
    assert window.get("/").title == "ada"
    assert window.submit(page, submit="yes").title == "You are signed out"
    assert window.get("/").title == "A provider to learn with"


def test_the_id_token_of_somebody_else_signs_nobody_out_unasked(demo: DemoProvider) -> None:
    bobs = get_tokens(demo, "bob")["id_token"]
    window = signed_in_window(demo)
    assert window.get("/logout", id_token_hint=bobs).title == "Sign out?"
    assert window.get("/").title == "ada"


@pytest.mark.parametrize(
    "target", ["https://example.org/", "http://127.0.0.1:9/elsewhere", "//example.org", "x"]
)
def test_a_logout_leads_to_no_unregistered_address(demo: DemoProvider, target: str) -> None:
    window, asked = signed_in_window(demo), ask(demo)
    id_token = redeem(demo, asked, allow(window, asked)["code"]).json()["id_token"]
    page = window.get("/logout", id_token_hint=id_token, post_logout_redirect_uri=target)
    assert (page.status, page.title) == (200, "You are signed out")


@pytest.mark.parametrize("hint", ["x", "a.b.c", '"\\', "eyJhbGciOiJub25lIn0.eyJhdWQiOiJub3RlYm9vayJ9."])
def test_a_forged_id_token_signs_nobody_out(demo: DemoProvider, hint: str) -> None:
    window = signed_in_window(demo)
    assert window.get("/logout", id_token_hint=hint).status == 400
    assert window.get("/").title == "ada"


def test_an_expired_id_token_is_still_a_hint(demo: DemoProvider) -> None:
    """Section 2: the OP accepts it even when its time has passed. The test's clock is in the past."""
    window, asked = signed_in_window(demo), ask(demo)
    id_token = redeem(demo, asked, allow(window, asked)["code"]).json()["id_token"]
    assert window.get("/logout", id_token_hint=id_token).title == "You are signed out"


def test_a_forged_sign_out_form_comes_again(demo: DemoProvider) -> None:
    window = signed_in_window(demo)
    page = window.post("/logout", {"submit": "yes", "csrf_token": "forged"})
    assert (page.status, page.title, len(page.errors)) == (400, "Sign out?", 1)
    assert window.get("/").title == "ada"
