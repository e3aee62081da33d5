from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from authnb.demo import DemoProvider
from authnb.storage import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator


def require(program: str) -> str:
    """The path of a program a test needs: without it the test is skipped, in CI it fails."""
    path = shutil.which(program)
    if path is None:
        why = f"{program} is not installed"
        if os.environ.get("AUTHNB_REQUIRE_ALL"):
            pytest.fail(why)
        pytest.skip(why)
    return path


@pytest.fixture(scope="session")
def demo() -> Iterator[DemoProvider]:
    with DemoProvider(device_interval=1) as provider:
        yield provider


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture(autouse=True)
def _somebody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests run without a terminal; unless one says otherwise, a person is there, with no browser."""
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "AUTHNB_DEMO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "1")
