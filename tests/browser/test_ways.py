"""How the answer comes back where the browser cannot reach the kernel: clicked through in JupyterLab."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from harness import login
from playwright.sync_api import expect

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Desk, Notebook, Server
    from playwright.sync_api import Page

pytestmark = pytest.mark.parametrize("app", ["lab"], indirect=True, scope="module")
PASSWORD = "a long passphrase of ada"
CODE = re.compile(r"[?&#]code=")


@pytest.fixture(scope="module")
def provider(server: Server) -> Iterator[DemoProvider]:
    """A provider of another host name, which sends COOP; it knows the addresses of this Jupyter server."""
    page, proxy = f"{server.url}/lab/extensions/authnb/callback.html", f"{server.url}/proxy/8799/callback"
    known = DemoProvider(issuer="http://localhost:{port}", redirect_uris=[page, proxy], device_interval=1)
    with known as demo:
        demo.sign_up("ada", PASSWORD)
        yield demo


def open_page(notebook: Notebook) -> Page:
    """Click the link, and wait for what it opens."""
    with notebook.context.expect_page() as opened:
        notebook.link().click()
    return opened.value


def sign_in(page: Page) -> None:
    """As a person does on the provider's pages."""
    if page.get_by_label("Password", exact=True).is_visible():
        page.get_by_label("Name", exact=True).fill("ada")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        with page.expect_navigation():
            page.get_by_role("button", name="Sign in").click()
    if page.get_by_role("button", name="Allow").is_visible():
        page.get_by_role("button", name="Allow").click()


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
