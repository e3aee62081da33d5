"""Each mode, clicked through in JupyterLab and in Notebook 7."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from harness import login
from playwright.sync_api import expect
from provider_pages import SIGN_IN_BY, by_page, open_page, provider_for
from support import free_port
from topologies import MODES, TOPOLOGIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import JupyterPage, Server

    from authnb.demo import DemoProvider

in_lab = pytest.mark.parametrize("app", ["lab"], indirect=True, scope="module")
CODE = re.compile(r"[?&#]code=")
ROWS = {"lab": TOPOLOGIES["lab"], "notebook": TOPOLOGIES["notebook"]}


@pytest.fixture(scope="module")
def port() -> int:
    """The port of the registered redirect URI."""
    return free_port()


@pytest.fixture(scope="module")
def provider(server: Server, port: int) -> Iterator[DemoProvider]:
    """A provider on another host name, which sends COOP, with redirect URIs of this Jupyter server."""
    page, proxy = f"{server.url}/lab/extensions/authnb/callback.html", f"{server.url}/proxy/{port}/callback"
    with provider_for(page, proxy) as demo:
        yield demo


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("app", ROWS, indirect=True, scope="module")
def test_each_mode(jupyter: JupyterPage, provider: DemoProvider, port: int, app: str, mode: str) -> None:
    """No code is in the notebook file, and none received by the callback page is in the server's log."""
    cell = login(provider, mode=mode, redirect_port=port)
    with jupyter.notebook(cell, "print('next', api.user['name'], signin.mode)") as notebook:
        notebook.run_all()
        SIGN_IN_BY[mode](notebook)
        notebook.phase("signed_in")
        notebook.idle()
        taken = ROWS[app].outcomes[mode] if mode == "auto" else mode
        assert f"next Ada {taken}" in notebook.outputs(1)
        assert "code=" not in notebook.save()
    assert mode != "page" or not CODE.search(jupyter.server.log.read_text())


@in_lab
def test_the_callback_page_without_a_notebook(jupyter: JupyterPage) -> None:
    """The callback page says so, and shows the address to paste."""
    page = jupyter.context.new_page()
    address = f"{jupyter.server.url}/lab/extensions/authnb/callback.html?code=c&state=nobodys"
    page.goto(address)
    expect(page.get_by_role("heading")).to_have_text("No notebook took the answer")
    expect(page.get_by_label("Address to paste")).to_have_value(address)
    assert page.url == address.partition("?")[0]
    page.goto(address.partition("?")[0])
    expect(page.get_by_role("heading")).to_have_text("Nothing here")
    page.close()


@in_lab
def test_a_refused_redirect_uri_is_reported_and_another_mode_chosen(
    jupyter: JupyterPage, provider: DemoProvider
) -> None:
    """The provider shows an error page and does not redirect; the panel then explains, and offers another mode."""
    port = free_port()
    cell = login(provider, mode="proxy", redirect_port=port)
    with jupyter.notebook(cell, "print('next', api.user['name'])") as notebook:
        notebook.run_all()
        page = open_page(notebook)
        expect(page.get_by_role("heading")).to_have_text("This sign-in cannot go on")
        page.close()
        jupyter.page.evaluate("() => window.dispatchEvent(new Event('focus'))")
        alert = notebook.panel.get_by_role("alert")
        expect(alert).to_contain_text("sends no answer to")
        expect(alert).to_contain_text(f"/proxy/{port}/callback")
        refused = notebook.address()
        notebook.panel.locator("summary").click()
        notebook.press("Return through this Jupyter server instead")
        expect(notebook.link()).not_to_have_attribute("href", refused)
        by_page(notebook)
        notebook.phase("signed_in")
        notebook.idle()
        assert "next Ada" in notebook.outputs(1)
