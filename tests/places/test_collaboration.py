"""JupyterLab whose notebooks the server holds: for several people at once, and with cells that the server runs.

What such a notebook's outputs hold is on the page of everybody, and in the history of the document.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from harness import JupyterPage, Notebook, Server, login
from playwright.sync_api import expect
from topologies import FRONT_ENDS, PANEL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator

    from authnb.demo import DemoProvider

NEXT = "print('next', api.user['name'])"
# Each with its extension of the server, and of JupyterLab
EXTENSIONS = {
    "collaboration": ("jupyter_server_ydoc", "@jupyter/collaboration-extension"),
    "nbmodel": ("jupyter_server_nbmodel", "@datalayer/jupyter-server-nbmodel"),
    "documents": ("jupyter_server_documents", "@jupyter-ai-contrib/server-documents"),
}


@contextmanager
def jupyterlab(home: Path, *names: str) -> Iterator[Server]:
    """JupyterLab with these of the extensions that are installed."""
    config = home / "config"
    (config / "labconfig").mkdir(parents=True)
    enabled = {server: name in names for name, (server, _) in EXTENSIONS.items()}
    disabled = {lab: name not in names for name, (_, lab) in EXTENSIONS.items()}
    settings = {"ServerApp": {"jpserver_extensions": enabled}}
    (config / "jupyter_server_config.json").write_text(json.dumps(settings))
    (config / "labconfig" / "page_config.json").write_text(json.dumps({"disabledExtensions": disabled}))
    with Server(home) as server:
        yield server


def assert_kept_out_of(notebook: Notebook, address: str) -> None:
    """Neither the sign-in's URL nor its state is in the document."""
    state = parse_qs(urlsplit(address).query)["state"][0]
    document = notebook.outputs(0)
    assert "authnb-text" in document
    assert not [secret for secret in (state, "code_challenge", "Ada") if secret in document]


@pytest.mark.parametrize("names", [("documents",), ("collaboration", "nbmodel")])
def test_cells_that_the_server_runs(
    browser: Browser, tmp_path: Path, demo: DemoProvider, names: tuple[str, ...]
) -> None:
    """An output of theirs is not trusted on the page, which shows no widget in it: the panel floats over the page."""
    row = FRONT_ENDS["documents"] if "documents" in names else FRONT_ENDS["nbmodel"]
    assert row.shows == PANEL
    with jupyterlab(tmp_path, *names) as server:
        jupyter = JupyterPage(server, browser)
        with jupyter.notebook(login(demo), NEXT, kernel="") as notebook:
            notebook.run_all()
            expect(notebook.floating).to_have_attribute("data-phase", "waiting")
            link = notebook.floating.get_by_role("link", name="Open the sign-in page")
            address = link.get_attribute("href") or ""
            demo.visit(address, name="ada")
            notebook.output("next Ada")
            assert_kept_out_of(notebook, address)
        jupyter.close()


def decline(dialog: Locator) -> None:
    """Say no to what JupyterLab asks."""
    dialog.get_by_role("button", name="Cancel").click()


def test_two_people(browser: Browser, tmp_path: Path, demo: DemoProvider) -> None:
    """Whoever began the sign-in is asked before what another page finished is used."""
    assert FRONT_ENDS["collaboration"].shows == PANEL
    with jupyterlab(tmp_path, "collaboration") as server:
        first, second = JupyterPage(server, browser), JupyterPage(server, browser)
        for page in (first.page, second.page):  # Dash has an extension that JupyterLab would like to build in
            page.add_locator_handler(page.locator(".jp-Dialog"), decline)
        with first.notebook(login(demo), NEXT, kernel="") as notebook:
            notebook.run_all()
            notebook.phase("waiting")
            other = Notebook(second, notebook.name, notebook.kernel)
            other.phase("waiting")
            with second.context.expect_page() as opened:
                other.link().click()
            opened.value.close()
            address = other.address()
            demo.visit(address, name="grace")
            notebook.phase("confirm")
            notebook.press("Sign in myself")
            notebook.phase("waiting")
            demo.visit(notebook.address(), name="ada")
            notebook.phase("confirm")
            notebook.press("Use it")
            notebook.phase("signed_in")
            notebook.output("next Ada")
            assert_kept_out_of(notebook, address)
        first.close()
        second.close()
