from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from harness import chromium
from marimo_notebooks import LATER, RESULT, Marimo, login, write
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext

    from authnb.demo import DemoProvider

expect.set_options(timeout=60_000)  # a server, a kernel and imports come before the first sentence


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def editor(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marimo]:
    with Marimo("edit", folder, tmp_path_factory.mktemp("marimo")) as marimo:
        yield marimo


@pytest.fixture(scope="module")
def apps(folder: Path, tmp_path_factory: pytest.TempPathFactory, demo: DemoProvider) -> Iterator[Marimo]:
    """It serves the notebooks that are there when it begins."""
    write(folder / "app.py", f"signin = {login(demo)}\nsignin", LATER)
    write(folder / "waiting_app.py", f"api = await {login(demo)}", RESULT)
    with Marimo("run", folder, tmp_path_factory.mktemp("marimo")) as marimo:
        yield marimo


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 900, "height": 900})
    context.set_default_timeout(60_000)
    yield context
    context.close()
