"""The kernel in a network namespace of its own, where the browser reaches the Jupyter server and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from harness import JupyterPage, Server, login
from playwright.sync_api import expect
from provider_pages import SIGN_IN_BY, provider_for, unreachable_redirect
from support import folder_for_sockets, free_port, require
from topologies import NO, TOPOLOGIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from authnb.demo import DemoProvider

ROW = TOPOLOGIES["forwarded"]
TUNNEL = str(Path(__file__).parent / "tunnel.py")


class NamespacedServer(Server):
    """JupyterLab, with its kernels, where 127.0.0.1 is not the browser's; one port leads in, one out."""

    def __init__(self, home: Path, port: int, out: int) -> None:
        self.port, self.sockets = port, folder_for_sockets()
        self.within, self.outside = f"{self.sockets.name}/in", f"{self.sockets.name}/out"
        start = (
            f'ip link set lo up && "$0" {TUNNEL} {out} {self.outside} & '
            f'"$0" {TUNNEL} {self.within} {port} & exec "$0" "$@"'
        )
        # A program in the place of Python that makes the namespace and then is Python
        python = home / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(
            f"#!/bin/sh\nexec {require('unshare')} --net --map-root-user sh -c '{start}' {sys.executable} \"$@\"\n"
        )
        python.chmod(0o755)
        self.tunnels = [
            subprocess.Popen([sys.executable, TUNNEL, self.outside, str(out)]),
            subprocess.Popen([sys.executable, TUNNEL, str(port), self.within]),
        ]
        super().__init__(home, python=str(python), port=port, AUTHNB_REMOTE="")

    def _address(self) -> str:
        url = f"http://127.0.0.1:{self.port}"
        pause = threading.Event()
        while self.process.poll() is None:
            with suppress(requests.RequestException):
                if requests.get(f"{url}/api", timeout=20).ok:
                    return url
            pause.wait(0.1)
        raise RuntimeError(self.log.read_text())

    def __exit__(self, *_: object) -> None:
        for tunnel in self.tunnels:
            tunnel.terminate()
            tunnel.wait(300)
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(300)
        self.sockets.cleanup()


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    """Where the Jupyter server is seen from outside, and where the proxy leads within."""
    expect.set_options(timeout=30_000)
    return free_port(), free_port()


@pytest.fixture(scope="module")
def provider(ports: tuple[int, int]) -> Iterator[DemoProvider]:
    server = f"http://127.0.0.1:{ports[0]}"
    page, proxy = f"{server}/lab/extensions/authnb/callback.html", f"{server}/proxy/{ports[1]}/callback"
    with provider_for(page, proxy) as demo:
        yield demo
    expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def namespaced(
    tmp_path_factory: pytest.TempPathFactory, provider: DemoProvider, ports: tuple[int, int], browser: Browser
) -> Iterator[JupyterPage]:
    require("ip")
    with NamespacedServer(
        tmp_path_factory.mktemp("namespaced"), ports[0], urlsplit(provider.issuer).port or 0
    ) as server:
        jupyter = JupyterPage(server, browser)
        yield jupyter
        jupyter.close()


def test_auto_detects_unreachable_loopback(namespaced: JupyterPage, provider: DemoProvider) -> None:
    """No environment variable tells; the browser's probe does. The sign-in succeeds, and the card names the reason."""
    with namespaced.notebook(login(provider), "print('next', api.user['name'], signin.mode)") as notebook:
        notebook.run_all()
        expect(notebook.panel).to_contain_text(
            "does not reach 127.0.0.1 of the kernel's machine, so the callback arrives through a page of your Jupyter"
        )
        SIGN_IN_BY["auto"](notebook)
        notebook.phase("signed_in")
        notebook.idle()
        assert f"next Ada {ROW.outcomes['auto']}" in notebook.outputs(1)


def test_explicit_loopback_stays_unreachable(namespaced: JupyterPage, provider: DemoProvider) -> None:
    """The browser cannot load the redirect URI, and the sign-in goes on waiting."""
    assert ROW.outcomes["loopback"] == NO
    with namespaced.notebook(login(provider, mode="loopback", then="signin")) as notebook:
        notebook.run_all()
        assert unreachable_redirect(notebook)
        notebook.phase("waiting")
        notebook.press("Cancel")


@pytest.mark.parametrize("mode", [mode for mode in ROW.run if mode not in {"auto", "loopback"}])
def test_each_other_mode(
    namespaced: JupyterPage, provider: DemoProvider, ports: tuple[int, int], mode: str
) -> None:
    cell = login(provider, mode=mode, redirect_port=ports[1])
    with namespaced.notebook(cell, "print('next', api.user['name'])") as notebook:
        notebook.run_all()
        SIGN_IN_BY[mode](notebook)
        notebook.phase("signed_in")
        notebook.idle()
        assert "next Ada" in notebook.outputs(1)
