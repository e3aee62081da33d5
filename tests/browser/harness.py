"""A real JupyterLab, and notebooks opened in it with a real browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import nbformat
import requests
from axe_playwright_python.sync_playwright import Axe
from installed import beside
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import expect, sync_playwright
from support import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

    from authnb.demo import DemoProvider

ROOT = Path(__file__).parent.parent.parent
TOKEN = "server-token"
KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}
# Quiet news and updates: both ask hosts elsewhere
QUIET = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
# Where axe looks: the themes are the same in both applications
THEMES = {
    "lab": ("JupyterLab Dark", "JupyterLab Dark High Contrast", "JupyterLab Light"),
    "notebook": ("JupyterLab Light",),
}
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# A new kernel's first import takes its time on a busy machine; nothing here is judged by it
expect.set_options(timeout=20_000)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser of a person, who is asked before a page opens another by itself."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require("chromium"),
            args=CHROMIUM,
            ignore_default_args=["--disable-popup-blocking"],
        )
        yield browser
        browser.close()


class Server:
    """JupyterLab (``app="lab"``) or Notebook 7 (``app="notebook"``) on a folder of its own."""

    def __init__(
        self,
        home: Path,
        *,
        app: str = "lab",
        python: str = sys.executable,
        port: int = 0,
        options: tuple[str, ...] = (),
        **environment: str,
    ) -> None:
        self.home, self.app = home, app
        self.folder = home / "notebooks"
        self.folder.mkdir(parents=True)
        self.setting("@jupyterlab/apputils-extension/notification", QUIET)
        env = {name: value for name, value in os.environ.items() if not name.startswith("AUTHNB_")}
        env |= {
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "JUPYTER_PATH": str(ROOT / "share" / "jupyter"),
            "AUTHNB_REMOTE": "0",  # though tests may run in a container
            "IPYTHONDIR": str(home / "ipython"),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "PATH": f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}",
            **environment,
        }
        self.environment = env
        kind = "LabApp" if app == "lab" else "JupyterNotebookApp"
        command = [python, "-m", "jupyterlab" if app == "lab" else "notebook", "--no-browser", "--allow-root"]
        command += [
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}",
            f"--ServerApp.root_dir={self.folder}",
            "--LanguageServerManager.autodetect=False",  # or the type checker of the tests reads each notebook
        ]
        # Language servers complain, in a dialog, of a second page that opens the same notebook
        command += ["--LanguageServerManager.autodetect=False"]
        command += [f"--IdentityProvider.token={TOKEN}", f"--{kind}.expose_app_in_browser=True", *options]
        self.log = home / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=env, stdout=log, stderr=log, start_new_session=True
            )
        self.url = self._address()
        self._kernel = ""

    def setting(self, plugin: str, values: dict[str, Any]) -> None:
        """Change a user setting of JupyterLab."""
        path = self.home / "settings" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Call the server's own interface."""
        headers = {"Authorization": f"token {TOKEN}"}
        return requests.request(method, f"{self.url}/api/{path}", headers=headers, timeout=30, **more)

    @property
    def kernel(self) -> str:
        """The id of a kernel that tests share."""
        if not self._kernel:
            self._kernel = self.ask("POST", "kernels", json={"name": "python3"}).json()["id"]
        return self._kernel

    @contextmanager
    def other_kernel(self, ipykernel: str) -> Iterator[str]:
        """The id of a kernel that runs this version of ipykernel, until the block ends."""
        name = f"ipykernel-{ipykernel}"
        path = f"{beside(f'ipykernel=={ipykernel}')}{os.pathsep}{ROOT}"
        spec = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": name,
            "language": "python",
            "env": {"PYTHONPATH": path},
        }
        place = self.home / "data" / "kernels" / name / "kernel.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(spec))
        kernel = self.ask("POST", "kernels", json={"name": name}).json()["id"]
        try:
            yield kernel
        finally:
            self.ask("DELETE", f"kernels/{kernel}")

    def write(self, name: str, *cells: str) -> None:
        """A notebook with these cells."""
        notebook = new_notebook(metadata={"kernelspec": KERNELSPEC})
        for number, source in enumerate(cells):
            cell = new_code_cell(source) if not source.startswith("# ") else new_markdown_cell(source)
            cell["id"] = f"cell-{number}"
            notebook.cells.append(cell)
        nbformat.write(notebook, self.folder / name)

    def read(self, name: str) -> str:
        """The saved file."""
        return (self.folder / name).read_text(encoding="utf-8")

    def _address(self) -> str:
        """The server's URL, once it responds."""
        pause, runtime = threading.Event(), self.home / "runtime"
        while self.process.poll() is None:
            for path in runtime.glob("jpserver-*.json"):
                try:
                    url = str(json.loads(path.read_text())["url"]).rstrip("/")
                    requests.get(f"{url}/api", timeout=20).raise_for_status()
                except (ValueError, requests.RequestException):
                    continue
                else:
                    return url.replace("localhost", "127.0.0.1")
            pause.wait(0.05)
        raise RuntimeError(self.log.read_text())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(300)  # its end is no test's concern, unless it never comes


_KERNEL = "window.notebook.sessionContext.session.kernel"


class JupyterPage:
    """One page of JupyterLab, or of Notebook 7, on which notebooks are opened one after the other.

    ``host``: the name under which the browser reaches the server.
    """

    def __init__(self, server: Server, browser: Browser, *, host: str = "127.0.0.1", **context: Any) -> None:
        self.server = server
        context.setdefault("viewport", {"width": 900, "height": 800})
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.console: list[str] = []
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(f"uncaught: {error}"))
        self._number = 0
        if server.app == "notebook":
            self.page.goto(f"{server.url}/api?token={TOKEN}")  # for the cookie
            return
        self._open(f"{server.url}/lab?reset&token={TOKEN}".replace("127.0.0.1", host))

    def _open(self, address: str) -> None:
        self.page.goto(address)
        self.wait_until_loaded()

    def wait_until_loaded(self) -> None:
        """Wait for JupyterLab's application."""
        self.page.wait_for_function("() => window.jupyterapp?.commands?.hasCommand('docmanager:open')")
        self.page.evaluate("async () => { await window.jupyterapp.restored; }")
        self.page.evaluate("() => window.jupyterapp.shell.collapseLeft?.()")

    @contextmanager
    def notebook(self, *cells: str, kernel: str | None = None) -> Iterator[Notebook]:
        """A new notebook with these cells, open until the block ends; ``kernel=""`` for one that JupyterLab starts."""
        self._number += 1
        name = f"{id(self):x}-{self._number}.ipynb"
        self.server.write(name, *cells)
        notebook = Notebook(self, name, self.server.kernel if kernel is None else kernel)
        try:
            yield notebook
        except BaseException:
            self.server.ask("POST", f"kernels/{notebook.kernel}/interrupt")
            raise
        finally:
            notebook.close()

    def theme(self, name: str) -> None:
        """Switch JupyterLab's theme, as its menu does."""
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name
        )

    def close(self) -> None:
        """Close the page."""
        self.context.close()


class Notebook:
    """A notebook open in JupyterLab."""

    def __init__(self, jupyter: JupyterPage, name: str, kernel: str) -> None:
        self.page: Page = jupyter.page
        self._jupyter = jupyter
        self.context, self.server, self.name, self.kernel = jupyter.context, jupyter.server, name, kernel
        self.open()

    def open(self) -> None:
        """Open it, or open it again."""
        if self.server.app == "notebook":
            self._open_page()
            return
        self.kernel = self.page.evaluate(
            """async ([path, id]) => {
                const kernel = id ? {id} : {};
                const widget = await window.jupyterapp.commands.execute('docmanager:open', {path, kernel});
                window.jupyterapp.shell.activateById(widget.id);
                window.notebook = widget;
                await widget.context.ready;
                await widget.sessionContext.ready;
                return widget.sessionContext.session.kernel.id;
            }""",
            [self.name, self.kernel],
        )
        self._send_at_once()

    def _open_page(self) -> None:
        """In Notebook 7 each notebook has a page of its own; a session says which kernel it has."""
        session = {"path": self.name, "name": self.name, "type": "notebook", "kernel": {"id": self.kernel}}
        self.server.ask("POST", "sessions", json=session).raise_for_status()
        self.page.goto(f"{self.server.url}/notebooks/{self.name}")
        self.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext")
        self.page.evaluate(
            """async () => {
                window.notebook = window.jupyterapp.shell.currentWidget;
                await window.notebook.context.ready;
                await window.notebook.sessionContext.ready;
            }"""
        )
        self._send_at_once()

    def _send_at_once(self) -> None:
        """Send what a new page holds back for three seconds, as a kernel that runs a cell does not say what it is.

        ipywidgets wants its own answer in four; later it asks anew, in a way that waits for the end of the cell.
        """
        self.page.wait_for_function(f"() => {_KERNEL}.connectionStatus === 'connected'")
        self.page.evaluate(f"() => {_KERNEL}._sendPending()")

    def reload(self) -> None:
        """Load the page anew; what was not saved is lost."""
        self.page.evaluate("() => { window.notebook.context.model.dirty = false; }")
        if self.server.app == "lab":
            self.page.reload()
            self._jupyter.wait_until_loaded()
        self.open()

    def command(self, name: str) -> None:
        """Execute a JupyterLab command and wait until it is done."""
        self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def run_all(self) -> None:
        """Run All, without waiting for the end."""
        self.page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def run(self, cell: int) -> None:
        """Run one cell, without waiting for the end."""
        # A connection that is new holds messages back for up to three seconds
        self.page.wait_for_function(f"() => !{_KERNEL}._pendingMessages.length")
        self.send_run(cell)

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Until the block ends, the page's requests do not reach the kernel, as while a connection is made."""
        self.page.evaluate(f"() => {_KERNEL}._pendingMessages.unshift(null)")
        yield
        self.page.evaluate(f"() => {{ const k = {_KERNEL}; k._pendingMessages.shift(); k._sendPending(); }}")

    def send_run(self, cell: int) -> None:
        """As `run`, also while requests are held back."""
        self.page.evaluate(
            """n => { window.notebook.content.activeCellIndex = n;
                      void window.jupyterapp.commands.execute('notebook:run-cell'); }""",
            cell,
        )

    def change(self) -> None:
        """Modify the notebook, so that it is dirty."""
        self.page.evaluate("() => { window.notebook.context.model.setMetadata('changed', Math.random()); }")

    def output(self, text: str) -> None:
        """Wait until an output contains this text."""
        expect(self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea")).to_contain_text(
            [text]
        )

    def idle(self) -> None:
        """Wait until no cell runs."""
        self.page.wait_for_function(
            """() => !Array.from(document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-InputPrompt'))
                 .some(prompt => prompt.textContent.includes('*'))"""
        )

    def restart(self) -> None:
        """Restart the kernel."""
        self.page.evaluate("() => window.notebook.sessionContext.session.kernel.restart()")

    def save(self) -> str:
        """Save the notebook; returns the text of the file."""
        self.command("docmanager:save")
        return self.server.read(self.name)

    def prompt(self, cell: int) -> Locator:
        """What stands beside a cell's input: ``[*]:`` once it was sent to the kernel."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-InputPrompt").nth(cell)

    def outputs(self, cell: int) -> str:
        """The text of a cell's outputs, as the notebook keeps them."""
        return str(
            self.page.evaluate(
                """n => { const cell = window.notebook.content.widgets[n];
                          return JSON.stringify(cell.model.toJSON().outputs); }""",
                cell,
            )
        )

    def select(self, cell: int) -> None:
        """Select a cell, for a command."""
        self.page.evaluate("n => { window.notebook.content.activeCellIndex = n; }", cell)

    def phase(self, name: str) -> None:
        """Wait until the card shows this state."""
        expect(self.panel).to_have_attribute("data-phase", name)

    def link(self, name: str = "Open the sign-in page") -> Locator:
        """A link of the card, once it has a URL."""
        found = self.panel.get_by_role("link", name=name)
        expect(found).not_to_have_attribute("aria-disabled", "true")
        return found

    def address(self, name: str = "Open the sign-in page") -> str:
        """The URL of that link."""
        return self.link(name).get_attribute("href") or ""

    def press(self, name: str) -> None:
        """Click a button of the card."""
        self.panel.get_by_role("button", name=name, exact=True).click()

    @contextmanager
    def stopped_clock(self) -> Iterator[None]:
        """No time passes on the page until the block ends: the panel gives the kernel two seconds to hear a Cancel."""
        self.page.evaluate("() => { const at = performance.now(); performance.now = () => at; }")
        yield
        self.page.evaluate("() => { delete performance.now; }")

    @property
    def panel(self) -> Locator:
        """The card."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .authnb").first

    @property
    def floating(self) -> Locator:
        """The card at the edge of the page."""
        return self.page.locator(".authnb-floating .authnb")

    def close(self) -> None:
        """Close the tab; the kernel goes on."""
        self.page.evaluate(
            "() => { window.notebook.context.model.dirty = false; window.notebook.dispose(); }"
        )


def violations(page: Page, selector: str | dict[str, list[str]]) -> list[str]:
    """The violations that axe-core finds in the selected element."""
    found = Axe().run(page, context=selector).response["violations"]
    return [f"{rule['id']}: {[node['html'][:200] for node in rule['nodes']]}" for rule in found]


def login(demo: DemoProvider, *, then: str = "", what: str = "login", **options: Any) -> str:
    """A cell that signs in (or up, ``what="signup"``), with a storage of its own."""
    named = {"scope": "openid profile email measurements:read", **options}
    given = "".join(f", {name}={value!r}" for name, value in named.items())
    return (
        "import authnb\nfrom authnb.storage.base import MemoryStorage\n"
        f"signin = authnb.{what}({demo.issuer!r}, client_id={demo.client_id!r}, "
        f"storage=MemoryStorage(){given})\n{then or 'api = await signin'}"
    )
