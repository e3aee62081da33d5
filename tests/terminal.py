"""A real terminal, for programs that speak with a person."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from pathlib import Path
from typing import Self

import pytest
from support import require

ROOT = Path(__file__).parent.parent
PATIENCE = 30  # seconds


class Terminal:
    """tmux, typed into and read from; what runs in it ends with the `with` block."""

    def __init__(self, folder: Path) -> None:
        self._tmux = [require("tmux"), "-S", str(folder / "tmux")]

    def start(self, *command: str, **environ: str) -> None:
        """Run a program in it."""
        env = {"PYTHONPATH": str(ROOT), "DISPLAY": "", "BROWSER": "", "AUTHNB_INTERACTIVE": "", **environ}
        settings = [part for name, value in env.items() for part in ("-e", f"{name}={value}")]
        self._do("new-session", "-d", "-x", "400", "-y", "50", *settings, *command)
        self._do("set-option", "remain-on-exit", "on")

    def read_until(self, pattern: str) -> re.Match[str]:
        """What is on the screen once it shows that."""
        return self._until(pattern, "capture-pane", "-p", "-J")

    def wait_for_the_end(self) -> None:
        """Return once the program has ended."""
        self._until("^1$", "display-message", "-p", "#{pane_dead}")

    def text(self) -> str:
        """All that was on the screen, what has scrolled away too."""
        return self._do("capture-pane", "-p", "-J", "-S", "-")

    def _until(self, pattern: str, *command: str) -> re.Match[str]:
        """Ask tmux until its answer matches; it is asked often, and given up on at last."""
        deadline, answer = time.monotonic() + PATIENCE, ""
        while time.monotonic() < deadline:
            answer = self._do(*command)
            if found := re.search(pattern, answer, re.MULTILINE):
                return found
            threading.Event().wait(0.05)
        pytest.fail(f"{pattern!r} never came; tmux {command[0]} says:\n{answer}")

    def type(self, *keys: str) -> None:
        """Press these."""
        self._do("send-keys", *keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)

    def _do(self, *command: str) -> str:
        done = subprocess.run([*self._tmux, *command], check=True, capture_output=True, text=True)
        return done.stdout
