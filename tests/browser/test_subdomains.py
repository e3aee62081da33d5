"""On a real JupyterHub with a subdomain for each user: one redirect URI, and no user receives another's callback."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from harness import login
from hub import Hub, HubPage, UserServer
from playwright.sync_api import expect
from provider_pages import open_page, paste, provider_for, sign_in, stray_answer
from topologies import TOPOLOGIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from authnb.demo import DemoProvider

PEOPLE = ("ada", "grace")
SECRET = re.compile(r"(code|state)(=|%3D)(?!\[secret\])", re.IGNORECASE)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    expect.set_options(timeout=30_000)
    with Hub(tmp_path_factory.mktemp("hub"), subdomains=True) as running:
        yield running
    expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def pages(hub: Hub, browser: Browser) -> Iterator[dict[str, HubPage]]:
    servers = [UserServer(hub, name) for name in PEOPLE]
    opened = {server.name: HubPage(server, browser) for server in servers}
    yield opened
    for jupyter in opened.values():
        jupyter.close()


@pytest.fixture(scope="module")
def provider(hub: Hub) -> Iterator[DemoProvider]:
    """A provider where one redirect URI of this Hub is registered."""
    with provider_for(hub.callback_page, people=PEOPLE) as demo:
        yield demo


def test_one_registered_address_serves_everybody(
    pages: dict[str, HubPage], provider: DemoProvider, hub: Hub
) -> None:
    """`auto` uses it, each browser ends on a page of its user's origin, and no log has the code."""
    row = TOPOLOGIES["subdomains"]
    assert row.run == ["auto", "page"]
    assert row.outcomes["auto"] == "page"
    for user, jupyter in pages.items():
        with jupyter.notebook(login(provider), "print('next', api.user['preferred_username'])") as notebook:
            notebook.run_all()
            expect(notebook.panel).to_contain_text(
                "so the callback arrives through a page of your Jupyter server"
            )
            notebook.link()
            assert parse_qs(urlsplit(notebook.address()).query)["redirect_uri"] == [hub.callback_page]
            page = open_page(notebook)
            sign_in(page, user)
            expect(page.get_by_role("heading")).to_have_text("Go back to your notebook")
            assert page.url == f"{hub.user_url(user)}/lab/extensions/authnb/callback.html"
            page.close()
            notebook.phase("signed_in")
            notebook.idle()
            assert f"next {user}" in notebook.outputs(1)
    log = hub.log.read_text()
    assert "/user-redirect/" in log, "the Hub passed them on"
    assert not [line for line in log.splitlines() if "callback.html" in line and SECRET.search(line)]


def test_no_user_takes_over_anothers_sign_in(pages: dict[str, HubPage], provider: DemoProvider) -> None:
    """Another user's authorization URL leads to one's own callback page, where no sign-in waits for its state."""
    ada, grace = pages["ada"], pages["grace"]
    with (
        ada.notebook(login(provider, mode="page", then="signin")) as hers,
        grace.notebook(login(provider, mode="page", then="signin")) as other,
    ):
        hers.run_all()
        other.run_all()
        other.link()
        answer = stray_answer(grace.context, hers.address(), "grace")
        assert answer.startswith(grace.server.url)
        other.panel.locator("summary").click()
        paste(other, answer)
        expect(other.panel.get_by_role("alert")).to_contain_text("belongs to another sign-in")
        hers.phase("waiting")
        other.phase("waiting")
        hers.press("Cancel")
        other.press("Cancel")
