from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

import pytest
from harness import CHROMIUM, Desk, Server
from playwright.sync_api import expect, sync_playwright
from support import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser


# A new kernel's first import takes its time on a busy machine; nothing here is judged by it
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """One JupyterLab for all, one Notebook 7 for all, each begun when first asked for."""
    with ExitStack() as stack:
        yield cache(lambda app: stack.enter_context(Server(tmp_path_factory.mktemp(app), app=app)))


@pytest.fixture(scope="module", params=["lab", "notebook"])
def app(request: pytest.FixtureRequest) -> str:
    """JupyterLab or Notebook 7."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(servers: Callable[[str], Server], app: str) -> Server:
    """The server of that application."""
    return servers(app)


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
    """One page for a module's tests."""
    desk = Desk(server, browser)
    yield desk
    desk.close()
