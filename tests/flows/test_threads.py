"""A system that refuses threads: an error says what to do, or the work is done without one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="limits on threads are POSIX's")

HELPERS = Path(__file__).parents[1] / "helpers"


def test_threads_that_cannot_be_started() -> None:
    """Prefetching is given up; the listener's failure is an error of ours with a way out."""
    command = [sys.executable, str(HELPERS / "no_threads.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "ulimit -u" in done.stdout
    assert done.stdout.endswith("[no_threads]\n")


def test_python_in_a_browser() -> None:
    """Pyodide has no threads, whatever the limits: the error names where a sign-in works."""
    command = [sys.executable, str(HELPERS / "in_a_browser.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Python runs in your browser here (Pyodide, JupyterLite)" in done.stdout
    assert done.stdout.endswith("[no_threads]\n")
