"""The cache of metadata and JWKS follows Cache-Control."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from network import Network
from servers import Server

import authnb
from authnb import Provider
from authnb.errors import LoginFailed, ProviderError
from authnb.storage.base import MemoryStorage
from authnb.transport import documents

if TYPE_CHECKING:
    from collections.abc import Iterator

WELL_KNOWN = "/.well-known/openid-configuration"


ISSUER = "https://id.example.org"


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """Hosts elsewhere: documents of this machine are not cached."""
    with Network(tmp_path) as network:
        monkeypatch.setenv("HTTPS_PROXY", network.proxy)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", network.ca_file)
        yield network


def publish(network: Network, issuer: str = ISSUER, **headers: str) -> None:
    metadata = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
    }
    serve(network, issuer, metadata, headers)


def serve(network: Network, issuer: str, metadata: dict[str, str], headers: dict[str, str]) -> None:
    where = f"{issuer}:443{WELL_KNOWN}"
    network.documents[where] = json.dumps(metadata).encode(), {"Content-Type": "application/json", **headers}


def paths(network: Network) -> list[str]:
    return [request.path for request in network.received]


def cached_files() -> list[Path]:
    return sorted(Path(os.environ["AUTHNB_HOME"]).rglob("*.json"))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Cache-Control": "max-age=300"}, 300),
        ({"Cache-Control": 'public, Max-Age="300"', "Age": "100"}, 200),
        ({"Cache-Control": "max-age=300", "Age": "301"}, 0),
        ({"Cache-Control": "max-age=31536000"}, documents.MAX_AGE),
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
def test_freshness_lifetime(headers: dict[str, str], seconds: float) -> None:
    assert documents.freshness_lifetime(headers) == seconds


def test_a_fresh_document_is_read_from_the_cache(network: Network) -> None:
    publish(network, **{"Cache-Control": "max-age=300"})
    first, second = Provider.discover(ISSUER), Provider.discover(ISSUER)
    assert first == second
    assert paths(network) == [WELL_KNOWN]
    (path,) = cached_files()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_old_cache_files_are_deleted(network: Network) -> None:
    publish(network, **{"Cache-Control": "max-age=300"})
    Provider.discover(ISSUER)
    (old,) = cached_files()
    abandoned = old.with_name(f"{old.name}.{16 * '0'}.new")
    abandoned.touch()
    for path in (old, abandoned):
        os.utime(path, (0, time.time() - documents.MAX_AGE - 60))
    other = "https://other.example.org"
    publish(network, other, **{"Cache-Control": "max-age=300"})
    Provider.discover(other)
    assert not old.exists()
    assert not abandoned.exists()
    assert len(cached_files()) == 1


def test_without_max_age_nothing_is_cached(network: Network) -> None:
    publish(network)
    Provider.discover(ISSUER)
    Provider.discover(ISSUER)
    assert paths(network) == [WELL_KNOWN] * 2
    assert cached_files() == []


@pytest.mark.parametrize(
    "damage",
    [
        {"until": 0},
        {"until": 4e9},  # in the year 2096, beyond any lifetime
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
def test_a_stale_or_damaged_cache_file_is_ignored(network: Network, damage: Any) -> None:
    publish(network, **{"Cache-Control": "max-age=300"})
    Provider.discover(ISSUER)
    (path,) = cached_files()
    if damage == "readable":
        path.chmod(0o644)
    elif isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    Provider.discover(ISSUER)
    assert paths(network) == [WELL_KNOWN] * 2


def test_an_unwritable_cache_is_ignored(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(network, **{"Cache-Control": "max-age=300"})
    monkeypatch.setenv("AUTHNB_HOME", "/proc/nowhere")
    assert Provider.discover(ISSUER).issuer == ISSUER


def test_a_rejected_document_is_not_cached(network: Network) -> None:
    serve(network, ISSUER, {"issuer": "https://other.example"}, {"Cache-Control": "max-age=300"})
    for _ in range(2):
        with pytest.raises(ProviderError, match="another issuer"):
            Provider.discover(ISSUER)
    assert paths(network).count(WELL_KNOWN) == 2
    assert cached_files() == []


def test_a_recording_bypasses_the_cache(network: Network) -> None:
    publish(network, **{"Cache-Control": "max-age=300"})
    Provider.discover(ISSUER)
    with authnb.record() as recording:
        Provider.discover(ISSUER)
    assert len(recording.exchanges) == 1


def test_a_sign_in_with_a_warm_cache_fetches_no_metadata(network: Network) -> None:
    publish(network, **{"Cache-Control": "max-age=300"})
    before, logins = set(threading.enumerate()), []
    for _ in range(2):
        logins.append(sign_in())
        logins[-1].verification()
    assert paths(network).count(WELL_KNOWN) == 1
    for login in logins:
        login.cancel()
    for thread in set(threading.enumerate()) - before:
        if thread.name == "authnb-login":  # it empties the cache, which must not be the next test's
            thread.join(10)


def test_a_failed_sign_in_empties_the_cache(network: Network) -> None:
    publish(network, **{"Cache-Control": "max-age=300"})
    login = sign_in()
    request = dict(parse_qsl(urlsplit(login.verification().uri).query))
    assert cached_files() != []
    login.submit_redirect(f"{request['redirect_uri']}?error=access_denied&state={request['state']}")
    with pytest.raises(LoginFailed):
        login.wait(10)
    assert cached_files() == []


def sign_in() -> authnb.Login:
    return authnb.login(ISSUER, client_id="notebook", mode="paste", view=None, storage=MemoryStorage())


def test_documents_of_this_machine_are_not_cached() -> None:
    """A port may have been another user's: what they published must not be believed once the port is ours."""
    with Server() as neighbour:
        document = {
            "issuer": neighbour.url,
            "authorization_endpoint": f"{neighbour.url}/authorize",
            "token_endpoint": f"{neighbour.url}/neighbour",
        }
        neighbour.json(WELL_KNOWN, document, **{"Cache-Control": "max-age=86400"})
        Provider.discover(neighbour.url)
        neighbour.json(WELL_KNOWN, {**document, "token_endpoint": f"{neighbour.url}/token"})
        assert Provider.discover(neighbour.url).token_endpoint == f"{neighbour.url}/token"
    assert cached_files() == []


def test_other_files_in_the_folder_are_left_alone(network: Network) -> None:
    """AUTHNB_HOME may be a folder with a ``cache`` of its own."""
    folder = Path(os.environ["AUTHNB_HOME"]) / "cache"
    folder.mkdir(parents=True)
    others = [folder / name for name in ("thesis.json", ".draft.new", "0123.json", f"{33 * 'a'}.json")]
    for path in others:
        path.touch()
        os.utime(path, (0, 0))
    publish(network, **{"Cache-Control": "max-age=300"})
    Provider.discover(ISSUER)
    assert [path.name for path in others if not path.exists()] == []


def test_a_link_in_the_cache_is_not_followed(network: Network, tmp_path: Path) -> None:
    publish(network, **{"Cache-Control": "max-age=300"})
    Provider.discover(ISSUER)
    (path,) = cached_files()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    Provider.discover(ISSUER)
    assert paths(network) == [WELL_KNOWN] * 2


@pytest.mark.parametrize(("mode", "times"), [(0o777, 2), (0o1777, 2), (0o755, 1)])
def test_a_cache_folder_that_others_can_write_to_is_not_used(network: Network, mode: int, times: int) -> None:
    folder = Path(os.environ["AUTHNB_HOME"]) / "cache"
    publish(network, **{"Cache-Control": "max-age=300"})
    Provider.discover(ISSUER)
    folder.chmod(mode)
    Provider.discover(ISSUER)
    assert paths(network) == [WELL_KNOWN] * times
