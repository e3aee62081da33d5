"""What the blocks of the README and of the documentation run against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from measurement_api import MeasurementAPI
from support import PERSON

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def demo() -> Iterator[DemoProvider]:
    """One for each test: a process remembers whom it signed in at a provider."""
    with DemoProvider() as provider:
        yield provider


@pytest.fixture
def api(demo: DemoProvider) -> Iterator[MeasurementAPI]:
    with MeasurementAPI(demo.issuer) as server:
        yield server


@pytest.fixture
def _ada_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser is a program that signs in as ada, and follows where a provider sends it."""
    monkeypatch.setenv("BROWSER", PERSON)
