from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import pytest
from demo_session import sign_in
from token_endpoint_proxy import TokenEndpointProxy

from authnb.demo import DemoProvider, accounts
from authnb.flows import redirect_uris
from authnb.signin import hosts
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.session.session import Session

# At its real cost a password takes a tenth of a second, twice in each sign-in of a newcomer: a fifth of all that the
# tests compute. test_demo_accounts.py looks at the real one
accounts.HASH_METHOD = "scrypt:1024:8:1"


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
def _interactive(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default a test is interactive, local, and without a browser."""
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "AUTHNB_DEMO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "1")
    monkeypatch.setenv("AUTHNB_REMOTE", "0")  # though tests may run in a container


@pytest.fixture(autouse=True)
def _temporary_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A test stores sign-ins in a folder of its own."""
    monkeypatch.setenv("AUTHNB_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(autouse=True)
def _proxies_of_this_test() -> None:
    """``urlopen`` keeps the proxies of its first call for the whole process."""
    urllib.request.install_opener(None)  # type: ignore[arg-type] # as it is before that call


@pytest.fixture(autouse=True)
def _no_redirect_uris_in_use() -> None:
    """A test is a process of its own to the defence against mix-up, and to how hosts are shown."""
    redirect_uris.forget()
    hosts.forget()


@pytest.fixture
def token_proxy(demo: DemoProvider) -> Iterator[TokenEndpointProxy]:
    """A proxy in front of the provider's token endpoint that counts renewals and injects faults."""
    with TokenEndpointProxy(demo.issuer) as server:
        yield server


@pytest.fixture
def session(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> Session:
    """A session signed in at the provider, its renewals going through `token_proxy`."""
    return sign_in(demo, token_proxy)
