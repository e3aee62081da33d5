"""Signing in with nobody there: the client for itself, and tokens from places that vouch for the machine."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from servers import Server

import authnb
from authnb.errors import LoginFailed, ProviderError
from authnb.trusted import client_secret, token_source, trusted_token

if TYPE_CHECKING:
    from pathlib import Path

    from authnb.demo import DemoProvider
    from authnb.storage import MemoryStorage

AUDIENCE = "https://api.example.org"


def jwt(**claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


@pytest.fixture(autouse=True)
def _nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "0")


class TestClientCredentials:
    """RFC 6749 section 4.4."""

    def begin(self, demo: DemoProvider, storage: MemoryStorage, **more: Any) -> authnb.Login:
        options = {"mode": "client_credentials", "api": demo.api, "storage": storage, **more}
        return authnb.login(demo.issuer, client_id=demo.job_client_id, **options)

    def test_by_the_environment(
        self, demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AUTHNB_CLIENT_SECRET", demo.job_client_secret)
        session = self.begin(demo, storage).wait(20)
        assert session.user is None
        assert session.get("/measurements").json()["total"] > 0

    def test_by_a_file(
        self, demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "secret").write_text(demo.job_client_secret + "\n")
        monkeypatch.setenv("AUTHNB_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
        assert self.begin(demo, storage).wait(20).get("/stations").ok

    def test_the_mode_from_outside(
        self, demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A notebook that says nothing of it runs in the night too."""
        monkeypatch.setenv("AUTHNB_CLIENT_SECRET", demo.job_client_secret)
        monkeypatch.setenv("AUTHNB_MODE", "client_credentials")
        assert self.begin(demo, storage, mode="auto").wait(20).get("/stations").ok

    def test_another_token_when_it_has_ended(
        self, demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AUTHNB_CLIENT_SECRET", demo.job_client_secret)
        session = self.begin(demo, storage).wait(20)
        first = session.token["access_token"]
        session.token = {**session.token, "expires_at": int(time.time()) - 1}
        assert session.get("/stations").ok
        assert session.token["access_token"] != first

    def test_it_takes_nobodys_sign_in_and_leaves_none(
        self, demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AUTHNB_CLIENT_SECRET", demo.job_client_secret)
        login = self.begin(demo, storage)
        login.wait(20)
        assert storage.load(login.account) is None
        assert not login.remembered

    def test_no_secret(self, demo: DemoProvider, storage: MemoryStorage) -> None:
        with pytest.raises(LoginFailed, match="AUTHNB_CLIENT_SECRET"):
            self.begin(demo, storage).wait(20)

    def test_a_wrong_one_is_not_repeated(
        self, demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AUTHNB_CLIENT_SECRET", "wrong-secret-1")
        with pytest.raises(ProviderError) as caught:
            self.begin(demo, storage).wait(20)
        assert caught.value.error == "invalid_client"
        assert "wrong-secret-1" not in str(caught.value)

    @pytest.mark.parametrize("text", ["", "two words", "\xff"])
    def test_a_file_that_holds_none(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "secret").write_bytes(text.encode("latin-1"))
        for name in (tmp_path / "secret", tmp_path / "missing"):
            with pytest.raises(LoginFailed, match="AUTHNB_CLIENT_SECRET_FILE"):
                client_secret({"AUTHNB_CLIENT_SECRET_FILE": str(name)})


class TestTokens:
    """In the order file, CI, JupyterHub."""

    def test_none_is_named(self) -> None:
        assert token_source({}) is None
        with pytest.raises(LoginFailed, match="ACTIONS_ID_TOKEN_REQUEST_URL"):
            trusted_token({}, AUDIENCE)

    def test_a_file(self, tmp_path: Path) -> None:
        expires_at = int(time.time()) + 600
        (tmp_path / "token").write_text(jwt(exp=expires_at))
        environ = {"AUTHNB_TOKEN_FILE": str(tmp_path / "token")}
        token = trusted_token(environ, AUDIENCE)
        assert token["access_token"] == jwt(exp=expires_at)
        assert token["expires_at"] == expires_at
        assert "file" in str(token_source(environ))

    def test_a_file_that_is_renewed(
        self, demo: DemoProvider, storage: MemoryStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As in Kubernetes: what is in the file when the token has ended is used from then on."""
        path = tmp_path / "token"
        path.write_text(jwt(exp=int(time.time()) - 1))
        monkeypatch.setenv("AUTHNB_TOKEN_FILE", str(path))
        options = {"mode": "token", "api": demo.api, "storage": storage, "client_id": demo.client_id}
        session = authnb.login(demo.issuer, **options).wait(20)
        path.write_text("fresh")
        assert session.headers_for(f"{demo.api}/stations")["Authorization"] == "Bearer fresh"

    def test_a_ci(self) -> None:
        with Server() as ci:
            ci.json("/token", {"value": jwt(exp=99)})
            environ = {
                "ACTIONS_ID_TOKEN_REQUEST_URL": f"{ci.url}/token?api-version=2.0",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job-token",
            }
            assert trusted_token(environ, AUDIENCE)["access_token"] == jwt(exp=99)
            (request,) = ci.requests
            assert request.path == "/token?api-version=2.0&audience=https%3A%2F%2Fapi.example.org"
            assert request.headers["Authorization"] == "Bearer job-token"
            ci.json("/token", {"message": "no"}, 500)
            with pytest.raises(ProviderError, match="HTTP 500"):
                trusted_token(environ, AUDIENCE)

    def test_a_ci_in_the_clear(self) -> None:
        environ = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": "http://ci.example.org",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
        }
        with pytest.raises(LoginFailed, match="not an https address"):
            trusted_token(environ, AUDIENCE)

    @pytest.mark.parametrize(
        ("status", "model", "says"),
        [
            (200, {"name": "ada"}, "admin:auth_state!user"),
            (404, {"status": 404}, "admin:auth_state!user"),
            (403, {"status": 403}, "admin:auth_state!user"),
            (200, {"name": "ada", "auth_state": None}, "enable_auth_state"),
            (200, {"name": "ada", "auth_state": {"user": {}}}, "enable_auth_state"),
        ],
    )
    def test_a_hub_that_gives_none_says_what_is_missing(self, status: int, model: Any, says: str) -> None:
        with Server() as hub:
            hub.json("/hub/api/users/ada", model, status)
            with pytest.raises(LoginFailed, match=says):
                trusted_token(self.on(hub), AUDIENCE)

    def test_a_hub(self) -> None:
        with Server() as hub:
            hub.json("/hub/api/users/ada", {"auth_state": {"access_token": "of-ada", "refresh_token": "r"}})
            token = trusted_token(self.on(hub), AUDIENCE)
            assert token["access_token"] == "of-ada"
            assert "refresh_token" not in token
            assert hub.requests[0].headers["Authorization"] == "token server-token"

    def on(self, hub: Server) -> dict[str, str]:
        return {
            "JUPYTERHUB_API_URL": f"{hub.url}/hub/api",
            "JUPYTERHUB_API_TOKEN": "server-token",
            "JUPYTERHUB_USER": "ada",
        }
