"""A real terminal, for interactive programs."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from pathlib import Path
from typing import Self

import pytest
from support import folder_for_sockets, require

ROOT = Path(__file__).parents[2]
PATIENCE = 60  # seconds


class Terminal:
    """A tmux session with one program, ended with the `with` block."""

    def __init__(self) -> None:
        program = require("tmux")
        self._folder = folder_for_sockets()
        self._tmux = [program, "-S", f"{self._folder.name}/tmux"]

    def start(self, *command: str, **environ: str) -> None:
        """Start a program."""
        env = {"PYTHONPATH": str(ROOT), "DISPLAY": "", "BROWSER": "", "AUTHNB_INTERACTIVE": "", **environ}
        settings = [part for name, value in env.items() for part in ("-e", f"{name}={value}")]
        self._do("new-session", "-d", "-x", "400", "-y", "50", *settings, *command)
        self._do("set-option", "remain-on-exit", "on")

    def read_until(self, pattern: str) -> re.Match[str]:
        """The match, once the screen shows this pattern."""
        return self._until(pattern, "capture-pane", "-p", "-J")

    def wait_for_the_end(self) -> None:
        """Return once the program has ended."""
        self._until("^1$", "display-message", "-p", "#{pane_dead}")

    def text(self) -> str:
        """The screen and its scrollback."""
        return self._do("capture-pane", "-p", "-J", "-S", "-")

    def _until(self, pattern: str, *command: str) -> re.Match[str]:
        """Poll tmux until its output matches; fail after `PATIENCE` seconds."""
        deadline, answer = time.monotonic() + PATIENCE, ""
        while time.monotonic() < deadline:
            answer = self._do(*command)
            if found := re.search(pattern, answer, re.MULTILINE):
                return found
            threading.Event().wait(0.05)
        pytest.fail(f"{pattern!r} did not appear; tmux {command[0]}:\n{answer}")

    def type(self, *keys: str) -> None:
        """Send keys."""
        self._do("send-keys", *keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)
        self._folder.cleanup()

    def _do(self, *command: str) -> str:
        done = subprocess.run([*self._tmux, *command], check=True, capture_output=True, text=True)
        return done.stdout
