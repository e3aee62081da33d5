"""How the answer comes back, each way clicked through in JupyterLab and in Notebook 7."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from harness import login
from people import DO, open_page, provider_for, sign_in
from playwright.sync_api import expect
from support import free_port
from topologies import MODES, TOPOLOGIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Desk, Server

    from authnb.demo import DemoProvider

in_lab = pytest.mark.parametrize("app", ["lab"], indirect=True, scope="module")
CODE = re.compile(r"[?&#]code=")
ROWS = {"lab": TOPOLOGIES["lab"], "notebook": TOPOLOGIES["notebook"]}


@pytest.fixture(scope="module")
def port() -> int:
    """What is registered has a port."""
    return free_port()


@pytest.fixture(scope="module")
def provider(server: Server, port: int) -> Iterator[DemoProvider]:
    """A provider of another host name, which sends COOP; it knows the addresses of this Jupyter server."""
    page, proxy = f"{server.url}/lab/extensions/authnb/callback.html", f"{server.url}/proxy/{port}/callback"
    with provider_for(page, proxy) as demo:
        yield demo


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("app", ROWS, indirect=True, scope="module")
def test_each_mode(desk: Desk, provider: DemoProvider, port: int, app: str, mode: str) -> None:
    """No code comes into the file, and none that a callback page takes into a log."""
    cell = login(provider, mode=mode, redirect_port=port)
    with desk.notebook(cell, "print('next', api.user['name'], signin.mode)") as notebook:
        notebook.run_all()
        DO[mode](notebook)
        notebook.phase("signed_in")
        notebook.idle()
        taken = ROWS[app].outcomes[mode] if mode == "auto" else mode
        assert f"next Ada {taken}" in notebook.outputs(1)
        assert "code=" not in notebook.save()
    assert mode != "page" or not CODE.search(desk.server.log.read_text())


@in_lab
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


@in_lab
def test_a_refused_address_is_noticed_and_another_way_taken(desk: Desk, provider: DemoProvider) -> None:
    """The provider shows an error and sends nobody back; who comes back finds why, and the next way, in place."""
    port = free_port()
    cell = login(provider, mode="proxy", redirect_port=port)
    with desk.notebook(cell, "print('next', api.user['name'])") as notebook:
        notebook.run_all()
        page = open_page(notebook)
        expect(page.get_by_role("heading")).to_have_text("This sign-in cannot go on")
        page.close()
        desk.page.evaluate("() => window.dispatchEvent(new Event('focus'))")
        alert = notebook.panel.get_by_role("alert")
        expect(alert).to_contain_text("sends no answer to")
        expect(alert).to_contain_text(f"/proxy/{port}/callback")
        notebook.panel.locator("summary").click()
        notebook.press("Answer over this Jupyter server instead")
        page = open_page(notebook)
        sign_in(page)
        notebook.phase("signed_in")
        notebook.idle()
        assert "next Ada" in notebook.outputs(1)
        page.close()
