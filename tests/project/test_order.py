"""The order in which files run, as the conftest.py of the checkout has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]


def test_the_longest_files_are_there(request: pytest.FixtureRequest) -> None:
    """Those that begin first; one that was renamed would begin last."""
    plugins = request.config.pluginmanager.get_plugins()
    (ours,) = [each for each in plugins if getattr(each, "__file__", None) == str(ROOT / "conftest.py")]
    assert [name for name in ours.LONGEST if not (ROOT / "tests" / name).is_file()] == []
