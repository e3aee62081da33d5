"""What several tests need."""

from __future__ import annotations

import os
import secrets
import shutil
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
