"""Metadata and keys are kept while their provider says they are good, and never trusted for longer."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from servers import Server

import authnb
from authnb import Provider, documents
from authnb.errors import LoginFailed, ProviderError
from authnb.storage import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider

WELL_KNOWN = "/.well-known/openid-configuration"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def publish(server: Server, **headers: str) -> None:
    metadata = {
        "issuer": server.url,
        "authorization_endpoint": f"{server.url}/authorize",
        "token_endpoint": f"{server.url}/token",
        "jwks_uri": f"{server.url}/jwks",
    }
    server.json(WELL_KNOWN, metadata, **headers)


def kept() -> list[Path]:
    return sorted(Path(os.environ["AUTHNB_HOME"]).rglob("*.json"))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Cache-Control": "max-age=300"}, 300),
        ({"Cache-Control": 'public, Max-Age="300"', "Age": "100"}, 200),
        ({"Cache-Control": "max-age=300", "Age": "301"}, 0),
        ({"Cache-Control": "max-age=31536000"}, documents.LONGEST),
        ({"Cache-Control": "no-store, max-age=300"}, 0),
        ({"Cache-Control": 'no-cache="Set-Cookie", max-age=300'}, 0),
        ({"Cache-Control": "max-age=-1"}, 0),
        ({"Cache-Control": "max-age=²"}, 0),
        ({"Cache-Control": "max-age=" + "9" * 5000}, 0),
        ({"Cache-Control": "max-age=300", "Age": "old"}, 0),
        ({"Expires": "Thu, 01 Jan 2099 00:00:00 GMT"}, 0),
        ({}, 0),
    ],
)
def test_how_long_an_answer_is_good(headers: dict[str, str], seconds: float) -> None:
    assert documents.fresh_for(headers) == seconds


def test_a_second_process_reads_it_from_disk(server: Server) -> None:
    publish(server, **{"Cache-Control": "max-age=300"})
    first, second = Provider.discover(server.url), Provider.discover(server.url)
    assert first == second
    assert server.paths() == [WELL_KNOWN]
    (path,) = kept()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_nobody_asks_for_any_more_goes(server: Server) -> None:
    publish(server, **{"Cache-Control": "max-age=300"})
    Provider.discover(server.url)
    (old,) = kept()
    abandoned = old.with_name(".abandoned.new")
    abandoned.touch()
    for path in (old, abandoned):
        os.utime(path, (0, time.time() - documents.LONGEST - 60))
    with Server() as other:
        publish(other, **{"Cache-Control": "max-age=300"})
        Provider.discover(other.url)
    assert not old.exists()
    assert not abandoned.exists()
    assert len(kept()) == 1


def test_without_leave_nothing_is_kept(server: Server) -> None:
    publish(server)
    Provider.discover(server.url)
    Provider.discover(server.url)
    assert server.paths() == [WELL_KNOWN] * 2
    assert kept() == []


@pytest.mark.parametrize(
    "damage",
    [
        {"until": 0},
        {"until": 4e9},  # in the year 2096: nothing is kept so long
        {"until": "soon"},
        {"url": "http://127.0.0.1:1/"},
        {"document": []},
        b"",
        b"[" * 100_000,
        b"\xff",
        "readable",
    ],
    ids=str,
)
def test_what_is_stale_or_damaged_is_asked_for_again(server: Server, damage: Any) -> None:
    publish(server, **{"Cache-Control": "max-age=300"})
    Provider.discover(server.url)
    (path,) = kept()
    if damage == "readable":
        path.chmod(0o644)
    elif isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    Provider.discover(server.url)
    assert server.paths() == [WELL_KNOWN] * 2


def test_a_disk_that_takes_nothing_stops_nobody(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(server, **{"Cache-Control": "max-age=300"})
    monkeypatch.setenv("AUTHNB_HOME", "/proc/nowhere")
    assert Provider.discover(server.url).issuer == server.url


def test_a_document_that_is_refused_is_not_kept(server: Server) -> None:
    server.json(WELL_KNOWN, {"issuer": "https://other.example"}, **{"Cache-Control": "max-age=300"})
    for _ in range(2):
        with pytest.raises(ProviderError, match="another issuer"):
            Provider.discover(server.url)
    assert server.paths().count(WELL_KNOWN) == 2
    assert kept() == []


def test_a_record_shows_every_document(server: Server) -> None:
    publish(server, **{"Cache-Control": "max-age=300"})
    Provider.discover(server.url)
    with authnb.record() as recording:
        Provider.discover(server.url)
    assert len(recording.exchanges) == 1


def test_a_warm_login_makes_one_request(demo: DemoProvider, caplog: pytest.LogCaptureFixture) -> None:
    """The code for the token: metadata and keys are on disk, each sign-in being its own process's first."""
    said: list[list[str]] = []
    for _ in range(2):
        caplog.clear()
        with caplog.at_level("DEBUG", logger="urllib3.connectionpool"):
            login = sign_in(demo)
            demo.visit(login.verification().uri, name="ada")
            login.wait(10)
        said.append(
            [
                record.getMessage().split('"')[1].rpartition(" ")[0]
                for record in caplog.records
                if record.threadName in {"authnb-login", "authnb-ready"} and "HTTP/" in record.getMessage()
            ]
        )
    assert said == [[f"GET {WELL_KNOWN}", "GET /jwks", "POST /token"], ["POST /token"]]


def test_a_sign_in_that_failed_trusts_nothing_kept(demo: DemoProvider) -> None:
    login = sign_in(demo)
    demo.visit(login.verification().uri, name="newly-here", allow=False)
    with pytest.raises(LoginFailed):
        login.wait(10)
    assert kept() == []


def sign_in(demo: DemoProvider) -> authnb.Login:
    return authnb.login(
        demo.issuer, client_id=demo.client_id, mode="loopback", view=None, storage=MemoryStorage()
    )
