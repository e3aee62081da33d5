"""Unattended sign-in: client credentials, and ambient tokens."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from servers import Server

import authnb
from authnb.errors import LoginFailed, ProviderError
from authnb.flows.workload import client_secret, token_source, workload_token
from authnb.oauth.client import Client
from authnb.oauth.provider import Provider
from authnb.oauth.quirks import Quirks

if TYPE_CHECKING:
    from pathlib import Path

    from authnb.demo import DemoProvider
    from authnb.storage.base import MemoryStorage

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

    def test_secret_from_the_environment(
        self, demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AUTHNB_CLIENT_SECRET", demo.job_client_secret)
        session = self.begin(demo, storage).wait(20)
        assert session.user is None
        assert session.get("/measurements").json()["total"] > 0

    def test_secret_from_a_file(
        self, demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "secret").write_text(demo.job_client_secret + "\n")
        monkeypatch.setenv("AUTHNB_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
        assert self.begin(demo, storage).wait(20).get("/stations").ok

    def test_mode_from_the_environment(
        self, demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """AUTHNB_MODE sets the mode of a notebook that passes none."""
        monkeypatch.setenv("AUTHNB_CLIENT_SECRET", demo.job_client_secret)
        monkeypatch.setenv("AUTHNB_MODE", "client_credentials")
        assert self.begin(demo, storage, mode="auto").wait(20).get("/stations").ok

    def test_an_expired_token_is_replaced(
        self, demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AUTHNB_CLIENT_SECRET", demo.job_client_secret)
        session = self.begin(demo, storage).wait(20)
        first = session.token["access_token"]
        session.token = {**session.token, "expires_at": int(time.time()) - 1}
        assert session.get("/stations").ok
        assert session.token["access_token"] != first

    def test_it_neither_uses_nor_stores_a_sign_in(
        self, demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AUTHNB_CLIENT_SECRET", demo.job_client_secret)
        login = self.begin(demo, storage)
        login.wait(20)
        assert storage.load(login.account) is None
        assert not login.remembered

    def test_without_a_secret(self, demo: DemoProvider, storage: MemoryStorage) -> None:
        with pytest.raises(LoginFailed, match="AUTHNB_CLIENT_SECRET"):
            self.begin(demo, storage).wait(20)

    def test_a_wrong_secret_is_not_repeated(
        self, demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AUTHNB_CLIENT_SECRET", "wrong-secret-1")
        with pytest.raises(ProviderError) as caught:
            self.begin(demo, storage).wait(20)
        assert caught.value.error == "invalid_client"
        assert "wrong-secret-1" not in str(caught.value)

    @pytest.mark.parametrize("text", ["", "two words", "\xff"])
    def test_a_file_without_a_secret(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "secret").write_bytes(text.encode("latin-1"))
        for name in (tmp_path / "secret", tmp_path / "missing"):
            with pytest.raises(LoginFailed, match="AUTHNB_CLIENT_SECRET_FILE"):
                client_secret({"AUTHNB_CLIENT_SECRET_FILE": str(name)})


class TestTokens:
    """In the order file, CI, JupyterHub."""

    def test_without_a_source(self) -> None:
        assert token_source({}) is None
        with pytest.raises(LoginFailed, match="ACTIONS_ID_TOKEN_REQUEST_URL"):
            workload_token({}, AUDIENCE)

    def test_a_file(self, tmp_path: Path) -> None:
        expires_at = int(time.time()) + 600
        (tmp_path / "token").write_text(jwt(exp=expires_at))
        environ = {"AUTHNB_TOKEN_FILE": str(tmp_path / "token")}
        token = workload_token(environ, AUDIENCE)
        assert token["access_token"] == jwt(exp=expires_at)
        assert token["expires_at"] == expires_at
        assert "file" in str(token_source(environ))

    def test_a_rotated_token_file_is_read_again(
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

    def test_github_actions(self) -> None:
        with Server() as ci:
            ci.json("/token", {"value": jwt(exp=99)})
            environ = {
                "ACTIONS_ID_TOKEN_REQUEST_URL": f"{ci.url}/token?api-version=2.0",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job-token",
            }
            assert workload_token(environ, AUDIENCE)["access_token"] == jwt(exp=99)
            (request,) = ci.requests
            assert request.path == "/token?api-version=2.0&audience=https%3A%2F%2Fapi.example.org"
            assert request.headers["Authorization"] == "Bearer job-token"
            ci.json("/token", {"message": "no"}, 500)
            with pytest.raises(ProviderError, match="HTTP 500"):
                workload_token(environ, AUDIENCE)

    def test_github_actions_over_plain_http(self) -> None:
        environ = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": "http://ci.example.org",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
        }
        with pytest.raises(LoginFailed, match="not an https address"):
            workload_token(environ, AUDIENCE)

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
    def test_jupyterhub_without_auth_state(self, status: int, model: Any, says: str) -> None:
        with Server() as hub:
            hub.json("/hub/api/users/ada", model, status)
            with pytest.raises(LoginFailed, match=says):
                workload_token(self.on(hub), AUDIENCE)

    def test_jupyterhub_auth_state(self) -> None:
        with Server() as hub:
            hub.json("/hub/api/users/ada", {"auth_state": {"access_token": "of-ada", "refresh_token": "r"}})
            token = workload_token(self.on(hub), AUDIENCE)
            assert token["access_token"] == "of-ada"
            assert "refresh_token" not in token
            assert hub.requests[0].headers["Authorization"] == "token server-token"

    def on(self, hub: Server) -> dict[str, str]:
        return {
            "JUPYTERHUB_API_URL": f"{hub.url}/hub/api",
            "JUPYTERHUB_API_TOKEN": "server-token",
            "JUPYTERHUB_USER": "ada",
        }


@pytest.mark.parametrize("content", ["s3cret", "s3cret\n", "s3cret\r\n", "\ufeffs3cret\n", "  s3cret  "])
def test_line_ends_and_byte_order_marks_are_not_part_of_a_secret(content: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(content.encode())
    assert client_secret({"AUTHNB_CLIENT_SECRET_FILE": str(tmp_path / "secret")}) == "s3cret"
    assert client_secret({"AUTHNB_CLIENT_SECRET": content}) == "s3cret"


@pytest.mark.parametrize("content", ["“s3cret”", "s3crét", "s3\x00cret"])
def test_a_secret_that_is_not_ascii_is_not_repeated(content: str, tmp_path: Path) -> None:
    """Quotation marks of a word processor, say: a clear error that does not show it."""
    (tmp_path / "secret").write_bytes(content.encode())
    for environ in (
        {"AUTHNB_CLIENT_SECRET": content},
        {"AUTHNB_CLIENT_SECRET_FILE": str(tmp_path / "secret")},
    ):
        with pytest.raises(LoginFailed, match="not ASCII") as caught:
            client_secret(environ)
        assert "s3" not in str(caught.value)


def test_client_credentials_name_the_audience() -> None:
    """Where a quirk says which API the token is for, as Auth0 wants it."""
    with Server() as server:
        server.json("/token", {"access_token": "at"})
        provider = Provider(
            server.url,
            token_endpoint=server.url + "/token",
            quirks=Quirks(audience="https://api.example.org"),
        )
        Client(provider, client_id="job", client_secret="s", scope="read").client_credentials_token()
        assert b"audience=https%3A%2F%2Fapi.example.org" in server.requests[0].body


def test_a_401_fetches_another_client_credentials_token_once() -> None:
    """It takes no refresh token; a second 401 goes to the caller."""
    with Server() as api, Server() as server:
        tokens = iter(["first", "second", "third"])
        server.routes["/token"] = lambda _: (
            200,
            {"Content-Type": "application/json"},
            json.dumps({"access_token": next(tokens), "expires_in": 3600}).encode(),
        )
        api.routes["/"] = lambda request: (
            (200 if request.headers["Authorization"] == "Bearer second" else 401),
            {},
            b"",
        )
        provider = Provider(server.url, token_endpoint=server.url + "/token")
        session = authnb.login(
            provider, client_id="job", client_secret="s", mode="client_credentials", view=None, api=api.url
        ).wait(10)
        assert session.get("/").status_code == 200
        api.json("/", {}, 401)
        assert session.get("/").status_code == 401
        assert len(server.requests) == 3
