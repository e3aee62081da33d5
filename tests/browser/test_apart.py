"""The kernel in a network namespace of its own: the browser reaches its Jupyter server, and nothing else of it."""

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
from harness import Desk, Server, login
from people import open_page, provider_for, sign_in
from playwright.sync_api import expect
from support import free_port, require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from authnb.demo import DemoProvider

TUNNEL = str(Path(__file__).parent / "tunnel.py")


class Apart(Server):
    """JupyterLab, with its kernels, where 127.0.0.1 is not the browser's; one port leads in, one out."""

    def __init__(self, home: Path, port: int, out: int) -> None:
        self.port, self.within, self.outside = port, str(home / "in"), str(home / "out")
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
            tunnel.wait(20)
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)


@pytest.fixture(scope="module")
def provider() -> Iterator[tuple[DemoProvider, int]]:
    port = free_port()
    page = f"http://127.0.0.1:{port}/lab/extensions/authnb/callback.html"
    with provider_for(page) as demo:
        yield demo, port


@pytest.fixture(scope="module")
def apart(
    tmp_path_factory: pytest.TempPathFactory, provider: tuple[DemoProvider, int], browser: Browser
) -> Iterator[Desk]:
    require("ip")
    demo, port = provider
    with Apart(tmp_path_factory.mktemp("apart"), port, urlsplit(demo.issuer).port or 0) as server:
        desk = Desk(server, browser)
        yield desk
        desk.close()


def test_auto_finds_that_loopback_leads_nowhere(apart: Desk, provider: tuple[DemoProvider, int]) -> None:
    """Nothing in the environment says so: the browser tried. It ends signed in, and says how that was decided."""
    demo, _ = provider
    expect.set_options(timeout=30_000)
    with apart.notebook(login(demo), "print('next', api.user['name'])") as notebook:
        notebook.run_all()
        expect(notebook.panel).to_contain_text(
            "does not reach 127.0.0.1 of the kernel's machine, so the answer comes back over a page of your Jupyter"
        )
        page = open_page(notebook)
        sign_in(page)
        expect(page.get_by_role("heading")).to_have_text("Go back to your notebook")
        notebook.phase("signed_in")
        notebook.idle()
        assert "next Ada" in notebook.outputs(1)
        page.close()
    expect.set_options(timeout=5_000)
