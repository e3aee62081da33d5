"""A sign-in of another process at a fixed port: run as a program, or started by `other_sign_in`.

It prints the address to open, and once somebody signed in, who; it ends when its standard input does.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import authnb
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def other_sign_in(issuer: str, client_id: str, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the address at which its person signs in."""
    command = [sys.executable, __file__, issuer, client_id, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


if __name__ == "__main__":
    login = authnb.login(
        sys.argv[1],
        client_id=sys.argv[2],
        mode="loopback",
        view=None,
        redirect_port=int(sys.argv[3]),
        storage=MemoryStorage(),
    )
    print(login.verification(30).uri, flush=True)
    print((login.wait().user or {}).get("preferred_username"), flush=True)
    sys.stdin.read()
