"""What several tests need."""

from __future__ import annotations

import os
import secrets
import shutil

import pytest


def require(program: str) -> str:
    """The path of a program a test needs: without it the test is skipped, in CI it fails."""
    path = shutil.which(program)
    if path is None:
        why = f"{program} is not installed"
        if os.environ.get("AUTHNB_REQUIRE_ALL"):
            pytest.fail(why)
        pytest.skip(why)
    return path


def newcomer() -> str:
    """A name nobody has at the provider: whoever said yes before would not be asked again."""
    return f"new-{secrets.token_hex(6)}"
