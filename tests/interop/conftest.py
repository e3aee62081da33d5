from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from rows import BEGUN
from servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as started:
        yield started


@pytest.fixture(autouse=True)
def _no_login_is_left_waiting() -> Iterator[None]:
    """Cancel sign-ins that a test left waiting."""
    yield
    begun = bool(BEGUN)
    while BEGUN:
        BEGUN.pop().cancel()
    for thread in threading.enumerate():
        if begun and thread.name == "authnb-login":
            thread.join(5)
