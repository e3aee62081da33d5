from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from between import Between
from signed_in import sign_in

from authnb.demo import DemoProvider
from authnb.storage import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.session import Session


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of the leak scan, whichever process its tests ran in: secrets found, scenario by place."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    rows = dict(value for report in reports for name, value in report.user_properties if name == "leaks")
    if not rows:
        return
    terminalreporter.section("leak scan: secrets found, scenario by place")
    width, places = max(map(len, rows)), list(next(iter(rows.values())))
    terminalreporter.write_line("  ".join([" " * width, *places]))
    for scenario, found in rows.items():
        cells = [str(sum(found[place].values())).rjust(len(place)) for place in places]
        terminalreporter.write_line("  ".join([scenario.ljust(width), *cells]))


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
    monkeypatch.setenv("AUTHNB_REMOTE", "0")  # though tests may run in a container


@pytest.fixture(autouse=True)
def _no_traces(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a test stores, it stores in a folder of its own."""
    monkeypatch.setenv("AUTHNB_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def between(demo: DemoProvider) -> Iterator[Between]:
    """A server between a session and the provider's token endpoint, which counts what passes and lets it fail."""
    with Between(demo.issuer) as server:
        yield server


@pytest.fixture
def session(demo: DemoProvider, between: Between) -> Session:
    """A session signed in at the provider, its renewals passing `between`."""
    return sign_in(demo, between)
