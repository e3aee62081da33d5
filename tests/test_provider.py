"""Discovery: the two documents, merged, checked, never followed elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from servers import Server

from authnb.errors import ProviderError
from authnb.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def test_one_document_is_enough(server: Server) -> None:
    server.json(
        OPENID, metadata(server, scopes_supported=["openid", "x"], token_endpoint_auth_methods_supported=None)
    )
    provider = Provider.discover(server.url + "/")
    assert provider.scopes_supported == ("openid", "x")
    assert server.paths() == [OPENID]


def test_a_needed_endpoint_is_looked_for_in_the_second_document(server: Server) -> None:
    server.json(OPENID, metadata(server))
    server.json(
        OAUTH, metadata(server, device_authorization_endpoint=server.url + "/device", token_endpoint="x")
    )
    provider = Provider.discover(server.url, needs=("device_authorization_endpoint",))
    assert provider.device_authorization_endpoint == server.url + "/device"
    assert provider.token_endpoint == server.url + "/token", "the first document stands above the second"


def test_a_plain_oauth_provider_has_the_second_document_only(server: Server) -> None:
    server.json(OAUTH + "/realms/lab", {**metadata(server), "issuer": server.url + "/realms/lab"})
    provider = Provider.discover(server.url + "/realms/lab")
    assert provider.issuer == server.url + "/realms/lab"
    assert server.paths() == ["/realms/lab" + OPENID, OAUTH + "/realms/lab"]


def test_endpoints_given_by_hand_stand_above_all(server: Server) -> None:
    server.json(OPENID, metadata(server))
    by_hand = server.url + "/other"
    assert Provider.discover(server.url, token_endpoint=by_hand).token_endpoint == by_hand
    assert replace(Provider(server.url), token_endpoint=by_hand).token_endpoint == by_hand


def test_another_issuer_is_refused(server: Server) -> None:
    server.json(OPENID, {**metadata(server), "issuer": "https://evil.example"})
    error = refused(server)
    assert error.error == "issuer_mismatch"
    assert "https://evil.example" in str(error)


@pytest.mark.parametrize(
    ("body", "status"), [("<html>", 200), ("[1]", 200), ("gone", 404), ("", 500), ("[" * 99999, 200)]
)
def test_what_is_no_document_says_what_came(server: Server, body: str, status: int) -> None:
    server.text(OPENID, body, status)
    server.text(OAUTH, body, status)
    assert f"HTTP {status}" in str(refused(server))


def test_an_unknown_host_says_so() -> None:
    with Server() as gone:
        pass
    assert refused(gone).error == "unreachable"


@pytest.mark.parametrize(
    "changed",
    [
        {"token_endpoint": "http://id.example.org/token"},
        {"token_endpoint": 7},
        {"token_endpoint": "https://user@id.example.org/token"},
        {"token_endpoint": "https://id.example.org:port/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"scopes_supported": "openid"},
    ],
)
def test_malformed_metadata_is_refused(server: Server, changed: dict[str, Any]) -> None:
    server.json(OPENID, metadata(server, **changed))
    assert refused(server).error == "invalid_metadata"


def test_a_redirect_is_not_followed(server: Server) -> None:
    server.text(OPENID, "", 302, Location="https://evil.example/")
    assert "evil.example" in str(refused(server))
    assert server.paths() == [OPENID]


def test_an_endless_answer_ends(server: Server) -> None:
    server.text(OPENID, " " * (2 << 20))
    assert "larger than" in str(refused(server))


@pytest.mark.parametrize(
    "issuer", ["id.example.org", "http://id.example.org", "", "https://a b/", "https://x/?q", "https://x/#f"]
)
def test_an_issuer_is_an_https_address(issuer: str) -> None:
    with pytest.raises(ProviderError) as caught:
        Provider.discover(issuer)
    assert caught.value.error == "invalid_metadata"


@pytest.mark.parametrize(
    "name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "end_session_endpoint"]
)
@pytest.mark.parametrize("address", ["http://127.0.0.1:8888/api", "https://localhost/", "http://[::1]:22/"])
def test_a_provider_elsewhere_names_no_address_on_this_machine(name: str, address: str) -> None:
    """Its pages and answers would make us, or the browser, knock at doors that only this machine has."""
    with pytest.raises(ProviderError, match="on this machine") as refused:
        Provider("https://id.example.org", **{name: address})
    assert refused.value.error == "invalid_metadata"
