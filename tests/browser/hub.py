"""A real JupyterHub below a prefix, with its proxy, and people who work on it with a real browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import nbformat
import requests
from harness import KERNELSPEC, QUIET, ROOT, Desk
from installed import from_npm, from_pypi, node
from nbformat.v4 import new_code_cell, new_notebook
from support import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser

JUPYTERHUB = "jupyterhub==6.1.1"
PROXY = "configurable-http-proxy@5.3.0"
PREFIX = "/jupyter"
_TOKEN = "token-of-the-tests"
_CONFIG = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}{prefix}/"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite:///{home}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{home}/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{home}/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = {arguments!r}
c.Spawner.http_timeout = c.Spawner.start_timeout = 120
c.Spawner.environment = {environment!r}
c.ConfigurableHTTPProxy.command = [{node!r}, {chp!r}]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.JupyterHub.services = [{{"name": "tests", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [
    {{"name": "tests", "scopes": ["admin:users", "admin:servers", "access:servers"], "services": ["tests"]}}
]
"""


class Hub:
    """JupyterHub; its users' servers run the JupyterLab of these tests."""

    def __init__(self, home: Path) -> None:
        python = from_pypi(JUPYTERHUB)
        chp = from_npm(PROXY) / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
        self.home, port = home, free_port()
        settings = (
            home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        )
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps(QUIET))
        ours = Path(sys.prefix)
        environment = {
            "PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")]),
            "JUPYTER_PATH": os.pathsep.join(
                [str(ROOT / "share" / "jupyter"), str(ours / "share" / "jupyter")]
            ),
            "JUPYTER_CONFIG_PATH": str(ours / "etc" / "jupyter"),
            "JUPYTERLAB_DIR": str(ours / "share" / "jupyter" / "lab"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        }
        arguments = ["--allow-root", "--LabApp.expose_app_in_browser=True"]
        arguments.append("--ServerApp.jpserver_extensions=jupyter_server_proxy=True")
        config = home / "jupyterhub_config.py"
        config.write_text(
            _CONFIG.format(
                port=port,
                hub_port=free_port(),
                proxy_port=free_port(),
                prefix=PREFIX,
                home=home,
                python=python,
                environment=environment,
                node=node(),
                chp=str(chp),
                token=_TOKEN,
                arguments=arguments,
            )
        )
        self.url = f"http://127.0.0.1:{port}{PREFIX}"
        self.log = home / "hub.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [python, "-m", "jupyterhub", "-f", str(config)],
                cwd=home, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._until(lambda: requests.get(f"{self.url}/hub/api/", timeout=5).ok)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Call an interface of the Hub, or of a user's server."""
        headers = {"Authorization": f"token {_TOKEN}"}
        return requests.request(method, f"{self.url}/{path}", headers=headers, timeout=60, **more)

    def _until(self, done: Any) -> None:
        pause = threading.Event()
        while self.process.poll() is None:
            try:
                if done():
                    return
            except requests.RequestException:
                pass
            pause.wait(0.1)
        raise RuntimeError(self.log.read_text())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)


class UserServer:
    """The server of one user, in the way of `harness.Server`."""

    app = "lab"

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub, self.name = hub, name
        self.folder = hub.home / name
        self.folder.mkdir()
        hub.ask("POST", f"hub/api/users/{name}")
        hub.ask("POST", f"hub/api/users/{name}/server")
        hub._until(lambda: self.ask("GET", "status").ok)  # noqa: SLF001 - of this module
        self.url = f"{hub.url}/user/{name}"
        self._kernel = ""

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Call the server's own interface."""
        return self.hub.ask(method, f"user/{self.name}/api/{path}", **more)

    @property
    def kernel(self) -> str:
        """The id of this user's kernel."""
        if not self._kernel:
            self._kernel = self.ask("POST", "kernels", json={"name": "python3"}).json()["id"]
        return self._kernel

    def write(self, name: str, *cells: str) -> None:
        """A notebook with these cells."""
        notebook = new_notebook(
            metadata={"kernelspec": KERNELSPEC}, cells=[new_code_cell(cell) for cell in cells]
        )
        nbformat.write(notebook, self.folder / name)

    def read(self, name: str) -> str:
        """The saved file."""
        return (self.folder / name).read_text(encoding="utf-8")


class HubDesk(Desk):
    """A user's page of JupyterLab, in a browser in which that user signed in to the Hub."""

    def __init__(self, server: UserServer, browser: Browser) -> None:
        self.server = server  # type: ignore[assignment] # it has what is used
        self.context = browser.new_context(viewport={"width": 900, "height": 800})
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.console: list[str] = []
        self._number = 0
        self.page.goto(f"{server.hub.url}/hub/login")
        self.page.get_by_label("Username").fill(server.name)
        self.page.get_by_label("Password").fill("any")
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/user/**")
        self._open(f"{server.url}/lab?reset")
