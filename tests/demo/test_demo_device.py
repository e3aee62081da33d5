"""The device flow (RFC 8628), from the device's side and from the person's."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
import requests
from demo_helpers import (
    DEVICE_GRANT,
    Clock,
    Window,
    api_status,
    at_once,
    signed_in_window,
    token_request,
    web_post,
)

if TYPE_CHECKING:
    from authnb.demo import DemoProvider


def start(demo: DemoProvider, **others: str) -> dict[str, str]:
    data = {"client_id": demo.client_id, "scope": "openid measurements:read"} | others
    answer = requests.post(f"{demo.issuer}/device_authorization", data=data, timeout=20)
    assert answer.status_code == 200
    return answer.json()


def poll(demo: DemoProvider, device: dict[str, str]) -> requests.Response:
    return token_request(demo, grant_type=DEVICE_GRANT, device_code=device["device_code"])


def test_the_whole_flow(demo: DemoProvider, clock: Clock) -> None:
    device = start(demo)
    assert device["verification_uri"] == f"{demo.issuer}/device"
    assert device["verification_uri_complete"] == f"{demo.issuer}/device?user_code={device['user_code']}"
    assert (device["expires_in"], device["interval"]) == (600, 5)
    assert poll(demo, device).json() == {"error": "authorization_pending"}
    window = signed_in_window(demo)
    page = window.get(device["verification_uri_complete"])
    assert page.title == "Allow Notebook?"
    assert device["user_code"] in page.text
    assert window.submit(page, decision="allow").title == "Notebook may go on"
    clock.turn(5)
    tokens = poll(demo, device).json()
    assert {"access_token", "refresh_token", "id_token"} <= tokens.keys()
    assert api_status(demo, tokens["access_token"]) == 200


def test_a_device_code_used_again_is_refused(demo: DemoProvider) -> None:
    device = start(demo)
    demo.approve(device["user_code"])
    tokens = poll(demo, device)
    again = poll(demo, device)
    assert (tokens.status_code, again.status_code, again.json()["error"]) == (200, 400, "invalid_grant")


def test_eight_polls_at_once_give_tokens_to_one(demo: DemoProvider) -> None:
    device = start(demo)
    demo.approve(device["user_code"])
    answers = at_once(lambda: poll(demo, device))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 7}
    assert {answer.json()["error"] for answer in answers if not answer.ok} == {"invalid_grant"}
    winner = next(answer.json() for answer in answers if answer.ok)
    assert api_status(demo, winner["access_token"]) == 200


def test_polling_too_fast_slows_the_device_down_for_good(demo: DemoProvider, clock: Clock) -> None:
    """RFC 8628 section 3.5: 5 seconds more, for this and all later polls."""
    device = start(demo)
    assert poll(demo, device).json()["error"] == "authorization_pending"
    clock.turn(4.9)
    assert poll(demo, device).json()["error"] == "slow_down"
    clock.turn(9.9)
    assert poll(demo, device).json()["error"] == "slow_down"
    clock.turn(15)
    assert poll(demo, device).json()["error"] == "authorization_pending"


def test_an_old_device_code_is_expired(demo: DemoProvider, clock: Clock) -> None:
    device = start(demo)
    clock.turn(601)
    assert poll(demo, device).json()["error"] == "expired_token"
    page = signed_in_window(demo).get(device["verification_uri_complete"])
    assert (page.status, len(page.errors)) == (400, 1)


def test_a_refused_device_is_told(demo: DemoProvider) -> None:
    device = start(demo)
    assert "refused" in demo.deny(device["user_code"]).text
    assert poll(demo, device).json()["error"] == "access_denied"


@pytest.mark.parametrize(
    "spelling", [str, str.lower, lambda code: code.replace("-", ""), lambda code: f" {code} "]
)
def test_the_code_may_be_typed_in_any_way(demo: DemoProvider, spelling: type[str]) -> None:
    """RFC 8628 section 6.1."""
    device = start(demo)
    window = signed_in_window(demo)
    page = window.submit(window.get("/device"), user_code=spelling(device["user_code"]))
    assert page.title == "Allow Notebook?"
    window.submit(page, decision="allow")
    assert poll(demo, device).status_code == 200


def test_the_person_signs_in_first_and_the_code_is_kept(demo: DemoProvider) -> None:
    device = start(demo)
    window = Window(demo)
    window.sign_up()
    page = window.get(device["verification_uri_complete"])
    assert page.title == "Sign in"
    page = window.submit(page, name="ada", password="a long passphrase")
    assert page.title == "Allow Notebook?"


def test_an_unknown_or_used_code_gives_the_form_again(demo: DemoProvider) -> None:
    device = start(demo)
    window = signed_in_window(demo)
    wrong = window.submit(window.get("/device"), user_code="BBBB-BBBB")
    assert (wrong.status, wrong.title, len(wrong.errors)) == (400, "Enter the code", 1)
    empty = window.submit(window.get("/device"), user_code="")
    assert empty.errors == ["Enter the code that is shown to you."]
    page = window.get(device["verification_uri_complete"])
    demo.deny(device["user_code"], name="bob")
    late = window.submit(page, decision="allow")
    assert (late.status, late.title) == (400, "Enter the code")
    assert poll(demo, device).json()["error"] == "access_denied"


def test_of_eight_decisions_at_once_one_counts(demo: DemoProvider) -> None:
    device = start(demo)
    windows = [signed_in_window(demo, f"person{number}") for number in range(8)]
    pages = [window.get(device["verification_uri_complete"]) for window in windows]
    ready = list(zip(windows, pages, strict=True))
    results = at_once(lambda: (pair := ready.pop()) and pair[0].submit(pair[1], decision="allow"))
    assert Counter(result.status for result in results) == {200: 1, 400: 7}
    assert poll(demo, device).status_code == 200


def test_guessing_codes_is_slowed_down(demo: DemoProvider, clock: Clock) -> None:
    """RFC 8628 section 5.1."""
    device = start(demo)
    window = signed_in_window(demo)
    page = window.get("/device")
    statuses = [window.submit(page, user_code="BBBB-BBBB").status for _ in range(5)]
    assert statuses == [400, 400, 400, 429, 429]
    assert window.submit(page, user_code=device["user_code"]).status == 429
    clock.turn(2)
    assert window.get(device["verification_uri_complete"]).title == "Allow Notebook?"


def test_a_forged_decision_changes_nothing(demo: DemoProvider) -> None:
    device = start(demo)
    window = signed_in_window(demo)
    for token in ("", "forged"):
        data = {"user_code": device["user_code"], "decision": "allow", "csrf_token": token}
        page = window.post("/device/decision", data)
        assert (page.status, page.title, len(page.errors)) == (400, "Allow Notebook?", 1)
    assert poll(demo, device).json()["error"] == "authorization_pending"


def test_bad_requests_of_devices(demo: DemoProvider) -> None:
    assert web_post(demo, "/device_authorization").json()["error"] == "unauthorized_client"
    url = f"{demo.issuer}/device_authorization"
    unknown = requests.post(url, data={"client_id": "notebook", "scope": "nonsense"}, timeout=20)
    assert unknown.json()["error"] == "invalid_scope"
    assert requests.post(url, data={"client_id": "nobody"}, timeout=20).json()["error"] == "invalid_client"
    assert requests.post(url, timeout=20).json()["error"] == "invalid_client"
    nothing = token_request(demo, grant_type=DEVICE_GRANT, device_code="unknown")
    assert nothing.json()["error"] == "invalid_grant"
    device = start(demo)
    data = {"grant_type": DEVICE_GRANT, "device_code": device["device_code"]}
    assert web_post(demo, "/token", **data).json()["error"] == "unauthorized_client"


def test_without_a_scope_the_default_is_asked_and_given(demo: DemoProvider) -> None:
    device = start(demo, scope="")
    demo.approve(device["user_code"])
    assert poll(demo, device).json()["scope"] == "openid profile email"
