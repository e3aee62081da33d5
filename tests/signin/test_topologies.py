"""Each place and each mode, as the tables in `docs/anywhere.md` have it; those with a browser are in tests/browser."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from servers import Server
from support import PERSON, folder_for_sockets, free_port, require
from terminal import Terminal
from topologies import DOCUMENT, FRONT_ENDS, MODES, NOBODY_THERE, TOPOLOGIES, UNATTENDED, WORKS, document

import authnb
from authnb.demo.person import PersonError
from authnb.errors import LoginFailed
from authnb.flows.inbox import Inbox
from authnb.oauth.client import Client
from authnb.signin.environment import detect, read_front_end
from authnb.signin.modes import rank_modes
from authnb.signin.options import LoginOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider

TESTS = Path(__file__).parents[1]
PATHS = os.pathsep.join(map(str, (TESTS.parent, TESTS / "helpers")))
LOGIN_OUTCOME = str(TESTS / "helpers" / "login_outcome.py")
TUNNEL = str(TESTS / "browser" / "tunnel.py")
IPYTHON = ["-m", "IPython", "--no-banner", "--simple-prompt", "--no-confirm-exit", "-i", LOGIN_OUTCOME]
DROPPED = ("BROWSER", "DISPLAY", "AUTHNB_", "JUPYTER", "SSH_CONNECTION")
SHORT, LONG = 2, 30  # seconds: where nobody comes back, and where somebody does


def environment(demo: DemoProvider, home: str, **more: str) -> dict[str, str]:
    """A bare one, in which authnb and these tests are found; ``home``: where it keeps what it keeps."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
    named = {"TESTS_ISSUER": demo.issuer, "TESTS_CLIENT": demo.client_id, "TESTS_JOB": demo.job_client_id}
    return {**kept, **named, "PYTHONPATH": PATHS, "AUTHNB_HOME": home, "AUTHNB_REMOTE": "0", **more}


def patience(name: str, mode: str) -> int:
    return SHORT if TOPOLOGIES[name].outcomes[mode] == "expired_token" else LONG


def test_the_page_shows_the_tables() -> None:
    """`make tables` writes them."""
    assert DOCUMENT.read_text(encoding="utf-8") == document()


@pytest.mark.parametrize("name", [name for name, row in {**TOPOLOGIES, **NOBODY_THERE}.items() if row.by])
def test_every_row_is_run(name: str) -> None:
    """By the file that it names; every mode that does not work has its reason."""
    row = {**TOPOLOGIES, **NOBODY_THERE}[name]
    assert f'["{name}"]' in (TESTS / row.by).read_text(encoding="utf-8")
    if name in TOPOLOGIES:
        assert set(row.outcomes) == set(MODES)
        assert set(row.why) == {mode for mode in row.run[1:] if row.outcomes[mode] != WORKS}


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_every_front_end_is_tried(name: str) -> None:
    """By the file that its row names."""
    assert f'["{name}"]' in (TESTS / FRONT_ENDS[name].by).read_text(encoding="utf-8")


class AtATerminal:
    """A person at a terminal in which IPython runs, with their browser here."""

    def __init__(self, name: str, demo: DemoProvider, terminal: Terminal) -> None:
        self.name, self.demo, self.terminal = name, demo, terminal

    def outcome(self, mode: str) -> str:
        """What comes of this mode, the person doing what the terminal says."""
        with Server() as elsewhere:  # where the person ends who is to bring back the address
            port = elsewhere.port if mode == "paste" else free_port()
            self.terminal.type(f"begin({mode!r}, {patience(self.name, mode)}, {port})", "Enter")
            shown = self._after(mode, r"http://\S+/authorize\S+|enter the code \S+|came: \S+")
            if shown.startswith("http"):
                if mode == "paste":
                    self._after(mode, "copy its whole address")
                with suppress(PersonError):  # nobody answers where the browser is sent
                    self.demo.visit(shown, name="ada")
                if mode == "paste":
                    self.terminal.type(elsewhere.url + elsewhere.requests[-1].path, "Enter")
            elif shown.startswith("enter"):
                self.demo.approve(shown.rpartition(" ")[2], name="ada")
            return self._after(mode, r"came: \S+").removeprefix("came: ")

    def _after(self, mode: str, pattern: str) -> str:
        return self.terminal.read_until(rf"(?s)begun {re.escape(mode)}\n.*?({pattern})")[1]


@pytest.fixture(scope="module")
def at_ipython(demo: DemoProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AtATerminal]:
    with Terminal() as terminal:
        terminal.start(sys.executable, *IPYTHON, **_for_terminals(demo, tmp_path_factory))
        terminal.read_until(r"In \[1\]")
        yield AtATerminal("ipython", demo, terminal)


@pytest.fixture(scope="module")
def in_a_container(demo: DemoProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AtATerminal]:
    """The provider is reached from there, and nothing of it from here."""
    require("ip")
    folder = folder_for_sockets()
    port, out = str(urlsplit(demo.issuer).port), f"{folder.name}/out"
    inside = (
        f"{shlex.join([sys.executable, TUNNEL, port, out])} & exec {shlex.join([sys.executable, *IPYTHON])}"
    )
    command = [require("unshare"), "--net", "--map-root-user", "sh", "-c", f"ip link set lo up && {inside}"]
    environ = _for_terminals(demo, tmp_path_factory) | {"container": "podman", "AUTHNB_REMOTE": ""}
    tunnel = subprocess.Popen([sys.executable, TUNNEL, out, port])
    try:
        with Terminal() as terminal:
            terminal.start(*command, **environ)
            terminal.read_until(r"In \[1\]")
            yield AtATerminal("container", demo, terminal)
    finally:
        tunnel.terminate()
        tunnel.wait(20)
        folder.cleanup()


def _for_terminals(demo: DemoProvider, factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = str(factory.mktemp("person"))
    kept = ("TESTS_", "PYTHONPATH", "IPYTHON", "AUTHNB_")
    return {
        name: value
        for name, value in environment(demo, folder, IPYTHONDIR=folder).items()
        if name.startswith(kept)
    }


@pytest.mark.parametrize("mode", TOPOLOGIES["ipython"].run)
def test_in_ipython(at_ipython: AtATerminal, mode: str) -> None:
    assert at_ipython.outcome(mode) == TOPOLOGIES["ipython"].outcomes[mode]


@pytest.mark.parametrize("mode", TOPOLOGIES["container"].run)
def test_in_a_container(in_a_container: AtATerminal, mode: str) -> None:
    assert in_a_container.outcome(mode) == TOPOLOGIES["container"].outcomes[mode]


def test_in_a_script(demo: DemoProvider) -> None:
    """The program that `BROWSER` names is the person; nobody can type."""
    wanted = {mode: patience("script", mode) for mode in TOPOLOGIES["script"].run}
    environ = environment(demo, os.environ["AUTHNB_HOME"], BROWSER=PERSON)
    assert _run_script(wanted, environ) == TOPOLOGIES["script"].outcomes


def _run_script(wanted: dict[str, int], environ: dict[str, str]) -> dict[str, str]:
    command = [sys.executable, LOGIN_OUTCOME, json.dumps(wanted)]
    done = subprocess.run(
        command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def nobody_there(demo: DemoProvider, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a job: a sign-in remembered, a secret, a token in a file."""
    folder = tmp_path_factory.mktemp("job")
    token = folder / "token"
    token.write_text("a-token-from-a-trusted-place")
    environ = environment(
        demo,
        str(folder / "home"),
        AUTHNB_CLIENT_SECRET=demo.job_client_secret,
        AUTHNB_TOKEN_FILE=str(token),
    )
    assert _run_script({"remember=True": LONG}, {**environ, "BROWSER": PERSON}) == {"remember=True": WORKS}
    return environ


def test_a_script_with_nobody_there(nobody_there: dict[str, str]) -> None:
    wanted = dict.fromkeys(UNATTENDED, LONG)
    assert _run_script(wanted, nobody_there) == NOBODY_THERE["nobody"].outcomes


RUNNERS = {
    "papermill": (NOBODY_THERE["papermill"], ["papermill", "nb.ipynb", "out.ipynb", "--no-progress-bar"]),
    "nbval": (NOBODY_THERE["nbval"], ["pytest", "--nbval-lax", "-p", "no:cacheprovider", "nb.ipynb"]),
    "nbclient": (NOBODY_THERE["nbclient"], ["jupyter", "execute", "nb.ipynb"]),
}


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_notebook_with_nobody_there(runner: str, nobody_there: dict[str, str], tmp_path: Path) -> None:
    row, (program, *arguments) = RUNNERS[runner]
    cell = (
        "import json, pathlib, login_outcome\n"
        f"found = {{mode: login_outcome.outcome(mode) for mode in {UNATTENDED!r}}}\n"
        "_ = pathlib.Path('found.json').write_text(json.dumps(found))"
    )
    notebook = new_notebook(cells=[new_code_cell(cell)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "nb.ipynb")
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=tmp_path,
        env=nobody_there,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "found.json").read_text()) == row.outcomes


# What the page reports of itself, where it is that of a Jupyter server
REPORTS: dict[str, dict[str, Any]] = {
    "sagemaker": {
        "origin": "https://abc.studio.eu-west-1.sagemaker.aws",
        "base_url": "/jupyter/default/",
        "page": "/jupyter/default/lab/extensions/authnb/callback.html",
        "proxied": True,
    }
}


@pytest.mark.parametrize("name", [name for name, row in TOPOLOGIES.items() if not row.by])
def test_places_of_which_only_their_documentation_tells(name: str, demo: DemoProvider) -> None:
    """What authnb makes of the environment that such a place sets, and of what its page reports."""
    row = TOPOLOGIES[name]
    place = detect(row.environ, kernel=SimpleNamespace(_allow_stdin=True), tty=False, platform="linux")
    seen = read_front_end(REPORTS[name], place) if name in REPORTS else None
    accepted = {"page": True, "proxy": True} if seen else {}
    ways = rank_modes(place, seen, loopback_reached=None, device=True, accepted=accepted)
    assert ways[0].mode == row.outcomes["auto"]
    assert {way.mode for way in ways} == {mode for mode in MODES[1:] if row.outcomes[mode] == WORKS}
    client = Client(authnb.Provider.discover(demo.issuer), client_id=demo.client_id)
    for mode in (mode for mode in MODES if row.outcomes[mode] == "not_supported"):
        wish = LoginOptions(mode=mode, view="panel", ports=(0,), timeout=LONG)
        with pytest.raises(LoginFailed) as caught:
            wish.flow(client, mode, place, seen, Inbox())
        assert caught.value.error == row.outcomes[mode]
