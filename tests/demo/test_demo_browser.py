"""The pages in a real browser: a whole sign-up and sign-in, without JavaScript, and what axe-core says of each page."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from demo_helpers import PASSWORD, ask, require
from harness import CHROMIUM
from playwright.sync_api import sync_playwright
from registered import register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.demo import DemoProvider

ONE_TIME_CODE = "urn:authnb:demo:one-time-code"
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1000, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1000, "height": 800}},
    "phone": {"color_scheme": "light", "viewport": {"width": 320, "height": 640}},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    require(chromium, "no Chromium here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield browser
        browser.close()


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_passes_axe(browser: Any, demo: DemoProvider, look: str) -> None:
    """No violation on any page, in any of its states; AUTHNB_SCREENSHOTS=folder keeps pictures to look at."""
    pictures = os.environ.get("AUTHNB_SCREENSHOTS")
    context = browser.new_context(base_url=demo.issuer, **LOOKS[look])
    page = context.new_page()
    seen: list[str] = []

    def check(name: str) -> None:
        seen.append(name)
        if pictures:
            page.screenshot(path=Path(pictures) / f"{look}-{len(seen):02}-{name}.png")
        results = Axe().run(page)
        assert results.violations_count == 0, f"{name}: {results.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"

    walk(page, demo, check)
    assert len(seen) == 19
    context.close()


def press(page: Any, name: str, role: str = "button") -> None:
    """Press it and wait for the page that comes of it."""
    with page.expect_navigation():
        page.get_by_role(role, name=name).click()


def walk(page: Any, demo: DemoProvider, check: Callable[[str], None]) -> None:
    """Go to each page, in each state, as a person might."""
    page.goto("/")
    check("home")
    page.goto(ask(demo).url)
    check("sign-in")
    press(page, "Sign in")
    check("sign-in-empty")
    for _ in range(4):
        page.get_by_label("Name").fill("ada")
        page.get_by_label("Password").fill("wrong passphrase")
        press(page, "Sign in")
    check("sign-in-wait")
    press(page, "Create account", "link")
    check("sign-up")
    page.get_by_label("Name", exact=True).fill("grace hopper")
    page.get_by_label("E-mail").fill("grace@")
    page.get_by_label("Password", exact=True).fill("short")
    press(page, "Create account")
    check("sign-up-errors")
    page.get_by_label("Name", exact=True).fill("grace")
    page.get_by_label("E-mail").fill("grace@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    press(page, "Create account")
    check("sign-in-welcome")
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")
    check("consent")
    page.goto("/")
    check("home-signed-in")
    with_a_second_factor(page, demo, check)
    device = requests.post(
        f"{demo.issuer}/device_authorization", data={"client_id": "notebook"}, timeout=20
    ).json()
    page.goto("/device")
    check("device")
    page.get_by_label("Code").fill("BBBB-BBBB")
    press(page, "Continue")
    check("device-unknown")
    page.goto(device["verification_uri_complete"])
    check("device-decision")
    press(page, "Allow")
    check("device-done")
    page.goto("/authorize?client_id=nobody&response_type=code")
    check("error")
    page.goto("/logout")
    check("sign-out")
    press(page, "Sign out")
    check("signed-out")


def with_a_second_factor(page: Any, demo: DemoProvider, check: Callable[[str], None]) -> None:
    """Go on to a client that registered itself, for an API that wants more."""
    client = register(demo)["client_id"]
    page.goto(ask(demo, client_id=client, resource=demo.archive, acr_values=ONE_TIME_CODE).url)
    check("one-time-code")
    page.get_by_label("Code").fill("x")
    press(page, "Continue")
    check("one-time-code-wrong")
    page.get_by_label("Code").fill(page.locator("[data-one-time-code]").inner_text())
    press(page, "Continue")
    check("consent-registered")


def test_sign_up_sign_in_consent_without_javascript(browser: Any, demo: DemoProvider) -> None:
    """A person, a browser without scripts, and a client that gets its answer."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    answers: list[str] = []
    page.on(
        "request",
        lambda request: answers.append(request.url) if "/callback" in request.url.split("?")[0] else None,
    )
    page.goto(ask(demo, prompt="create").url)
    page.get_by_label("Name", exact=True).fill("grace")
    page.get_by_label("E-mail").fill("grace@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    press(page, "Create account")
    assert page.get_by_label("Name").input_value() == "grace"
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")
    with page.expect_request("**/callback?*"):
        page.get_by_role("button", name="Allow").click(no_wait_after=True)
    assert "code=" in answers[-1]
    context.close()


def test_the_keyboard_alone_is_enough(browser: Any, demo: DemoProvider) -> None:
    context = browser.new_context(base_url=demo.issuer)
    page = context.new_page()
    page.goto("/signup")
    page.get_by_label("Name", exact=True).focus()
    for text in ("grace", "Grace", "grace@example.org", PASSWORD, PASSWORD):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Create account"
    page.keyboard.press("Enter")
    page.wait_for_url("**/login*")
    context.close()
