"""Other users of the machine can list processes, and learn nothing that lets them answer a sign-in."""

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
from authnb.flows.listener import LoopbackListener
from authnb.views.browser import PageOpener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider
    from authnb.storage.base import MemoryStorage

OWNER, OTHER_USER = 65_001, 65_002
ROOT = sys.platform == "linux" and os.getuid() == 0

# Signs in as this user; before, once, as who we are, to load what another may not be allowed to read
SIGNING_IN = """
import importlib, os, pkgutil, sys, webbrowser
import authnb
from authnb.demo.person import Person
for module in pkgutil.walk_packages(authnb.__path__, "authnb."):
    if not module.name.endswith("__") and not module.name.startswith(("authnb.adapters.", "authnb.cluster.")):
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
def test_the_url_is_on_no_command_line(demo: DemoProvider, tmp_path: Path) -> None:
    """The browser is given a file that only we can read, and that is gone when the sign-in ends."""
    note = tmp_path / "note"
    os.mkfifo(note)
    browser = tmp_path / "browser"
    browser.write_text(f'printf %s "$1" >{note}')
    with signing_in(demo, tmp_path, f"/bin/sh {browser} %s", os.getuid()) as said:
        address = said.readline().strip()
        assert address, "it did not sign in"
        given = note.read_text()
        page = Path(unquote(urlsplit(given).path))
        assert state_of(address) not in given
        assert page.stat().st_mode & 0o777 == 0o600
        person = [sys.executable, "-W", "error", "-m", "authnb.demo.person", given]
        subprocess.run(person, check=True, timeout=60)
        assert said.readline().strip() == "Ada"
        assert not page.exists()


@pytest.mark.skipif(not ROOT, reason="only root, on Linux, can start programs as others")
def test_another_user_cannot_read_the_state(demo: DemoProvider, tmp_path: Path) -> None:
    """Whatever another user reads of our processes, the state of the sign-in is not in it."""
    with signing_in(demo, tmp_path, "/bin/sh -c 'read -r _' %s", OWNER) as said:
        address = said.readline().strip()

        def seen_by(user: int) -> str:
            looking = [sys.executable, "-c", LOOKING, str(user)]
            return subprocess.run(looking, capture_output=True, text=True, timeout=60, check=True).stdout

        seen = next(seen for seen in (seen_by(OTHER_USER) for _ in range(100)) if "read -r _" in seen)
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


def test_the_listeners_responses_reveal_no_state() -> None:
    """Without the state, responses do not even tell whether a sign-in waits."""
    listener = LoopbackListener()
    try:
        before, waiting = [], []
        for answers in (before, waiting):
            for query in ("", "?state=s-2", "?code=c&state=s", "?error=access_denied&state=s-1x", "?error=x"):
                answers.append(requests.get(listener.redirect_uri + query, timeout=10).text)
            listener.expect("s-1")
        assert before == waiting
    finally:
        listener.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and a browser that opens nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BROWSER", "true %s")
    return tmp_path


def sign_in_with_a_browser(demo: DemoProvider, storage: MemoryStorage) -> None:
    login = authnb.login(demo.issuer, client_id=demo.client_id, mode="loopback", view=None, storage=storage)
    opener = PageOpener()
    login.verification()
    login.observe(opener)
    demo.visit(login.verification().uri)
    login.wait(30)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere no file is written")
def test_the_file_of_a_killed_sign_in_is_removed_by_the_next(
    demo: DemoProvider, storage: MemoryStorage, home: Path
) -> None:
    """After SIGTERM, SIGHUP or SIGKILL it stays behind, with a state in it."""
    left = home / "authnb-sign-in-ab12_cd3.html"
    left.write_text("left behind")
    left.chmod(0o600)
    os.utime(left, (1, 1))
    sign_in_with_a_browser(demo, storage)
    assert not left.exists()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere no file is written")
def test_files_of_others_and_of_sign_ins_under_way_stay(
    demo: DemoProvider, storage: MemoryStorage, home: Path
) -> None:
    """Only names that authnb makes are touched, no links, and none of a sign-in that may still wait."""
    under_way = home / "authnb-sign-in-ef45gh67.html"
    under_way.write_text("of another process")
    kept = [
        home / "authnb-sign-in-notes about it.html",
        home / "sign-in.html",
        home / "authnb-sign-in-ab12_cd3.htm",
    ]
    for path in kept:
        path.write_text("a person's own")
        path.chmod(0o600)
        os.utime(path, (1, 1))
    link = home / "authnb-sign-in-zz11zz11.html"
    link.symlink_to(kept[1])
    sign_in_with_a_browser(demo, storage)
    assert all(path.exists() for path in (under_way, link, *kept))
