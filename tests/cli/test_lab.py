"""``authnb lab``: the notebooks in a real JupyterLab, and a person who signs up in a real browser."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import requests
import zmq
from harness import chromium
from playwright.sync_api import expect
from requests.adapters import HTTPAdapter
from support import require
from urllib3.util import Retry
from zmq.utils.monitor import recv_monitor_message

from authnb.cli.lab import copy_notebooks, notebooks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
PASSWORD = "a long enough password"
PLOT = ".jp-OutputArea img[src^='data:image/png']"  # the replay draws an SVG picture too
# Quiet news and updates: both ask hosts elsewhere
SETTINGS = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def notebook(source: str) -> str:
    """The text of a notebook with one code cell that was not run."""
    cell = {"cell_type": "code", "execution_count": None, "source": source, "outputs": []}
    return json.dumps({"cells": [cell]}, indent=1) + "\n"


class TestCopy:
    """A learner's edits survive an upgrade."""

    def test_copies_all(self, tmp_path: Path) -> None:
        """All that came with the package is there, and writable."""
        assert copy_notebooks(notebooks(), tmp_path) == []
        for name in ("checks.py", "checking/judge.py", "solutions/hints.toml"):
            assert (tmp_path / name).read_bytes() == (notebooks() / name).read_bytes()
        assert os.access(tmp_path / "00_sign_in.ipynb", os.W_OK)

    @pytest.mark.parametrize("name", [path.name for path in sorted(notebooks().glob("*.ipynb"))])
    def test_outputs_are_not_copied(self, tmp_path: Path, name: str) -> None:
        """A cell that was not run says neither "Signed in" nor what a learner is to predict; all else is the same.

        The input of a comparison, in which the answer stands, is collapsed.
        """
        copy_notebooks(notebooks(), tmp_path)
        original = json.loads((notebooks() / name).read_text(encoding="utf-8"))
        code = [cell for cell in original["cells"] if cell["cell_type"] == "code"]
        assert any(cell["outputs"] for cell in code), "nbval compares with them"
        for cell in code:
            cell.update(execution_count=None, outputs=[])
        compared = [cell for cell in code if "kit.compare(" in "".join(cell["source"])]
        assert compared, "each notebook has predictions"
        for cell in compared:
            cell["source"].insert(0, "# Run this cell to see what happens\n")
            cell["metadata"]["jupyter"] = {"source_hidden": True}
        assert json.loads((tmp_path / name).read_text(encoding="utf-8")) == original

    def test_an_unchanged_copy_is_replaced(self, tmp_path: Path) -> None:
        """Who changed nothing gets the new version."""
        source, folder = tmp_path / "source", tmp_path / "folder"
        write(source / "a.ipynb", notebook("old"))
        copy_notebooks(source, folder)
        write(source / "a.ipynb", notebook("new"))
        assert copy_notebooks(source, folder) == []
        assert (folder / "a.ipynb").read_text() == notebook("new")

    def test_a_changed_copy_is_kept(self, tmp_path: Path) -> None:
        """Who changed something keeps it, and finds the new version beside it, once."""
        source, folder = tmp_path / "source", tmp_path / "folder"
        write(source / "a.ipynb", notebook("old"))
        copy_notebooks(source, folder)
        write(folder / "a.ipynb", "mine")
        assert copy_notebooks(source, folder) == [], "nothing is new"
        write(source / "a.ipynb", notebook("new"))
        assert copy_notebooks(source, folder) == ["a.ipynb"]
        assert copy_notebooks(source, folder) == []
        assert (folder / "a.ipynb").read_text() == "mine"
        assert (folder / "a.new.ipynb").read_text() == notebook("new")

    def test_a_file_that_was_there_before_is_kept(self, tmp_path: Path) -> None:
        """A folder of somebody's own is not written over."""
        source, folder = tmp_path / "source", tmp_path / "folder"
        write(source / "a.ipynb", notebook("new"))
        write(folder / "a.ipynb", "mine")
        assert copy_notebooks(source, folder) == ["a.ipynb"]
        assert (folder / "a.ipynb").read_text() == "mine"


@contextmanager
def running(home: Path, *before: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """``authnb lab``, started by the command ``before``, and its address."""
    settings = home / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    write(settings, json.dumps(SETTINGS))
    env = {
        **os.environ,
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
    }
    env.pop("AUTHNB_INTERACTIVE", None)
    options = ["--no-browser", "--ServerApp.port=0", "--IdentityProvider.token=lab-token"]
    command = [*before, sys.executable, "-m", "authnb", "lab", str(home / "notebooks"), "--", *options]
    command.append("--LabApp.expose_app_in_browser=True")
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            yield process, address(process, home / "log")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(300)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(home: Path) -> Iterator[str]:
    """The address of a JupyterLab started by ``authnb lab``."""
    with running(home) as (_, url):
        yield url


def address(process: subprocess.Popen[bytes], log: Path) -> str:
    patient = requests.Session()
    patient.mount("http://", HTTPAdapter(max_retries=Retry(connect=10, backoff_factor=0.1)))
    while process.poll() is None:
        found = re.search(r"(http://127\.0\.0\.1:\d+)/lab\S*\?token=", log.read_text())
        if found and patient.get(found[1] + "/api", timeout=20).ok:
            assert "//localhost" not in log.read_text(), "another site than the frames in notebook 08"
            return found[1]
        threading.Event().wait(0.05)
    pytest.fail(log.read_text())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def test_lists_the_notebooks(lab: str) -> None:
    listed = requests.get(f"{lab}/api/contents?token=lab-token", timeout=20).json()["content"]
    assert "00_sign_in.ipynb" in {item["name"] for item in listed}


def test_no_other_user_reads_what_a_kernel_sends(lab: str, home: Path) -> None:
    """A kernel's connections are open to every user of the machine; without its keys nobody can subscribe."""
    headers = {"Authorization": "token lab-token"}
    kernel = requests.post(f"{lab}/api/kernels", headers=headers, timeout=60).json()["id"]
    connection = json.loads((home / "runtime" / f"kernel-{kernel}.json").read_text())
    with zmq.Context() as context, context.socket(zmq.SUB) as other_user:
        handshake = other_user.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
        other_user.connect(f"tcp://127.0.0.1:{connection['iopub_port']}")
        with handshake:
            assert recv_monitor_message(handshake)["event"] == zmq.EVENT_DISCONNECTED
    requests.delete(f"{lab}/api/kernels/{kernel}", headers=headers, timeout=60)


def test_a_person_signs_up_and_plots(lab: str, browser: Browser, tmp_path: Path) -> None:
    """Run All, the link, an account, a consent, and the plot: with a mouse and a keyboard."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto(f"{lab}/lab/tree/00_sign_in.ipynb?token=lab-token")
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel")
    page.locator(".jp-Notebook").click()
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    link = page.locator(".authnb").get_by_role("link", name="Open the sign-in page")
    link.wait_for(timeout=60_000)
    page.screenshot(path=str(tmp_path / "waiting.png"))

    with context.expect_page() as opened:
        link.click()
    provider = opened.value
    provider.get_by_role("link", name="Create").click()
    provider.get_by_label("Name", exact=True).fill("lovelace")
    provider.get_by_label("Full name").fill("Ada Lovelace")
    provider.get_by_label("E-mail").fill("lovelace@example.org")
    provider.get_by_label("Password", exact=True).fill(PASSWORD)
    provider.get_by_label("Password again").fill(PASSWORD)
    provider.screenshot(path=str(tmp_path / "sign-up.png"))
    provider.get_by_role("button", name="Create account").click()
    expect(provider.get_by_label("Name", exact=True)).to_have_value("lovelace")
    provider.get_by_label("Password", exact=True).fill(PASSWORD)
    provider.get_by_role("button", name="Sign in").click()
    provider.screenshot(path=str(tmp_path / "consent.png"))
    provider.get_by_role("button", name="Allow").click()
    expect(provider.get_by_role("heading")).to_have_text("Go back to your notebook")

    page.bring_to_front()
    page.locator(PLOT).wait_for(timeout=60_000)
    page.wait_for_function(
        "() => ![...document.querySelectorAll('.jp-InputPrompt')].some(e => e.innerText.includes('*'))"
    )
    page.locator(PLOT).scroll_into_view_if_needed()
    page.screenshot(path=str(tmp_path / "plot.png"))
    shown = page.locator(".jp-Notebook").inner_text()
    assert re.search(r"'name': 'Ada Lovelace',\s+'preferred_username': 'lovelace'", shown)
    expect(page.locator(".authnb").first).to_contain_text("Signed in")  # nothing signs out unasked
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    saved = requests.get(f"{lab}/api/contents/00_sign_in.ipynb?token=lab-token", timeout=20).text
    assert "The API answers: 200" in saved
    assert "state=" not in saved
    assert PASSWORD not in saved
    context.close()


def test_a_person_signs_in_to_the_mended_application_in_its_frame(lab: str, browser: Browser) -> None:
    """Notebook 08: the frame greets who signed in on the tab that it opened."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto(f"{lab}/lab/tree/08_the_flask_app.ipynb?reset&token=lab-token")
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel")
    page.evaluate(
        """async () => {
            const {content, sessionContext} = window.jupyterapp.shell.currentWidget;
            await sessionContext.ready;
            const frame = content.widgets.findIndex(cell => cell.model.sharedModel.source.startsWith('kit.frame('));
            content.activeCellIndex = frame + 1;
            await window.jupyterapp.commands.execute('notebook:run-all-above');
        }"""
    )
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading")).to_have_text("Sign in", timeout=60_000)
    with context.expect_page() as opened:
        frame.get_by_role("link", name="Sign in").click()
    provider = opened.value
    provider.get_by_label("Name", exact=True).fill("ada")
    provider.get_by_label("Password", exact=True).fill("a long passphrase of ada")
    provider.get_by_role("button", name="Sign in").click()
    expect(provider.get_by_role("heading")).to_have_text("Hello Ada")

    page.bring_to_front()
    page.evaluate(
        """async () => {
            window.jupyterapp.shell.currentWidget.content.activeCellIndex -= 1;
            await window.jupyterapp.commands.execute('notebook:run-cell');
        }"""
    )
    expect(frame.get_by_role("heading")).to_have_text("Hello Ada")
    context.close()


ENDS = {
    "terminated": ([], lambda lab, _: lab.terminate()),
    "killed": ([], lambda lab, _: lab.kill()),
    "hung up": ([], lambda lab, _: lab.send_signal(signal.SIGHUP)),
    "its parent killed": (["sh", "-c", '"$0" "$@"; exit $?'], lambda _, started: started.kill()),
    "process 1 terminated": (
        ["unshare", "--map-root-user", "--pid", "--fork"],
        lambda lab, _: lab.terminate(),
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_nothing_is_left_when_it_ends(tmp_path: Path, how: str) -> None:
    """No server, no provider, no kernel: on a signal, also as process 1 of a container, and with its parent."""
    before, end = ENDS[how]
    if before:
        require(before[0])
    with running(tmp_path, *before) as (started, url):
        requests.post(f"{url}/api/kernels?token=lab-token", timeout=20).raise_for_status()
        all_of_it = [psutil.Process(started.pid), *psutil.Process(started.pid).children(recursive=True)]
        lab, *below = all_of_it[1:] if before else all_of_it
        assert below, "a kernel"
        end(lab, started)
        psutil.wait_procs([lab, *below], timeout=60)
        started.wait(60)
        assert not [process for process in all_of_it if process.is_running()]
        with pytest.raises(requests.ConnectionError):
            requests.get(url, timeout=20)
