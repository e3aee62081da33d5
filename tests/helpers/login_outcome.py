"""Signs in by a mode and says what came of it: loaded into IPython, run as a script, or imported by a cell.

Where: ``TESTS_ISSUER``, ``TESTS_CLIENT``; ``TESTS_JOB`` is a client that signs in for itself.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import authnb
from authnb.errors import AuthnbError
from authnb.storage.base import MemoryStorage

WORKS = "works"


def outcome(mode: str, *, timeout: float = 30, port: int = 0) -> str:
    """`WORKS`, with ``auto`` the mode that was taken, or the code of the error."""
    client = os.environ["TESTS_JOB" if mode == "client_credentials" else "TESTS_CLIENT"]
    kept: dict[str, Any] = {"remember": True} if mode == "remember=True" else {"storage": MemoryStorage()}
    asked = "auto" if mode == "remember=True" else mode
    issuer = os.environ["TESTS_ISSUER"]
    try:
        login = authnb.login(
            issuer, client_id=client, mode=asked, timeout=timeout, redirect_port=port, **kept
        )
        login.wait()
    except AuthnbError as error:
        return error.error
    return str(login.mode) if mode == "auto" else WORKS


def begin(mode: str, timeout: float, port: int) -> None:
    """On a screen of its own."""
    print(f"\033[2J\033[Hbegun {mode}", flush=True)
    print(f"came: {outcome(mode, timeout=timeout, port=port)}", flush=True)


if __name__ == "__main__" and sys.argv[1:]:
    print(
        json.dumps(
            {mode: outcome(mode, timeout=float(time)) for mode, time in json.loads(sys.argv[1]).items()}
        )
    )
