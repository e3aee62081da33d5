"""How the answer comes back where the browser cannot reach the kernel: clicked through in JupyterLab."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from harness import login
from people import ended_on, open_page, provider_for, sign_in
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Desk, Server

    from authnb.demo import DemoProvider

pytestmark = pytest.mark.parametrize("app", ["lab"], indirect=True, scope="module")
CODE = re.compile(r"[?&#]code=")


@pytest.fixture(scope="module")
def provider(server: Server) -> Iterator[DemoProvider]:
    """A provider of another host name, which sends COOP; it knows the addresses of this Jupyter server."""
    page, proxy = f"{server.url}/lab/extensions/authnb/callback.html", f"{server.url}/proxy/8799/callback"
    with provider_for(page, proxy) as demo:
        yield demo


@pytest.mark.parametrize("mode", ["page", "proxy"])
def test_over_the_jupyter_server(desk: Desk, provider: DemoProvider, mode: str) -> None:
    """The answer comes back over a page, or the proxy, of the server that the browser does reach."""
    cell = login(provider, mode=mode, redirect_port=8799)
    with desk.notebook(cell, "print('next', api.user['name'])") as notebook:
        notebook.run_all()
        page = open_page(notebook)
        sign_in(page)
        expect(page.get_by_role("heading")).to_have_text("Go back to your notebook")
        assert urlsplit(page.url).netloc == urlsplit(desk.server.url).netloc
        if mode == "page":
            assert not CODE.search(page.url), "the code is taken out of the address"
        notebook.phase("signed_in")
        notebook.idle()
        assert "next Ada" in notebook.outputs(1)
        page.close()
    log = desk.server.log.read_text()
    assert not CODE.search(log) or mode == "proxy"


def test_the_address_pasted(desk: Desk, provider: DemoProvider) -> None:
    """Nobody listens where the browser ends; its address does it."""
    with desk.notebook(login(provider, mode="paste"), "print('next', api.user['name'])") as notebook:
        notebook.run_all()
        address = ended_on(notebook)
        field = notebook.panel.get_by_label("Address you ended on")
        field.fill(address)
        notebook.press("Send")
        notebook.phase("signed_in")
        notebook.idle()
        assert "next Ada" in notebook.outputs(1)
        assert "code=" not in notebook.save()


def test_no_notebook_takes_the_answer(desk: Desk) -> None:
    """The callback page says so, and shows the address to paste."""
    page = desk.context.new_page()
    address = f"{desk.server.url}/lab/extensions/authnb/callback.html?code=c&state=nobodys"
    page.goto(address)
    expect(page.get_by_role("heading")).to_have_text("No notebook took the answer")
    expect(page.get_by_label("Address to paste")).to_have_value(address)
    assert page.url == address.partition("?")[0]
    page.goto(address.partition("?")[0])
    expect(page.get_by_role("heading")).to_have_text("Nothing here")
    page.close()


def test_a_refused_address_is_noticed_and_another_way_taken(desk: Desk, provider: DemoProvider) -> None:
    """The provider shows an error and sends nobody back; who comes back finds why, and the next way, in place."""
    cell = login(provider, mode="proxy", redirect_port=8798)
    with desk.notebook(cell, "print('next', api.user['name'])") as notebook:
        notebook.run_all()
        page = open_page(notebook)
        expect(page.get_by_role("heading")).to_have_text("This sign-in cannot go on")
        page.close()
        desk.page.evaluate("() => window.dispatchEvent(new Event('focus'))")
        alert = notebook.panel.get_by_role("alert")
        expect(alert).to_contain_text("sends no answer to")
        expect(alert).to_contain_text("/proxy/8798/callback")
        notebook.panel.locator("summary").click()
        notebook.press("Answer over this Jupyter server instead")
        page = open_page(notebook)
        sign_in(page)
        notebook.phase("signed_in")
        notebook.idle()
        assert "next Ada" in notebook.outputs(1)
        page.close()
