"""Discovery: the OpenID and RFC 8414 documents are merged and validated; redirects elsewhere are refused."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from network import Network
from servers import Server
from support import nobody_listens

import authnb
from authnb.errors import ProviderError
from authnb.oauth.client import Client
from authnb.oauth.provider import Provider
from authnb.oauth.quirks import Quirks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def metadata(server: Server, **more: Any) -> dict[str, Any]:
    return {
        "issuer": server.url,
        "authorization_endpoint": server.url + "/authorize",
        "token_endpoint": server.url + "/token",
        **more,
    }


def refused(server: Server, **discover: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        Provider.discover(server.url, **discover)
    return caught.value


def test_openid_configuration_alone_is_enough(server: Server) -> None:
    server.json(
        OPENID, metadata(server, scopes_supported=["openid", "x"], token_endpoint_auth_methods_supported=None)
    )
    provider = Provider.discover(server.url + "/")
    assert provider.scopes_supported == ("openid", "x")
    assert server.paths() == [OPENID]


def test_rfc8414_metadata_fills_in_missing_endpoints(server: Server) -> None:
    server.json(OPENID, metadata(server))
    server.json(
        OAUTH, metadata(server, device_authorization_endpoint=server.url + "/device", token_endpoint="x")
    )
    provider = Provider.discover(server.url, needs=("device_authorization_endpoint",))
    assert provider.device_authorization_endpoint == server.url + "/device"
    assert provider.token_endpoint == server.url + "/token", "the first document stands above the second"


def test_rfc8414_metadata_alone_is_enough(server: Server) -> None:
    server.json(OAUTH + "/realms/lab", {**metadata(server), "issuer": server.url + "/realms/lab"})
    provider = Provider.discover(server.url + "/realms/lab")
    assert provider.issuer == server.url + "/realms/lab"
    assert server.paths() == ["/realms/lab" + OPENID, OAUTH + "/realms/lab"]


def test_overrides_take_precedence_over_metadata(server: Server) -> None:
    server.json(OPENID, metadata(server))
    by_hand = server.url + "/other"
    assert Provider.discover(server.url, token_endpoint=by_hand).token_endpoint == by_hand
    assert replace(Provider(server.url), token_endpoint=by_hand).token_endpoint == by_hand


def test_metadata_of_another_issuer_is_refused(server: Server) -> None:
    server.json(OPENID, {**metadata(server), "issuer": "https://evil.example"})
    error = refused(server)
    assert error.error == "issuer_mismatch"
    assert "https://evil.example" in str(error)


@pytest.mark.parametrize(
    ("body", "status"), [("<html>", 200), ("[1]", 200), ("gone", 404), ("", 500), ("[" * 99999, 200)]
)
def test_an_unusable_metadata_response_is_described(server: Server, body: str, status: int) -> None:
    server.text(OPENID, body, status)
    server.text(OAUTH, body, status)
    assert f"HTTP {status}" in str(refused(server))


def test_an_unreachable_host_is_named() -> None:
    with nobody_listens() as url, pytest.raises(ProviderError) as caught:
        Provider.discover(url)
    assert caught.value.error == "unreachable"


@pytest.mark.parametrize(
    "changed",
    [
        {"token_endpoint": "http://id.example.org/token"},
        {"token_endpoint": 7},
        {"token_endpoint": "https://user@id.example.org/token"},
        {"token_endpoint": "https://id.example.org:port/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"scopes_supported": {"openid": True}},
    ],
)
def test_malformed_metadata_is_refused(server: Server, changed: dict[str, Any]) -> None:
    server.json(OPENID, metadata(server, **changed))
    assert refused(server).error == "invalid_metadata"


@pytest.mark.parametrize("absent", [None, ""])
def test_null_and_empty_metadata_is_absent(server: Server, absent: str | None) -> None:
    """An endpoint that is null in one document is read from the other."""
    names = ("token_endpoint", "registration_endpoint", "scopes_supported", "authnb_signup", "jwks_uri")
    server.json(OPENID, {**metadata(server), **dict.fromkeys(names, absent)})
    server.json(OAUTH, metadata(server, jwks_uri=absent))
    provider = Provider.discover(server.url)
    assert provider.token_endpoint == server.url + "/token"
    assert (provider.registration_endpoint, provider.scopes_supported, provider.jwks_uri) == (None, (), None)


def test_an_issuer_with_another_discovery_address(server: Server) -> None:
    """Azure AD B2C: the error names the argument with which the provider is accepted, and it is."""
    issuer = f"{server.url}/00000000-0000-0000-0000-000000000000/v2.0/"
    server.json("/tenant/policy/v2.0" + OPENID, {**metadata(server), "issuer": issuer})
    with pytest.raises(ProviderError, match=r"quirks=Quirks\(issuers=\['http.*v2.0/'\]\)") as caught:
        Provider.discover(f"{server.url}/tenant/policy/v2.0")
    assert caught.value.error == "issuer_mismatch"
    quirks = Quirks(issuers=(issuer,))
    assert Provider.discover(f"{server.url}/tenant/policy/v2.0", quirks=quirks).issuer == issuer


def test_metadata_without_an_issuer(server: Server) -> None:
    """The text does not call it None."""
    server.json(OPENID, {**metadata(server), "issuer": None})
    error = refused(server)
    assert error.error == "issuer_mismatch"
    assert "None" not in str(error)


def test_http_endpoints_of_an_https_issuer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The server does not know of the TLS proxy before it; the error names the call that works meanwhile."""
    plain = {name: f"http://id.example.org/{name}" for name in ("authorization_endpoint", "token_endpoint")}

    document = json.dumps({"issuer": "https://id.example.org", **plain}).encode()
    with Network(tmp_path) as network:
        network.documents["https://id.example.org:443" + OPENID] = (document, {})
        monkeypatch.setenv("HTTPS_PROXY", network.proxy)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", network.ca_file)
        with pytest.raises(ProviderError) as caught:
            Provider.discover("https://id.example.org")
        fixed = {name: value.replace("http", "https", 1) for name, value in plain.items()}
        for name, value in fixed.items():
            assert f"{name}={value!r}" in str(caught.value)
        assert Provider.discover("https://id.example.org", **fixed).token_endpoint == fixed["token_endpoint"]


def test_response_timeout(server: Server) -> None:
    """How long one response may take is an argument, and holds for metadata, JWKS and token requests."""
    stopped = threading.Event()
    server.json(OPENID, metadata(server, jwks_uri=f"{server.url}/jwks"))
    for path in ("/jwks", "/token"):
        server.routes[path] = lambda _: (200, {}, b"{}" if stopped.wait(20) else b"")
    provider = Provider.discover(server.url, response_timeout=0.3)
    try:
        for request in (
            provider.keys.current,
            lambda: Client(provider, client_id="c").refresh({"refresh_token": "r"}),
        ):
            with pytest.raises(
                ProviderError, match=r"response_timeout= gives .* more than 20 seconds"
            ) as caught:
                request()
            assert caught.value.error == "timeout"
    finally:
        stopped.set()
    with pytest.raises(ValueError, match="response_timeout=0"):
        authnb.login(server.url, client_id="c", response_timeout=0)


def test_response_timeout_is_for_the_whole_response() -> None:
    """Bytes that arrive now and then do not lengthen the time."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):  # hung up on, as it should be
                for _ in range(50):
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                    stopped.wait(0.1)

        dripping = threading.Thread(target=drip)
        dripping.start()
        with pytest.raises(ProviderError) as caught:
            Provider.discover(f"http://127.0.0.1:{listening.getsockname()[1]}", response_timeout=0.5)
        stopped.set()
        dripping.join()
    assert caught.value.error == "timeout"


def test_response_timeout_is_an_argument_of_login(server: Server) -> None:
    """For discovery too; by default it is 20 seconds, the figure in the docstring."""
    stopped = threading.Event()
    server.routes[OPENID] = lambda _: (200, {}, b"{}" if stopped.wait(20) else b"")
    try:
        with pytest.raises(ProviderError) as caught:
            authnb.login(server.url, client_id="c", mode="loopback", view=None, response_timeout=0.2).wait(10)
        assert caught.value.error == "timeout"
    finally:
        stopped.set()
    assert Provider(server.url).response_timeout == 20
    described = " ".join(str(authnb.login.__doc__).split())
    assert "response_timeout``: seconds for one whole response of the provider, 20 unless" in described


def test_a_redirect_is_not_followed(server: Server) -> None:
    server.text(OPENID, "", 302, Location="https://evil.example/")
    assert "evil.example" in str(refused(server))
    assert server.paths() == [OPENID]


@pytest.mark.parametrize("absolute", [True, False])
def test_a_redirect_within_the_origin_is_followed(server: Server, *, absolute: bool) -> None:
    """To the same path with a slash at its end, as Django sends it; for public documents only."""
    base = server.url if absolute else ""
    server.text(OPENID, "", 301, Location=f"{base}{OPENID}/")
    server.json(f"{OPENID}/", metadata(server, jwks_uri=server.url + "/jwks"))
    server.text("/jwks", "", 302, Location=f"{base}/keys")
    server.json("/keys", {"keys": [{"kty": "RSA"}]})
    provider = Provider.discover(server.url)
    assert provider.keys.current() == [{"kty": "RSA"}]


@pytest.mark.parametrize(
    "location", ["{port}/", "https://127.0.0.1/", "//evil.example/x", "", "http://[", "{here}"]
)
def test_a_redirect_elsewhere_or_in_a_circle_is_not_followed(server: Server, location: str) -> None:
    with Server() as other:
        target = location.format(port=other.url, here=server.url + OPENID)
        server.text(OPENID, "", 302, Location=target)
        assert refused(server).error in {"invalid_response", "unreachable"}
        assert other.requests == []
    server.text(OPENID, "", 302, Location="/a")
    server.text("/a", "", 302, Location="/b")
    server.text("/b", "", 302, Location="/a")
    error = refused(server)
    assert (error.error, "in a circle" in error.description) == ("invalid_response", True)


def test_a_network_with_a_page_of_its_own(server: Server) -> None:
    """A captive portal: the text says what to do about it."""
    server.text(OPENID, "", 302, Location="http://portal.example:8080/login?url=x")
    text = str(refused(server))
    assert "a redirect to http://portal.example:8080," in text
    assert "asks you to sign in first" in text


def test_one_value_in_place_of_a_list(server: Server) -> None:
    server.json(OPENID, metadata(server, token_endpoint_auth_methods_supported="client_secret_post none"))
    provider = Provider.discover(server.url)
    assert provider.token_endpoint_auth_methods_supported == ("client_secret_post", "none")


def test_what_is_given_by_hand_is_not_read(server: Server) -> None:
    """The step that the error names works, with a malformed value in the metadata too."""
    server.json(OPENID, metadata(server, scopes_supported=7))
    assert "give scopes_supported by hand to Provider.discover" in str(refused(server))
    assert Provider.discover(server.url, scopes_supported=("openid",)).scopes_supported == ("openid",)


def test_an_endpoint_without_a_host(server: Server) -> None:
    """A path in place of a URL: the error names the call with which one can do without it, and that works."""
    server.json(OPENID, metadata(server, end_session_endpoint="/logout"))
    assert f"Provider.discover({server.url!r}, end_session_endpoint=…)" in str(refused(server))
    assert Provider.discover(server.url, end_session_endpoint=None).end_session_endpoint is None


@pytest.mark.parametrize("document", [OPENID, OAUTH])
def test_the_address_of_a_document_is_no_issuer(document: str) -> None:
    with pytest.raises(ProviderError, match=r"Sign in with 'https://id\.example\.org/realm'") as caught:
        Provider.discover(f"https://id.example.org/realm{document}")
    assert caught.value.error == "invalid_metadata"


def test_a_server_error_is_the_providers(server: Server) -> None:
    """HTTP 500 says nothing of the address."""
    server.text(OPENID, "oops", 500)
    error = refused(server)
    assert (error.error, error.is_transient) == ("server_error", True)
    assert "issuer's address" not in str(error)


def test_an_oversized_response_is_refused(server: Server) -> None:
    server.text(OPENID, " " * (2 << 20))
    assert "larger than" in str(refused(server))


@pytest.mark.parametrize(
    "issuer", ["id.example.org", "http://id.example.org", "", "https://a b/", "https://x/?q", "https://x/#f"]
)
def test_an_issuer_is_an_https_url(issuer: str) -> None:
    with pytest.raises(ProviderError) as caught:
        Provider.discover(issuer)
    assert caught.value.error == "invalid_metadata"


@pytest.mark.parametrize(
    "name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "end_session_endpoint"]
)
@pytest.mark.parametrize("address", ["http://127.0.0.1:8888/api", "https://localhost/", "http://[::1]:22/"])
def test_a_remote_provider_cannot_name_loopback_endpoints(name: str, address: str) -> None:
    """Otherwise it could direct requests, ours or the browser's, at services of this machine."""
    with pytest.raises(ProviderError, match="on this machine") as refused:
        Provider("https://id.example.org", **{name: address})
    assert refused.value.error == "invalid_metadata"
