from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from harness import CHROMIUM, Desk, Server
from playwright.sync_api import sync_playwright
from support import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One JupyterLab for all."""
    with Server(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


# Not for the session: while Playwright's sync interface runs, asyncio tests cannot
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=require("chromium"),
            args=CHROMIUM,
            ignore_default_args=["--disable-popup-blocking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def desk(server: Server, browser: Browser) -> Iterator[Desk]:
    """One page of JupyterLab for a module's tests."""
    desk = Desk(server, browser)
    yield desk
    desk.close()
