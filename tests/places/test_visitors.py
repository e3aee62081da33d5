"""Two visitors of an app sign in as two people, in two browsers: each sees their own name, and nobody another's."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import nbformat
import pytest
import requests
from harness import CHROMIUM
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect, sync_playwright
from support import free_port, require
from topologies import VISITED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from authnb.demo import DemoProvider

ROOT = Path(__file__).parents[2]
expect.set_options(timeout=60_000)  # a server, a kernel and imports come before the first sentence
APPS = Path(__file__).parent / "apps"


CODE = re.compile(r"enter the code ([A-Z0-9]{4}-[A-Z0-9]{4})")
USER_CODE = re.compile("^[A-Z0-9]{4}-[A-Z0-9]{4}$")
DROPPED = ("AUTHNB_", "PYTEST_")  # by the latter NiceGUI would take itself for tested
SIGNED_IN = re.compile(r"Signed in as \w+\.")


@dataclass(frozen=True, kw_only=True)
class App:
    """An app, and the arguments of Python that serve it.

    ``name``: of the framework that errors name, unless it is that of the place.
    """

    command: tuple[str, ...]
    path: str = "/"
    name: str = ""


STREAMLIT = ("--server.headless=true", "--browser.gatherUsageStats=false", "--server.address=127.0.0.1")
MARIMO = ("--port={port}", "--headless", "--no-token")
VOILA = ("--port={port}", "--no-browser")
UVICORN = ("uvicorn", "fastapi_app:app", "--port={port}")
PLACES = {
    "Streamlit": App(command=("streamlit", "run", "streamlit_app.py", "--server.port={port}", *STREAMLIT)),
    "Gradio": App(command=("gradio_app",)),
    "Panel": App(command=("panel", "serve", "panel_app.py", "--port={port}"), path="/panel_app"),
    "Solara": App(command=("solara", "run", "solara_app.py", "--port={port}", "--no-open", "--production")),
    "marimo run": App(command=("marimo", "run", "marimo_app.py", *MARIMO)),
    "Voilà": App(command=("voila", "{home}/voila_app.ipynb", *VOILA)),
    "Dash": App(command=("dash_app",)),
    "NiceGUI": App(command=("nicegui_app",)),
    "Shiny": App(command=("shiny", "run", "shiny_app.py", "--port={port}")),
    "Flask": App(command=("flask", "--app=flask_app", "run", "--port={port}")),
    "Flask in gunicorn": App(
        command=("gunicorn", "flask_app:app", "--bind=127.0.0.1:{port}", "--timeout=120"), name="Flask"
    ),
    "Django": App(command=("django", "runserver", "127.0.0.1:{port}", "--noreload", "--settings=django_app")),
    "FastAPI, `async def`": App(command=UVICORN, name="FastAPI"),
    "FastAPI, `def`": App(command=UVICORN, path="/threads", name="FastAPI"),
}


class Served:
    """The app in a process with a terminal of its own, the operator's; ``terminal`` is what that showed."""

    def __init__(self, app: App, home: Path, **environ: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}{app.path}"
        names = {"port": str(port), "home": str(home)}
        module, *arguments = (argument.format(**names) for argument in app.command)
        self.terminal = ""
        self._screen, terminal = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=APPS,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith(DROPPED)},
                "HOME": str(home),
                "AUTHNB_HOME": str(home),
                "PYTHONPATH": os.pathsep.join(map(str, (ROOT, APPS))),
                "PORT": str(port),
                "GRADIO_ANALYTICS_ENABLED": "False",
                **environ,
            },
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # the program has ended
            while data := os.read(self._screen, 4096):
                self.terminal += data.decode(errors="replace")

    def wait_until_it_answers(self) -> None:
        """Return once the page is there; fail if the program ends first."""
        pause = threading.Event()
        while self._process.poll() is None:
            with suppress(requests.RequestException):
                if requests.get(self.url, timeout=60).ok:
                    return
            pause.wait(0.2)
        pytest.fail(f"The app ended:\n{self.terminal}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, 15)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        self._reader.join()
        os.close(self._screen)


@contextmanager
def serve(demo: DemoProvider, app: App, home: Path, **environ: str) -> Iterator[Served]:
    """The app, served from a shell whose ``BROWSER`` would sign the operator in."""
    for cell in APPS.glob("voila_*.py"):
        notebook = new_notebook(cells=[new_code_cell(cell.read_text(encoding="utf-8"))])
        nbformat.write(notebook, home / f"{cell.stem}.ipynb")
    environ |= {"ISSUER": demo.issuer, "CLIENT_ID": demo.client_id}
    environ["BROWSER"] = f'"{sys.executable}" -m authnb.demo.person %s'
    with Served(app, home, **environ) as served:
        served.wait_until_it_answers()
        yield served


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require("chromium"), args=CHROMIUM)
        yield browser
        browser.close()


@contextmanager
def visitor(browser: Browser, url: str) -> Iterator[Page]:
    """A page in a browser of its own; it has to sign in."""
    context = browser.new_context()
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(url)
    shows(page, CODE)
    expect(page.get_by_text(SIGNED_IN)).to_have_count(0)
    yield page
    context.close()


def shows(page: Page, text: str | re.Pattern[str]) -> str:
    """The element with this text, once it is there."""
    found = page.get_by_text(text).first
    expect(found).to_be_visible()
    return found.inner_text()


def sign_in(demo: DemoProvider, page: Page, name: str) -> None:
    """Enter the code that this page shows, as this person."""
    code = CODE.search(shows(page, CODE))
    assert code
    demo.approve(code[1], name=name)
    page.get_by_role("button", name="Go on").click()
    shows(page, f"Signed in as {name}.")


@pytest.mark.parametrize("place", VISITED)
def test_each_visitor_is_themselves(
    demo: DemoProvider, chromium: Browser, tmp_path: Path, place: str
) -> None:
    """Ada and Grace sign in as themselves, and a third who did not is asked to.

    What would be one sign-in for all of them, ``remember=True``, is refused. Where authnb has no view, the error says
    how the app shows it; nothing of it is in the operator's terminal, or in the browser of their desktop.
    """
    app, by_app = PLACES[place], VISITED[place].shown_by_app
    with (
        serve(demo, app, tmp_path, **({} if by_app else {"PANEL": "1"})) as served,
        visitor(chromium, served.url) as first,
        visitor(chromium, served.url) as second,
    ):
        several = f"{app.name or place} runs this for several visitors"
        shows(first, f"{several}: the second would be signed in as the first")
        if by_app:
            shows(first, "signin = authnb.login(…, mode='device', view=None)")
        sign_in(demo, first, "ada")
        sign_in(demo, second, "grace")
        shows(first, "Signed in as ada.")
        with visitor(chromium, served.url):
            pass
    assert demo.issuer not in served.terminal
    assert not CODE.search(served.terminal)


PANELS = {
    "marimo run": App(command=("marimo", "run", "marimo_panel_app.py", *MARIMO)),
    "Voilà": App(command=("voila", "{home}/voila_panel_app.ipynb", *VOILA)),
}


@pytest.mark.parametrize("place", PANELS)
def test_each_visitor_has_a_panel(demo: DemoProvider, chromium: Browser, tmp_path: Path, place: str) -> None:
    """In which they sign in as themselves, though another visitor has."""
    with serve(demo, PANELS[place], tmp_path) as served:
        for name in ("Ada", "Grace"):
            page = chromium.new_context().new_page()
            page.set_default_timeout(60_000)
            page.goto(served.url)
            demo.approve(shows(page, USER_CODE).strip(), name=name.lower())
            expect(page.get_by_role("heading", name=name)).to_be_visible()
            page.context.close()
