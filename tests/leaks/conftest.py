from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from harness import CHROMIUM, JupyterPage
from outlets import WatchedLab
from playwright.sync_api import sync_playwright
from scenarios import PROXY_PORT
from secret_collector import SecretCollector
from support import require

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, lab: WatchedLab) -> Iterator[DemoProvider]:
    """The provider; it knows the Jupyter server, and its client with a secret may sign in at a notebook."""
    path = tmp_path_factory.mktemp("provider") / "accounts.sqlite"
    DemoProvider(path).start().close()  # it reads its clients when it starts
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "UPDATE clients SET redirect_uris = redirect_uris || ' http://127.0.0.1/callback' WHERE id = ?",
            [DemoProvider.web_client_id],
        )
    server = lab.server.url
    ways_back = (f"{server}/lab/extensions/authnb/callback.html", f"{server}/proxy/{PROXY_PORT}/callback")
    with DemoProvider(path, redirect_uris=ways_back, device_interval=1) as provider:
        yield provider


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedLab]:
    with WatchedLab(tmp_path_factory.mktemp("leaks") / "home") as lab:
        yield lab


@pytest.fixture(scope="module")
def jupyter(lab: WatchedLab) -> Iterator[JupyterPage]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=require("chromium"), args=CHROMIUM)
        jupyter = JupyterPage(lab.server, chromium)
        yield jupyter
        jupyter.close()
        chromium.close()


@pytest.fixture(scope="module")
def collector() -> Iterator[SecretCollector]:
    with SecretCollector() as collector:
        yield collector
