"""Other users of the machine: they can look at its processes, and learn nothing with which to sign in for somebody."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import requests

import authnb
from authnb.redirects import LoopbackListener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider
    from authnb.storage import MemoryStorage

OWNER, NEIGHBOUR = 65_001, 65_002
ROOT = sys.platform == "linux" and os.getuid() == 0

# Signs in as this user; before, once, as who we are, to load what another may not be allowed to read
SIGNING_IN = """
import importlib, os, pkgutil, sys, webbrowser
import authnb
from authnb.demo.person import Person
for module in pkgutil.walk_packages(authnb.__path__, "authnb."):
    if not module.name.endswith("__"):
        importlib.import_module(module.name)
how = {"client_id": sys.argv[3], "mode": "loopback"}
first = authnb.login(sys.argv[2], view=None, profile="first", **how)
Person(sys.argv[2]).visit(first.verification().uri)
first.wait(60)
webbrowser.get()
if os.getuid() == 0:
    os.setuid(int(sys.argv[1]))
login = authnb.login(sys.argv[2], **how)
print(login.verification().uri, flush=True)
print(login.wait(60).user["name"], flush=True)
"""
# Reads what can be read of all processes, and the files they were started with
LOOKING = """
import os, pathlib, re, sys
os.setuid(int(sys.argv[1]))
for process in pathlib.Path("/proc").glob("[0-9]*"):
    for file in ("cmdline", "environ"):
        try:
            text = (process / file).read_text(errors="replace")
            print(text)
            for name in re.findall("file://([^\\0]+)", text):
                print(pathlib.Path(name).read_text())
        except OSError as error:
            print(type(error).__name__)
"""


@contextmanager
def signing_in(demo: DemoProvider, home: Path, browser: str, user: int) -> Iterator[IO[str]]:
    """What a sign-in in another process prints: its address, then who signed in."""
    for folder in (*home.parents[:3], home):
        folder.chmod(0o755)
    os.chown(home, user, -1)
    environ = {**os.environ, "HOME": str(home), "BROWSER": browser, "AUTHNB_INTERACTIVE": "0"}
    with subprocess.Popen(
        [sys.executable, "-c", SIGNING_IN, str(user), demo.issuer, demo.client_id],
        stdin=subprocess.PIPE,  # which the browser waits on
        stdout=subprocess.PIPE,
        env=environ,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nobody else can look")
def test_no_program_is_started_with_the_address(demo: DemoProvider, tmp_path: Path) -> None:
    """The browser is given a file that only we can read, and that is gone when the sign-in ends."""
    note = tmp_path / "note"
    os.mkfifo(note)
    browser = tmp_path / "browser"
    browser.write_text(f'printf %s "$1" >{note}')
    with signing_in(demo, tmp_path, f"/bin/sh {browser} %s", os.getuid()) as said:
        address = said.readline().strip()
        given = note.read_text()
        page = Path(unquote(urlsplit(given).path))
        assert state_of(address) not in given
        assert page.stat().st_mode & 0o777 == 0o600
        person = [sys.executable, "-W", "error", "-m", "authnb.demo.person", given]
        subprocess.run(person, check=True, timeout=60)
        assert said.readline().strip() == "Ada"
        assert not page.exists()


@pytest.mark.skipif(not ROOT, reason="only root, on Linux, can start programs as others")
def test_a_neighbour_learns_nothing(demo: DemoProvider, tmp_path: Path) -> None:
    """Whatever another user reads of our processes, the state of the sign-in is not in it."""
    with signing_in(demo, tmp_path, "/bin/sh -c 'read -r _' %s", OWNER) as said:
        address = said.readline().strip()

        def seen_by(user: int) -> str:
            looking = [sys.executable, "-c", LOOKING, str(user)]
            return subprocess.run(looking, capture_output=True, text=True, timeout=60, check=True).stdout

        seen = next(seen for seen in (seen_by(NEIGHBOUR) for _ in range(100)) if "read -r _" in seen)
        assert "PermissionError" in seen
        assert state_of(address) not in seen
        assert state_of(address) in seen_by(OWNER), "there was something to see"
        demo.visit(address)
        assert said.readline().strip() == "Ada"


def state_of(address: str) -> str:
    """The state, with which anybody could answer."""
    return parse_qs(urlsplit(address).query)["state"][0]


def test_the_state_is_too_long_to_guess(demo: DemoProvider, storage: MemoryStorage) -> None:
    """At least 256 bits, new each time."""
    states = set()
    for _ in range(2):
        login = authnb.login(
            demo.issuer, client_id=demo.client_id, view=None, mode="loopback", storage=storage
        )
        states.add(state_of(login.verification().uri))
        login.cancel()
    assert len(states) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9]{43,}", state) for state in states)


def test_what_the_listener_says_depends_on_nothing_secret() -> None:
    """Whoever asks without the state learns not even whether a sign-in waits."""
    listener = LoopbackListener()
    try:
        answers = set()
        for state in (None, "s-1"):
            if state:
                listener.expect(state)
            for query in ("", "?state=s-2", "?code=c&state=s", "?error=access_denied&state=s-1x"):
                answers.add(requests.get(listener.redirect_uri + query, timeout=10).text)
        assert len(answers) == 1
    finally:
        listener.close()
