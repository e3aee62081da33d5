"""Notebooks under nbval sign in with nobody there: the scripted person is the browser."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Give the notebooks' kernels their person."""
    if config.getoption("nbval", default=False) or config.getoption("nbval_lax", default=False):
        os.environ["BROWSER"] = f'"{sys.executable}" -m authnb.demo.person %s'
        os.environ.pop("AUTHNB_DEMO", None)
