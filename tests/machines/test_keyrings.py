"""Keyrings that ask for a password where nobody expects it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROMPTING = """
import getpass
from keyring.backend import KeyringBackend

class Ring(KeyringBackend):
    priority = 5
    def get_password(self, service, name):
        return getpass.getpass("Password for the keyring: ")
    def set_password(self, service, name, password):
        getpass.getpass("Password for the keyring: ")
"""
SAVING = """
import os, sys
os.setsid()
os.close(os.open(os.ttyname(0), os.O_RDWR))  # our controlling terminal
from test_files import ACCOUNT, FileStorage, some_sign_in
FileStorage(sys.argv[1]).save(ACCOUNT, some_sign_in())
print("kept", FileStorage(sys.argv[1]).load(ACCOUNT) == some_sign_in())
"""


def test_a_keyring_that_prompts_gets_no_terminal(tmp_path: Path) -> None:
    """It counts as none: nothing is asked, the key is kept in a file, and the terminal echoes as before."""
    (tmp_path / "prompting_ring.py").write_text(PROMPTING)
    folders = [tmp_path, ROOT, ROOT / "tests/storage", ROOT / "tests/helpers"]
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PYTHON_KEYRING_BACKEND": "prompting_ring.Ring",
    }
    ours, its = pty.openpty()
    command = [sys.executable, "-c", SAVING, str(tmp_path / "authnb")]
    shown = b""
    try:
        with subprocess.Popen(command, env=environ, stdin=its, stdout=its, stderr=its) as process:
            while process.poll() is None:
                if select.select([ours], [], [], 0.1)[0]:
                    shown += os.read(ours, 1000)
        while select.select([ours], [], [], 0)[0]:
            shown += os.read(ours, 1000)
        assert termios.tcgetattr(its)[3] & termios.ECHO
    finally:
        os.close(ours)
        os.close(its)
    assert shown == b"kept True\r\n"
    assert (tmp_path / "authnb" / "key").read_bytes() != b"keyring"
