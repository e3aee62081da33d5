"""A client with a private key, at the embedded provider: signed in, renewed by another process, signed out."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from demo_session import SCOPE, age, sign_in
from joserfc.jwk import ECKey

import authnb
from authnb.demo import DemoProvider
from authnb.errors import ProviderError, StorageError
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = ECKey.generate_key("P-256")
RENEW = """
import authnb
options = {{"client_id": {client_id!r}, "scope": {scope!r}, "remember": True, "view": None, "api": {api!r}}}
api = authnb.login({issuer!r}, **options).wait(20)
print(api.get("/measurements").status_code, api.user["name"])
"""


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoProvider]:
    jwks = {"keys": [KEY.as_dict(private=False)]}
    keys = {DemoProvider.client_id: jwks, DemoProvider.job_client_id: jwks}
    with DemoProvider(client_keys=keys, pushed_requests="required", dpop="offered") as provider:
        yield provider


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "client.pem"
    path.write_bytes(KEY.as_pem(private=True))
    path.chmod(0o600)
    return path


def test_a_second_process_renews_what_the_first_remembered(demo: DemoProvider, key: Path) -> None:
    """It is told neither the key nor where it is: the path is stored, and the key nowhere but in its file."""
    storage = FileStorage()
    login = authnb.login(
        demo.issuer,
        client_id=demo.client_id,
        client_key=key,
        scope=SCOPE,
        mode="loopback",
        remember=True,
        view=None,
    )
    demo.visit(login.verification().uri, name="ada")
    session = login.wait(30)
    before = session.token["access_token"]
    age(session)
    text = RENEW.format(issuer=demo.issuer, client_id=demo.client_id, api=demo.api, scope=SCOPE)
    environment = {**os.environ, "AUTHNB_INTERACTIVE": "0"}
    other = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, env=environment, check=False
    )
    assert other.stdout == "200 Ada\n", other.stderr
    renewer = session.token_auth.renewer
    assert renewer is not None
    stored = storage.load(renewer.account)
    assert stored is not None
    assert stored.token["access_token"] != before
    assert stored.client_key_file == str(key)
    assert str(KEY.as_dict(private=True)["d"]) not in stored.to_json()
    assert session.logout().revoked == ("refresh_token", "access_token")


def test_without_the_key(demo: DemoProvider, key: Path) -> None:
    """The provider refuses the client; a session whose key is gone says so, and goes on once it is back."""
    with pytest.raises(ProviderError, match="client_key"):
        sign_in(demo)
    session = sign_in(demo, client_key=key)
    age(session)
    content = key.read_bytes()
    key.unlink()
    with pytest.raises(StorageError, match="there is no such file"):
        session.get(f"{demo.api}/measurements")
    key.write_bytes(content)
    key.chmod(0o600)
    assert session.get(f"{demo.api}/measurements").status_code == 200


def test_a_job_of_its_own(demo: DemoProvider, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``client_credentials`` by the environment alone, with tokens bound to a key besides."""
    monkeypatch.setenv("AUTHNB_CLIENT_KEY_FILE", str(key))
    session = authnb.login(
        demo.issuer,
        client_id=demo.job_client_id,
        mode="client_credentials",
        scope="measurements:read",
        view=None,
    ).wait(20)
    assert session.get(f"{demo.api}/measurements").status_code == 200
    assert session.token["token_type"] == "DPoP"
