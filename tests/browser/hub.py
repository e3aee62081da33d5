"""A real JupyterHub with a base path and its proxy, and users with real browsers.

All its users share one origin, or, with TLS, each has a subdomain.
"""

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
from urllib.parse import urlsplit

import nbformat
import requests
import trustme
from harness import KERNELSPEC, QUIET, ROOT, JupyterPage
from installed import from_npm, from_pypi, node
from nbformat.v4 import new_code_cell, new_notebook
from support import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser

JUPYTERHUB = "jupyterhub==6.1.1"
PROXY = "configurable-http-proxy@5.3.0"
PREFIX = "/jupyter"
DOMAIN = "hub.localhost"  # browsers take all that ends so for this machine (RFC 6761 section 6.3)
SENDS_ON = "/hub/user-redirect/lab/extensions/authnb/callback.html"  # to each user's own
_TOKEN = "token-of-the-tests"
_CONFIG = """
c.JupyterHub.bind_url = "{here}{prefix}/"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite:///{home}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{home}/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{home}/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = {arguments!r}
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}  # who asks for a server waits for it elsewhere
c.Spawner.http_timeout = c.Spawner.start_timeout = 120
c.Spawner.environment = {environment!r}
c.ConfigurableHTTPProxy.command = [{node!r}, {chp!r}]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.JupyterHub.services = [{{"name": "tests", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [
    {{"name": "tests", "scopes": ["admin:users", "admin:servers", "access:servers"], "services": ["tests"]}}
]
"""
_SUBDOMAINS = """
c.JupyterHub.subdomain_host = "https://{domain}:{port}"
c.JupyterHub.ssl_cert = "{home}/cert.pem"
c.JupyterHub.ssl_key = "{home}/key.pem"
"""


class Hub:
    """JupyterHub; its users' servers run the JupyterLab of these tests.

    With ``subdomains`` each has an origin of its own, and one callback page is set for all users.
    """

    def __init__(self, home: Path, *, subdomains: bool = False) -> None:
        python = from_pypi(JUPYTERHUB)
        chp = from_npm(PROXY) / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
        self.home, self.port, self.subdomains = home, free_port(), subdomains
        self._here = f"http{'s' * subdomains}://127.0.0.1:{self.port}"  # for who cannot resolve the domain
        self.url = (f"https://{DOMAIN}:{self.port}" if subdomains else self._here) + PREFIX
        self.callback_page = self.url + SENDS_ON
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
        if subdomains:
            environment["AUTHNB_CALLBACK_PAGE"] = self.callback_page
        arguments = ["--allow-root", "--LabApp.expose_app_in_browser=True"]
        arguments.append("--ServerApp.jpserver_extensions=jupyter_server_proxy=True")
        config = home / "jupyterhub_config.py"
        config.write_text(
            (_CONFIG + _SUBDOMAINS * subdomains).format(
                here=self._here,
                domain=DOMAIN,
                port=self.port,
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
        self._certificate = str(home / "ca.pem") if subdomains else None
        if subdomains:
            authority = trustme.CA()
            authority.cert_pem.write_to_path(str(self._certificate))
            own = authority.issue_cert("127.0.0.1", DOMAIN, f"*.{DOMAIN}")
            own.cert_chain_pems[0].write_to_path(str(home / "cert.pem"))
            own.private_key_pem.write_to_path(str(home / "key.pem"))
        self.log = home / "hub.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [python, "-m", "jupyterhub", "-f", str(config)],
                cwd=home, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.until(lambda: self.ask("GET", "hub/api/").ok)

    def user_url(self, name: str) -> str:
        """The URL of this user's server."""
        return f"{self.url.replace('//', f'//{name}.') if self.subdomains else self.url}/user/{name}"

    def ask(self, method: str, path: str, name: str = "", **more: Any) -> requests.Response:
        """Send a request to the Hub's REST API, or to that of a user's server."""
        address = self.user_url(name) if name else self.url
        headers = {"Authorization": f"token {_TOKEN}", "Host": urlsplit(address).netloc}
        url = f"{self._here}{urlsplit(address).path}/{path}"
        return requests.request(method, url, headers=headers, timeout=60, verify=self._certificate, **more)

    def until(self, done: Callable[[], bool]) -> None:
        """Wait until a condition holds; connection errors count as not yet."""
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
        self.process.wait(300)


class UserServer:
    """The server of one user, with the interface of `harness.Server`; it responds once `ready` returns."""

    app = "lab"

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub, self.name = hub, name
        self.folder = hub.home / name
        self.folder.mkdir()
        hub.ask("POST", f"hub/api/users/{name}")
        hub.ask("POST", f"hub/api/users/{name}/server")
        self.url = hub.user_url(name)
        self._kernel = ""

    def ready(self) -> None:
        """Wait until it answers."""
        self.hub.until(lambda: self.ask("GET", "status").ok)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Call the server's own interface."""
        return self.hub.ask(method, f"api/{path}", self.name, **more)

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


class HubPage(JupyterPage):
    """A user's page of JupyterLab, in a browser in which that user signed in to the Hub."""

    def __init__(self, server: UserServer, browser: Browser) -> None:
        server.ready()
        self.server = server  # type: ignore[assignment] # it has what is used
        self.context = browser.new_context(
            viewport={"width": 900, "height": 800}, ignore_https_errors=server.hub.subdomains
        )
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
