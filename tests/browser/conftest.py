from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

import pytest
from harness import JupyterPage, Server, chromium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """One JupyterLab and one Notebook 7 for all tests, each started on first use."""
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
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def jupyter(server: Server, browser: Browser) -> Iterator[JupyterPage]:
    """One page for a module's tests."""
    jupyter = JupyterPage(server, browser)
    yield jupyter
    jupyter.close()
