"""Voilà: a notebook as an app, whose page appears once all of its cells have run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
import requests
from harness import KERNELSPEC, login
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect
from support import free_port
from topologies import FRONT_ENDS, PANEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from authnb.demo import DemoProvider

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def voila(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL below which the folder's notebooks are."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTHNB_")}
    environment = {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT), "AUTHNB_REMOTE": "0"}
    port = free_port()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "voila",
            "--no-browser",
            f"--port={port}",
            "--Voila.ip=127.0.0.1",
            str(folder),
        ],
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/voila/render"
    while process.poll() is None:
        try:
            requests.get(f"{url}/", timeout=20)
            break
        except requests.ConnectionError:
            threading.Event().wait(0.1)
    yield url
    process.terminate()
    process.wait(300)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(60_000)  # a page appears once a kernel has run all cells
    yield context.new_page()
    context.close()


def write(path: Path, *cells: str) -> None:
    notebook = new_notebook(
        metadata={"kernelspec": KERNELSPEC}, cells=[new_code_cell(cell) for cell in cells]
    )
    nbformat.write(notebook, path)


def test_a_cell_that_ends_with_the_sign_in(voila: str, folder: Path, page: Page, demo: DemoProvider) -> None:
    """Its panel is live: cancelled, tried again, signed in."""
    assert FRONT_ENDS["voila"].shows == PANEL
    write(folder / "panel.ipynb", login(demo, then="signin"))
    page.goto(f"{voila}/panel.ipynb")
    panel = page.locator(".authnb")
    expect(panel).to_have_attribute("data-phase", "waiting")
    panel.get_by_role("button", name="Cancel").click()
    expect(panel).to_have_attribute("data-phase", "cancelled")
    panel.get_by_role("button", name="Try again").click()
    expect(panel).to_have_attribute("data-phase", "waiting")
    demo.visit(
        panel.get_by_role("link", name="Open the sign-in page").get_attribute("href") or "", name="ada"
    )
    expect(panel).to_have_attribute("data-phase", "signed_in")
    expect(panel).to_contain_text("Ada")


def test_a_cell_that_waits(voila: str, folder: Path, page: Page, demo: DemoProvider) -> None:
    """It would wait for a page that waits for it: it gets an error that says so, and the page appears."""
    write(folder / "waits.ipynb", login(demo))
    page.goto(f"{voila}/waits.ipynb")
    expect(page.locator("body")).to_contain_text("Voilà shows its page once all cells have run")
