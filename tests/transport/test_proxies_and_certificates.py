"""Proxies and certificates come from the environment, passwords never: no request is signed with ``~/.netrc``."""

from __future__ import annotations

import base64
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import requests
import trustme
from servers import Server

import authnb
from authnb.errors import AuthnbError, ProviderError
from authnb.oauth.client import Client
from authnb.oauth.provider import Provider
from authnb.oauth.responses import Token
from authnb.session.session import Session
from authnb.storage.base import Account, MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NETRC = base64.b64encode(b"person:netrc-password").decode()
ISSUER = "https://id.example.org"
TOKEN = {"access_token": "at", "token_type": "Bearer", "refresh_token": "rt"}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def _netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text("default login person password netrc-password\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))


def provider(server: Server, **more: Any) -> Provider:
    names = ("authorization", "token", "device_authorization", "userinfo", "revocation")
    return Provider(server.url, **{f"{name}_endpoint": f"{server.url}/{name}" for name in names}, **more)


def session(client: Client, api: str) -> Session:
    account = Account(profile="default", issuer=client.provider.issuer, client_id=client.client_id)
    return Session.from_sign_in(client, Token(TOKEN), account=account, storage=MemoryStorage(), api=api)


def sent(server: Server) -> list[str | None]:
    """The Authorization headers of all requests so far."""
    return [request.headers.get("Authorization") for request in server.requests]


@pytest.mark.usefixtures("_netrc")
class TestNetrc:
    """``requests`` would sign each of these requests with the password in ``~/.netrc``."""

    def test_it_is_read_at_all(self, server: Server) -> None:
        """The file of these tests applies to a bare request."""
        requests.get(server.url, timeout=5)
        assert sent(server) == [f"Basic {NETRC}"]

    def test_requests_to_the_provider(self, server: Server) -> None:
        """Discovery, JWKS, device authorization, token, userinfo and revocation requests, with and without a secret."""
        server.json("/.well-known/openid-configuration", {"issuer": server.url})
        server.json("/keys", {"keys": []})
        server.json("/token", TOKEN)
        server.json("/userinfo", {"sub": "ada"})
        server.json("/revocation", {})
        verification = "https://id.example.org/device"
        server.json(
            "/device_authorization",
            {"device_code": "dc", "user_code": "ABCD", "verification_uri": verification},
        )
        Provider.discover(server.url, needs=())
        for secret, expected in ((None, None), ("s3cret", f"Basic {base64.b64encode(b'c:s3cret').decode()}")):
            client = Client(
                provider(server, jwks_uri=f"{server.url}/keys"),
                client_id="c",
                client_secret=secret,
                scope="x",
            )
            client.provider.keys.current()
            client.authorize_device()
            client.refresh(TOKEN)
            client.userinfo(TOKEN)
            client.revoke("at", "access_token")
            by_path = {request.path: request.headers.get("Authorization") for request in server.requests}
            assert by_path == {
                "/.well-known/openid-configuration": None,
                "/keys": None,
                "/device_authorization": expected,
                "/token": expected,
                "/userinfo": "Bearer at",
                "/revocation": expected,
            }

    @pytest.mark.parametrize("how", ["session", "requests_auth"])
    def test_api_calls_and_their_redirects(self, server: Server, how: str) -> None:
        """The token stays on a redirect within the origin; elsewhere neither token nor password is sent."""
        with Server(host="localhost") as other:
            server.json("/end", {})
            other.json("/end", {})
            server.text("/here", "", 302, Location="/end")
            server.text("/elsewhere", "", 302, Location=f"{other.url}/end")
            ours = session(Client(provider(server), client_id="c"), server.url)
            with requests.Session() as theirs:
                if how == "requests_auth":
                    theirs.auth = ours.requests_auth
                http = theirs if how == "requests_auth" else ours
                assert http.get(f"{server.url}/here").ok
                assert http.get(f"{server.url}/elsewhere").ok
            assert sent(server) == ["Bearer at"] * 3
            assert sent(other) == [None]

    def test_a_call_without_the_token(self, server: Server) -> None:
        """``withhold_token=True`` sends no password either, but the one in the URL."""
        ours = session(Client(provider(server), client_id="c"), server.url)
        ours.get(f"{server.url}/open", withhold_token=True)
        ours.get(server.url.replace("://", "://u:p@"), withhold_token=True)
        assert sent(server) == [None, f"Basic {base64.b64encode(b'u:p').decode()}"]
        with Server(host="localhost") as other:
            server.text("/elsewhere", "", 302, Location=f"{other.url}/end")
            ours.get(f"{server.url}/elsewhere", withhold_token=True)
            assert sent(other) == [None], "nor after a redirect"

    def test_a_session_as_authlib_makes_it(self, server: Server) -> None:
        """A drop-in `Session`, of a public client, renews its token without the password."""
        server.json("/token", TOKEN)
        bare = authnb.Session("c", token=dict(TOKEN), token_endpoint=f"{server.url}/token")
        bare.refresh_token(f"{server.url}/token", refresh_token="rt")
        assert sent(server) == [None]


class AnsweringProxy:
    """A proxy that answers every CONNECT with this status, and connects to nothing."""

    def __init__(self, status: int) -> None:
        self._status = status

    def __enter__(self) -> str:
        status = self._status

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


CALLS: dict[str, Callable[[Client], object]] = {
    "discovery": lambda client: Provider.discover(client.provider.issuer),
    "device authorization": lambda client: client.authorize_device(),
    "renewal": lambda client: client.refresh(TOKEN),
    "revocation": lambda client: client.revoke("at", "access_token"),
    "API call": lambda client: session(client, ISSUER).get("/data"),
}


def remote() -> Client:
    """A client of a provider that no test reaches."""
    names = ("token", "device_authorization", "revocation")
    endpoints = {f"{name}_endpoint": f"{ISSUER}/{name}" for name in names}
    return Client(Provider(ISSUER, **endpoints), client_id="c", scope="x")


@pytest.mark.parametrize("call", CALLS)
class TestBadSettings:
    """A setting that no request gets past is named, with its cause and a way out, at every call."""

    def failure(self, call: str) -> AuthnbError:
        with pytest.raises(AuthnbError) as caught:
            CALLS[call](remote())
        return caught.value

    def test_a_missing_ca_bundle(self, call: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """``requests`` raises a bare OSError."""
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "no-such-file.pem"))
        error = self.failure(call)
        assert error.error == "tls_error"
        assert "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names does not exist" in str(error)

    def test_a_socks_proxy_without_pysocks(self, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The remedy is the package to install."""
        monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
        error = self.failure(call)
        assert error.error == "proxy_error"
        assert "pip install 'requests[socks]'" in str(error)

    def test_a_proxy_that_asks_for_a_password(self, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """HTTP 407; what the variable holds, perhaps a wrong password, is not repeated."""
        with AnsweringProxy(407) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.replace("://", "://ada:wrong-password@"))
            error = self.failure(call)
        assert error.error == "proxy_error"
        assert "HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT" in str(error)
        assert "wrong-password" not in repr(error)

    @pytest.mark.parametrize("content", ["", "<html>Sign in", "\x30\x82\x01"])
    def test_a_ca_bundle_that_is_none(
        self, call: str, content: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Empty, a page that was saved, or in DER; loaded once there is a connection."""
        (tmp_path / "bundle.pem").write_text(content)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
        with AnsweringProxy(200) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy)
            error = self.failure(call)
        assert error.error == "tls_error"
        assert "names holds no certificate in PEM format" in str(error)

    def test_a_proxy_that_refuses_the_host(self, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """HTTP 403: it is a rule of the proxy, not a mistake in the variable."""
        with AnsweringProxy(403) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy)
            error = self.failure(call)
        assert error.error == "proxy_error"
        assert "does not connect to it (HTTP 403). Ask who runs the proxy" in str(error)

    @pytest.mark.parametrize("value", ["http://", "gopher://127.0.0.1:1", "http://[::1"])
    def test_a_malformed_proxy(self, call: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The variables to correct are named."""
        monkeypatch.setenv("HTTPS_PROXY", value)
        assert "HTTPS_PROXY" in str(self.failure(call))


def test_an_api_call_can_be_caught_as_an_error_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `Session` is a drop-in for one of requests: ``except requests.RequestException`` goes on working."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(requests.RequestException) as caught:
        CALLS["API call"](remote())
    assert isinstance(caught.value, ProviderError)


class TestCertificates:
    """A certificate that does not stand says why, and what can be done."""

    def failure(self, url: str) -> str:
        with pytest.raises(ProviderError) as caught:
            Provider.discover(url)
        assert caught.value.error == "tls_error"
        return str(caught.value)

    @pytest.fixture
    def authority(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        return authority

    @pytest.mark.parametrize(("starts", "ends"), [(-3, -1), (1, 3)])
    def test_of_another_time(self, authority: trustme.CA, starts: int, ends: int) -> None:
        """Expired or not valid yet: perhaps it is this machine's clock."""
        now = datetime.now(UTC)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = authority.issue_cert(
            "127.0.0.1", not_before=now + timedelta(starts), not_after=now + timedelta(ends)
        )
        certificate.configure_cert(tls)
        with Server(tls=tls) as server:
            assert "By this machine's clock it is 20" in self.failure(server.url)

    @pytest.mark.parametrize("name", ["id.example.org", "127.0.0.2"])
    def test_of_another_host(self, authority: trustme.CA, name: str) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(tls)
        with Server(tls=tls) as server:
            assert "showed the certificate of another host" in self.failure(server.url)

    def test_none_at_all(self, server: Server) -> None:
        """An https address for a port that speaks http."""
        text = self.failure(server.url.replace("http:", "https:"))
        assert "does not speak TLS as it should" in text
        assert "REQUESTS_CA_BUNDLE" not in text
