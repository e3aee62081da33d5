"""The panel on a page whose host is not this machine, as on a Hub with a subdomain for each user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
from harness import CHROMIUM, JupyterPage, Server
from playwright.sync_api import expect, sync_playwright
from provider import Server as HostileServer
from support import require

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "ada.hub.example"
RESOLVER = "--host-resolver-rules=MAP *.hub.example 127.0.0.1"


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterPage]:
    options = ("--ServerApp.allow_remote_access=True",)
    with Server(tmp_path_factory.mktemp("named"), options=options) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require("chromium"), args=[*CHROMIUM, RESOLVER])
        jupyter = JupyterPage(server, browser, host=HOST)
        yield jupyter
        jupyter.close()
        browser.close()


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        (f"https://{HOST}/user/ada/logout", False),
        ("https://hub.example/hub/logout", False),
        (f"https://files.{HOST}/logout", False),
        ("https://pictures.example/ada.png", True),
        ("https://nothub.example/ada.png", True),
    ],
)
def test_a_picture_is_never_a_request_to_the_jupyter_server(
    jupyter: JupyterPage,
    picture: str,
    shown: bool,
) -> None:
    """Nor to its Hub, whose logout it would be: a GET with the person's cookies."""
    with HostileServer() as server:
        scenario = server.scenario("one")
        scenario.claims |= {"picture": picture, "name": "Ada"}
        cell = f"""
import authnb
from authnb.storage.base import MemoryStorage
signin = authnb.login({scenario.issuer!r}, client_id="notebook", storage=MemoryStorage(), mode="loopback")
signin"""
        with jupyter.notebook(cell) as notebook:
            notebook.run_all()
            for redirect in requests.get(notebook.address(), timeout=30).json():  # as a browser follows it
                requests.get(redirect, timeout=30)
            notebook.phase("signed_in")
            expect(notebook.panel.locator(".authnb-head")).to_contain_text(
                "Ada"
            )  # with the picture, if there is one
            expect(notebook.panel.locator(".authnb-badge img")).to_have_count(int(shown))
