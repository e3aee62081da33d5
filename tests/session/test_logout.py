"""Signing out: each step is done even if an earlier one fails, and what was not possible is said."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import requests
from demo_session import age, renewer, sign_in, stored
from servers import Server
from token_endpoint_proxy import TokenEndpointProxy

from authnb.errors import LoginRequired, StorageError
from authnb.oauth.responses import Token
from authnb.storage.base import MemoryStorage
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from pathlib import Path

    from authnb.demo import DemoProvider
    from authnb.storage.base import Account


def bearer(demo: DemoProvider, token: str) -> int:
    """What the API says to this access token."""
    headers = {"Authorization": "Bearer " + token}
    return requests.get(demo.api + "/stations", headers=headers, timeout=5).status_code


def test_tokens_are_revoked_and_forgotten(demo: DemoProvider) -> None:
    session = sign_in(demo)
    kept, token = renewer(session), session.token
    assert bearer(demo, token["access_token"]) == 200
    done = session.logout()
    assert done.revoked == ("refresh_token", "access_token")
    assert done.problems == ()
    assert done.end_session_uri == f"{demo.issuer}/logout?client_id={demo.client_id}"
    assert requests.get(done.end_session_uri, timeout=5).ok
    assert token["id_token"] not in repr(done)
    assert bearer(demo, token["access_token"]) == 401
    assert kept.storage.load(kept.account) is None
    assert (session.token, session.user) == (None, None)
    with pytest.raises(LoginRequired, match="signed out"):
        session.get("/stations")
    assert session.logout().revoked == ()


def test_the_newest_tokens_are_revoked(demo: DemoProvider, tmp_path: Path) -> None:
    """Another process renewed meanwhile: what it holds ends too."""
    session = sign_in(demo, storage=FileStorage(tmp_path))
    other = pickle.loads(pickle.dumps(session))  # noqa: S301 - our own
    age(other)
    assert other.get("/stations").ok
    session.logout()
    assert bearer(demo, other.token["access_token"]) == 401


def test_the_provider_cannot_revoke(demo: DemoProvider) -> None:
    session = sign_in(demo)
    kept = renewer(session)
    client = replace(kept.client, provider=replace(kept.client.provider, revocation_endpoint=None))
    session.token_auth.renewer = replace(kept, client=client)
    done = session.logout()
    assert done.revoked == ()
    assert len(done.problems) == 1
    assert "revocation_endpoint" in repr(done)
    assert kept.storage.load(kept.account) is None


@pytest.mark.parametrize("status", [401, 503])
def test_the_provider_will_not_revoke(demo: DemoProvider, status: int) -> None:
    """Some refuse public clients, some are down: each token is tried, and the sign-in forgotten here."""
    with Server() as server:
        server.text("/revoke", "no", status)
        session = sign_in(demo)
        kept, token = renewer(session), session.token
        provider = replace(kept.client.provider, revocation_endpoint=server.url + "/revoke")
        session.token_auth.renewer = replace(kept, client=replace(kept.client, provider=provider))
        done = session.logout()
        assert len(server.requests) == 2
    assert done.revoked == ()
    assert done.problems
    assert token["refresh_token"] not in repr(done)
    assert kept.storage.load(kept.account) is None


class Stuck(MemoryStorage):
    """A place that forgets nothing."""

    def remove(self, account: Account) -> None:
        """Never."""
        raise StorageError("not_stored", f"Cannot forget {account.profile}.")


def test_a_broken_storage_does_not_keep_tokens_alive(demo: DemoProvider) -> None:
    session = sign_in(demo, storage=Stuck())
    done = session.logout()
    assert done.revoked == ("refresh_token", "access_token")
    assert done.problems == ("Cannot forget default.",)


def test_a_logout_waits_for_a_renewal(demo: DemoProvider) -> None:
    """A renewal under way when somebody signs out does not bring the sign-in back."""
    with TokenEndpointProxy(demo.issuer) as token_proxy:
        session = sign_in(demo, token_proxy)
        kept = renewer(session)
        done: list[object] = []

        def outcome() -> str:
            thread = threading.Thread(target=lambda: done.append(session.logout()))
            thread.start()
            waiting.append(thread)
            return "pass"

        waiting: list[threading.Thread] = []
        token_proxy.outcome = outcome
        age(session)
        with suppress(LoginRequired):
            session.get("/stations")
        for thread in waiting:
            thread.join(10)
        assert done
        assert kept.storage.load(kept.account) is None
        assert session.token is None


# The command line


def command(tmp_path: Path, *arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "authnb", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "AUTHNB_HOME": str(tmp_path)},
    )
    assert done.stderr == ""
    assert done.returncode == status
    return done.stdout


def test_status_and_logout(demo: DemoProvider, tmp_path: Path) -> None:
    assert command(tmp_path, "status") == "Nobody is remembered on this computer.\n"
    ada = sign_in(demo, storage=FileStorage(tmp_path))
    grace = sign_in(demo, name="grace", storage=FileStorage(tmp_path), profile="work")
    said = command(tmp_path, "status")
    where = f"at {demo.issuer} (client notebook, profile"
    assert f"Ada {where} default): renewed when needed" in said
    assert f"{where} work): renewed when needed" in said
    for session in (ada, grace):
        for name in ("access_token", "refresh_token", "id_token"):
            assert session.token[name] not in said
    said = command(tmp_path, "logout", demo.issuer, "--profile", "work")
    assert f"{where} work): Signed out (revoked at the provider: refresh_token, access_token)." in said
    assert f"{demo.issuer}/logout" in said
    assert bearer(demo, grace.token["access_token"]) == 401
    assert bearer(demo, ada.token["access_token"]) == 200
    said = command(tmp_path, "logout", "https://elsewhere.example", status=1)
    assert said.startswith("Nobody is remembered at https://elsewhere.example.")
    assert "Signed out" in command(tmp_path, "logout")
    assert command(tmp_path, "status") == "Nobody is remembered on this computer.\n"


def test_status_of_what_cannot_be_renewed_or_read(demo: DemoProvider, tmp_path: Path) -> None:
    session = sign_in(demo, storage=FileStorage(tmp_path))
    kept = renewer(session)
    token = stored(session).token
    for name in ("refresh_token", "expires_in", "expires_at"):
        del token[name]
    for end, said in (
        ({"expires_at": 5}, "ended 1970"),
        ({"expires_at": 4_000_000_000}, "until 2096"),
        ({}, "until the provider ends it"),
    ):
        kept.storage.save(kept.account, replace(stored(session), token=Token({**token, **end})))
        assert said in command(tmp_path, "status")
    for path in tmp_path.glob("*.signin"):
        path.write_bytes(b"damaged")
    assert "cannot be used" in command(tmp_path, "status")
    assert "cannot be used" in command(tmp_path, "logout", status=1)
