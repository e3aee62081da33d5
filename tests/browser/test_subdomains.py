"""On a real JupyterHub that gives each user a subdomain: one registered address, and nobody takes another's answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from harness import login
from hub import Hub, HubDesk, UserServer
from people import open_page, provider_for, sign_in
from playwright.sync_api import expect
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
def desks(hub: Hub, browser: Browser) -> Iterator[dict[str, HubDesk]]:
    servers = [UserServer(hub, name) for name in PEOPLE]
    opened = {server.name: HubDesk(server, browser) for server in servers}
    yield opened
    for desk in opened.values():
        desk.close()


@pytest.fixture(scope="module")
def provider(hub: Hub) -> Iterator[DemoProvider]:
    """It knows one address of this Hub."""
    with provider_for(hub.callback_page, people=PEOPLE) as demo:
        yield demo


def test_one_registered_address_serves_everybody(
    desks: dict[str, HubDesk], provider: DemoProvider, hub: Hub
) -> None:
    """`auto` takes it, each ends on a page of their own origin, and no log has the code."""
    row = TOPOLOGIES["subdomains"]
    assert row.run == ["auto", "page"]
    assert row.outcomes["auto"] == "page"
    for user, desk in desks.items():
        with desk.notebook(login(provider), "print('next', api.user['preferred_username'])") as notebook:
            notebook.run_all()
            expect(notebook.panel).to_contain_text(
                "so the answer comes back over a page of your Jupyter server"
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


def test_neither_takes_over_the_others_sign_in(desks: dict[str, HubDesk], provider: DemoProvider) -> None:
    """Who opens another's link ends on a page of their own, where nobody waits for that answer."""
    ada, grace = desks["ada"], desks["grace"]
    with (
        ada.notebook(login(provider, mode="page", then="signin")) as hers,
        grace.notebook(login(provider, mode="page", then="signin")) as other,
    ):
        hers.run_all()
        other.run_all()
        other.link()
        page = grace.context.new_page()
        page.goto(hers.address())
        sign_in(page, "grace")
        expect(page.get_by_role("heading")).to_have_text("No notebook took the answer")
        answer = page.get_by_label("Address to paste").input_value()
        assert answer.startswith(grace.server.url)
        page.close()
        other.panel.locator("summary").click()
        other.panel.get_by_label("Address you ended on").fill(answer)
        other.press("Send")
        expect(other.panel.get_by_role("alert")).to_contain_text("belongs to another sign-in")
        hers.phase("waiting")
        other.phase("waiting")
        hers.press("Cancel")
        other.press("Cancel")
