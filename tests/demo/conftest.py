"""Providers for the tests: real ones, on a thread, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from demo_helpers import Clock, Window, signed_in_window

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


@pytest.fixture(scope="session")
def onlooker() -> Iterator[Window]:
    """A window in which ada is signed in, for tests that change nothing at the provider."""
    with DemoProvider() as provider:
        yield signed_in_window(provider)
