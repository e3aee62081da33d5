"""Providers for the tests: real ones, on a thread, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from demo_helpers import Clock

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock() -> Clock:
    """A clock that the test turns."""
    return Clock()


@pytest.fixture
def demo(clock: Clock) -> Iterator[DemoProvider]:
    """A provider of this test's own, with the test's clock."""
    with DemoProvider(clock=clock) as provider:
        yield provider
