"""What several tests need."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from typing import NoReturn

import pytest


def require(program: str) -> str:
    """The path of a program a test needs: without it the test is skipped, in CI it fails."""
    path = shutil.which(program)
    if path is None:
        give_up(f"{program} is not installed")
    return path


def give_up(why: str) -> NoReturn:
    """Skip the test for this reason; in CI, where everything must run, fail it."""
    if os.environ.get("AUTHNB_REQUIRE_ALL"):
        pytest.fail(why)
    pytest.skip(why)


def newcomer() -> str:
    """A name nobody has at the provider: whoever said yes before would not be asked again."""
    return f"new-{secrets.token_hex(6)}"


def free_port() -> int:
    """A port on loopback that was free a moment ago, for a program that cannot choose one itself."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
