"""Helpers of several tests."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCALHOST = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))

PERSON = f'"{sys.executable}" -m authnb.demo.person %s'  # for the variable BROWSER: signs in as ada


def require(program: str) -> str:
    """The path of a program. Without it the test is skipped; in CI it fails."""
    path = shutil.which(program)
    if path is None:
        give_up(f"{program} is not installed")
    return path


def give_up(why: str) -> NoReturn:
    """Skip the test; in CI (``AUTHNB_REQUIRE_ALL``), fail it."""
    if os.environ.get("AUTHNB_REQUIRE_ALL"):
        pytest.fail(why)
    pytest.skip(why)


def wait_for(holds: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Look until it holds; fail after that many seconds, naming what was awaited."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        pause.wait(0.05)


def newcomer() -> str:
    """An unused account name at the provider: one without a stored consent."""
    return f"new-{secrets.token_hex(6)}"


def free_port() -> int:
    """A port that is free at both addresses of localhost, for programs that cannot bind port 0.

    It lies below those that systems give to port 0 and to outgoing connections, so that it stays free for a while.
    """
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        if all(_is_free(*address, port) for address in LOCALHOST):
            return port


def _is_free(family: socket.AddressFamily, address: str, port: int) -> bool:
    """Whether nobody uses the port; also where the machine has no such address."""
    try:
        with socket.socket(family) as listener:
            listener.bind((address, port))
    except OSError as error:
        return error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
    return True


@contextmanager
def nobody_listens() -> Iterator[str]:
    """A URL whose port is held until the block ends, so that no server of other tests gets it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def folder_for_sockets() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder with a short path, whatever TMPDIR is: a Unix socket's path has some 100 bytes at most."""
    return tempfile.TemporaryDirectory(dir="/tmp")
