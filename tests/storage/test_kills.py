"""A process killed at any moment leaves a stored sign-in that is complete."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from demo_session import renewer, sign_in, stored

from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from authnb.demo import DemoProvider

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

SCRIPT = Path(__file__).parents[1] / "helpers" / "killed_processes.py"
# The real thing takes a quarter of a minute; AUTHNB_KILLS makes it more.
KILLS = int(os.environ.get("AUTHNB_KILLS", "1000"))
ENVIRONMENT = {**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}


def run(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(SCRIPT), *arguments]
    done = subprocess.run(command, capture_output=True, timeout=60 + KILLS, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr.decode()
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_killed_at_every_line_of_a_save() -> None:
    """After the first save, which creates folder and key, and later ones: the old sign-in or the new is stored."""
    report = run("steps")
    assert report["first"]["steps"] > 80
    assert report["later"]["steps"] > 40
    assert report["later"]["found"]["0"] == 0
    assert report["later"]["found"]["1"] > 0
    assert report["later"]["found"]["2"] > 0


def test_killed_at_random_while_saving() -> None:
    report = run("saves", str(KILLS))
    assert report["unreadable"] == 0
    assert report["saved"] > 0


def test_killed_at_random_while_renewing(demo: DemoProvider, tmp_path: Path) -> None:
    """A kill between the provider's rotation and our save costs one new sign-in, which no client can avoid."""
    session = sign_in(demo, storage=FileStorage(tmp_path))
    command = [sys.executable, str(SCRIPT), "renewals", str(max(50, KILLS // 10))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=ENVIRONMENT, **pipes) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(pickle.dumps(session))
        process.stdin.flush()
        asked = 0
        for line in process.stderr:
            assert line == b"sign in\n"
            asked += 1
            process.stdin.write(json.dumps(sign_in(demo).token).encode() + b"\n")
            process.stdin.flush()
        report = json.load(process.stdout)
    assert process.returncode == 0
    assert report["unreadable"] == 0
    assert report["sign-ins needed"] == asked < report["kills"]
    session.token = stored(session).token
    assert renewer(session).renew(session.token)
