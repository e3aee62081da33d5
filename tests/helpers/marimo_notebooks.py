"""marimo as a server, and its notebooks opened in a real browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from playwright.sync_api import expect
from support import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Locator, Page

    from authnb.demo import DemoProvider

ROOT = Path(__file__).parents[2]
CONFIG = """
[runtime]
auto_instantiate = true
[display]
theme = "system"
"""
RESULT = "api.user['name'] + ' is signed in'"
PROCESS = "import os\nf'process {os.getpid()}'"
LATER = "signin.session.get('/measurements').status_code, signin.session.user['name'] + ' is signed in'"


def login(demo: DemoProvider, what: str = "login", **options: Any) -> str:
    """A call that signs in, with a storage of its own."""
    named = {
        "scope": "openid profile email measurements:read",
        "api": demo.api,
        "mode": "loopback",
        **options,
    }
    given = "".join(f", {name}={value!r}" for name, value in named.items())
    return f"authnb.{what}({demo.issuer!r}, client_id={demo.client_id!r}{given})"


def write(path: Path, *cells: str) -> Path:
    """A notebook with these cells."""
    parts = ["import marimo", "", "app = marimo.App()"]
    for cell in ("import authnb", *cells):
        parts += ["", "@app.cell", "async def _():", textwrap.indent(cell, "    "), "    return", ""]
    path.write_text("\n".join([*parts, 'if __name__ == "__main__":', "    app.run()", ""]), encoding="utf-8")
    return path


class Marimo:
    """``marimo edit`` or ``marimo run``, on a folder of notebooks or on one."""

    def __init__(self, mode: str, target: Path, home: Path) -> None:
        config = home / "marimo" / "marimo.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(CONFIG, encoding="utf-8")
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTHNB_")}
        self._environment = {
            **kept,
            "XDG_CONFIG_HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "AUTHNB_REMOTE": "0",
        }
        options = ["--headless", "--no-token", "--port", str(port)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "marimo", "--quiet", mode, str(target), *options],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        while self._process.poll() is None:
            try:
                requests.get(f"{self.url}/health", timeout=20).raise_for_status()
            except requests.RequestException:
                threading.Event().wait(0.1)
            else:
                return self
        raise RuntimeError("marimo ended")

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(300)


class Notebook:
    """A notebook on a page."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.panel = page, page.locator(".authnb").first
        self._sockets: list[str] = []
        page.on("websocket", lambda socket: self._sockets.append(socket.url))
        page.goto(address)

    def phase(self, name: str) -> None:
        """Wait until the panel shows this state."""
        expect(self.panel).to_have_attribute("data-phase", name)

    @property
    def link(self) -> Locator:
        return self.panel.get_by_role("link", name="Open the sign-in page")

    @property
    def address(self) -> str:
        """The address of the sign-in page that is shown now; after a new start see `new_address`."""
        return self.link.get_attribute("href") or ""

    def new_address(self, before: str) -> str:
        """The address of a sign-in that another one follows, whose address was ``before``, once it is shown."""
        expect(self.link).not_to_have_attribute("href", before)
        return self.address

    def has_address(self, address: str) -> None:
        """Wait until the sign-in page at this address is shown."""
        expect(self.link).to_have_attribute("href", address)

    def press(self, name: str) -> None:
        self.panel.get_by_role("button", name=name, exact=True).click()

    def run(self, cell: int) -> None:
        """Run a cell from its editor."""
        self.page.get_by_test_id("cell-editor").nth(cell).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")

    def menu(self, cell: int, item: str) -> None:
        """Choose from a cell's menu, which is hidden until the mouse is over the cell."""
        self.page.get_by_test_id("cell-actions-button").nth(cell).dispatch_event("click")
        self.page.locator("[cmdk-item]").filter(has_text=item).first.click()

    def command(self, name: str) -> None:
        """Run a command of the palette."""
        self.page.get_by_test_id("command-palette-button").click()
        self.page.locator("[cmdk-item]").filter(has_text=name).first.click()

    def exported(self) -> str:
        """The notebook with its outputs, as marimo's menu exports it."""
        session = parse_qs(urlsplit(next(url for url in self._sockets if "session_id=" in url)).query)[
            "session_id"
        ][0]
        token = self.page.locator("marimo-server-token").get_attribute("data-token")
        headers = {"Marimo-Session-Id": session, "Marimo-Server-Token": token}
        form = {"download": False, "files": [], "includeCode": True}
        url = urljoin(self.page.url, "/api/export/html")
        response = requests.post(url, json=form, headers=headers, timeout=30)
        response.raise_for_status()
        return response.text

    @property
    def process(self) -> int:
        """The process id of the kernel, which a cell shows: ``PROCESS``."""
        return int(self.page.get_by_text(re.compile(r"^'process \d+'$")).inner_text().strip("'").split()[1])

    def shows(self, text: str) -> None:
        """Wait until an output or an error says this."""
        expect(self.page.get_by_text(text).first).to_be_visible()


@contextmanager
def opened(context: BrowserContext, marimo: Marimo, path: Path) -> Iterator[Notebook]:
    """The notebook, whose cells run as it is opened."""
    yield Notebook(context.new_page(), f"{marimo.url}/?file={path}")
