"""Attacks on the demo provider: a port that changes hands, guesses at codes, and people kept out by others.

Each attack has its honest twin beside it; docs/attacks.md lists both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from demo_helpers import SCOPE, Window, allow, ask, signed_in_window

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo_helpers import Clock

PAGE = "https://hub.example.org/lab/extensions/authnb/callback.html"
OTHER_PAGE = "https://other.example.org/callback.html"


@pytest.fixture
def hub_demo() -> Iterator[DemoProvider]:
    with DemoProvider(redirect_uris=(PAGE, OTHER_PAGE)) as provider:
        yield provider


def start_device(demo: DemoProvider) -> dict[str, Any]:
    data = {"client_id": demo.client_id, "scope": SCOPE}
    response: dict[str, Any] = requests.post(
        f"{demo.issuer}/device_authorization", data=data, timeout=20
    ).json()
    return response


def test_a_loopback_port_that_changed_hands_gets_no_code_unasked(demo: DemoProvider) -> None:
    """RFC 8252 section 8.6: whichever program listens there now, an earlier consent was not to it."""
    window = signed_in_window(demo)
    assert "code" in allow(window, ask(demo))
    assert window.get(ask(demo).url).title == "Allow Notebook?"
    assert window.get(ask(demo, prompt="none").url).answer["error"] == "consent_required"


def test_a_consent_at_an_https_address_is_asked_once_for_each_scope(hub_demo: DemoProvider) -> None:
    """The host's certificate assures who is there; another address is another client instance."""
    window = signed_in_window(hub_demo)
    assert "code" in allow(window, ask(hub_demo, redirect_uri=PAGE, scope="openid email"))
    assert "code" in window.get(ask(hub_demo, redirect_uri=PAGE, scope="openid").url).answer
    unasked = ask(hub_demo, redirect_uri=PAGE, scope="email openid", prompt="none")
    assert "code" in window.get(unasked.url).answer
    for changes in ({"scope": "openid profile"}, {"scope": "openid", "prompt": "consent"}):
        asked = ask(hub_demo, **{"redirect_uri": PAGE, **changes})
        assert window.get(asked.url).title == "Allow Notebook?"
    assert window.get(ask(hub_demo, redirect_uri=OTHER_PAGE, scope="openid").url).title == "Allow Notebook?"
    other = signed_in_window(hub_demo, "bob")
    assert other.get(ask(hub_demo, redirect_uri=PAGE, scope="openid").url).title == "Allow Notebook?"


def test_a_valid_user_code_of_ones_own_does_not_reset_the_count(demo: DemoProvider) -> None:
    """RFC 8628 section 5.1: between guesses an attacker could enter a code of a device of theirs."""
    own = start_device(demo)
    window = signed_in_window(demo)
    page = window.get("/device")
    statuses = []
    for _ in range(4):
        statuses.append(window.submit(page, user_code="BBBB-BBBB").status)
        window.submit(page, user_code=own["user_code"])
    assert statuses[-1] == 429


def test_right_user_codes_are_not_counted(demo: DemoProvider) -> None:
    window = signed_in_window(demo)
    page = window.get("/device")
    for _ in range(6):
        code = start_device(demo)["user_code"]
        assert window.submit(page, user_code=code).title == "Allow Notebook?"


def test_links_that_other_sites_open_keep_nobody_out(demo: DemoProvider) -> None:
    """A GET carries the person's cookie; its wrong codes are counted apart from what the person enters."""
    device = start_device(demo)
    window = signed_in_window(demo)
    for _ in range(9):
        window.get("/device", user_code="BBBB-BBBB")
        window.post(
            "/device/decision", {"user_code": "BBBB-BBBB", "decision": "allow", "csrf_token": "forged"}
        )
    page = window.get(device["verification_uri_complete"])
    assert page.status == 200
    assert window.submit(page).title == "Allow Notebook?"


def test_a_link_with_the_right_code_leads_to_the_decision(demo: DemoProvider) -> None:
    device = start_device(demo)
    page = signed_in_window(demo).get(device["verification_uri_complete"])
    assert page.title == "Allow Notebook?"


def test_wrong_passwords_of_others_keep_nobody_out_of_a_known_browser(demo: DemoProvider) -> None:
    window = signed_in_window(demo)
    window.submit(window.get("/logout"))
    attacker = Window(demo)
    assert [attacker.sign_in("ada", "wrong passphrase").status for _ in range(5)][-1] == 429
    assert window.sign_in("ada").title == "ada"


def test_guesses_in_a_known_browser_are_slowed_down_too(demo: DemoProvider, clock: Clock) -> None:
    window = signed_in_window(demo)
    window.submit(window.get("/logout"))
    assert [window.sign_in("ada", "wrong passphrase").status for _ in range(5)][-1] == 429
    clock.turn(2)
    assert window.sign_in("ada").title == "ada"
