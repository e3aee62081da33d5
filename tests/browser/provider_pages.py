"""Completes sign-ins on the provider's pages in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.sync_api import expect

if TYPE_CHECKING:
    from harness import Notebook
    from playwright.sync_api import BrowserContext, Page

    from authnb.demo import DemoProvider

PASSWORD = "a long passphrase"


def provider_for(*addresses: str, people: tuple[str, ...] = ("ada",)) -> DemoProvider:
    """A provider on another host name, which sends COOP, with these redirect URIs and accounts."""
    from authnb.demo import DemoProvider  # noqa: PLC0415 - after the tests chose where it stores

    demo = DemoProvider(issuer="http://localhost:{port}", redirect_uris=addresses, device_interval=1).start()
    for name in people:
        demo.sign_up(name, PASSWORD)
    return demo


def open_page(notebook: Notebook, name: str = "Open the sign-in page") -> Page:
    """Click the sign-in link; returns the page it opens."""
    with notebook.context.expect_page() as opened:
        notebook.link(name).click()
    opened.value.wait_for_load_state()
    return opened.value


def sign_in(page: Page, name: str = "ada") -> None:
    """Sign in, and allow access where the page asks for consent."""
    if page.get_by_label("Password", exact=True).is_visible():
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        with page.expect_navigation():
            page.get_by_role("button", name="Sign in").click()
    if page.get_by_role("button", name="Allow").is_visible():
        page.get_by_role("button", name="Allow").click()


def unreachable_redirect(notebook: Notebook, name: str = "ada") -> str:
    """Sign in; the redirect URL that could not be reached."""
    asked: list[str] = []
    notebook.context.on("request", lambda request: asked.append(request.url))
    page = open_page(notebook)
    sign_in(page, name)
    expect(page).to_have_url("chrome-error://chromewebdata/")
    page.close()
    return next(url for url in asked if "/callback?" in url and urlsplit(url).path == "/callback")


def by_page(notebook: Notebook, name: str = "ada") -> None:
    """Sign in on the page that the link opens, up to the callback page."""
    page = open_page(notebook)
    sign_in(page, name)
    expect(page.get_by_role("heading")).to_have_text("Go back to your notebook")
    assert page.evaluate("() => window.opener") is None
    page.close()


def by_device(notebook: Notebook, name: str = "ada") -> None:
    """Approve the user code."""
    page = open_page(notebook, "Open with the code")
    sign_in(page, name)
    expect(page.get_by_role("heading")).to_have_text("Notebook may go on")
    page.close()


def by_paste(notebook: Notebook, name: str = "ada") -> None:
    """Paste the redirect URL that the browser could not reach."""
    paste(notebook, unreachable_redirect(notebook, name))


def paste(notebook: Notebook, address: str) -> None:
    """Paste an address into the panel's field, which shows."""
    notebook.panel.get_by_label("Address you ended on").fill(address)
    notebook.press("Send")


def stray_answer(context: BrowserContext, address: str, name: str) -> str:
    """Sign in as this person by the link of somebody else: the address that the page they end on offers to paste."""
    page = context.new_page()
    page.goto(address)
    sign_in(page, name)
    expect(page.get_by_role("heading")).to_have_text("No notebook took the answer")
    answer = page.get_by_label("Address to paste").input_value()
    page.close()
    return answer


SIGN_IN_BY = {
    **dict.fromkeys(("auto", "loopback", "page", "proxy"), by_page),
    "device": by_device,
    "paste": by_paste,
}
