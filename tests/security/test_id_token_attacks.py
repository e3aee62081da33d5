"""Attacks with tokens that are no ID token, with weak or misplaced keys and with metadata of another issuer.

Each attack has its honest twin beside it; docs/attacks.md lists both.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwk, jws, jwt
from provider import CLIENT, SHORT, Answer, Scenario, as_json
from provider import Server as HostileServer
from runner import browse
from servers import Server

import authnb
from authnb.errors import InvalidToken, LoginFailed
from authnb.flows.workload import workload_token
from authnb.oauth.id_token import verify_id_token
from authnb.oauth.key_set import KeySet
from authnb.oauth.provider import Provider
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

ISSUER, NONCE = "https://id.example.org", "n-1"
RSA = jwk.generate_key("RSA", 2048, private=True)
P256, P384 = jwk.generate_key("EC", "P-256"), jwk.generate_key("EC", "P-384")


class Signing(jws.JWSRegistry):
    """Signs with any algorithm and any header."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def verify(
    server: Server, keys: list[Any], *, key: Any = RSA, alg: str = "RS256", header: Any = None, **changed: Any
) -> dict[str, Any]:
    """The verified claims of an ID token signed with ``key``, where the JWKS holds ``keys``."""
    members = Scenario(ISSUER).all_claims() | {"nonce": NONCE, **changed}
    members = {name: value for name, value in members.items() if value is not None and name != "at_hash"}
    token = jwt.encode(
        {"alg": alg, **(header or {})}, members, key, registry=Signing(strict_check_header=False)
    )
    published = [one if isinstance(one, dict) else one.as_dict(private=False) for one in keys]
    server.json("/jwks", {"keys": published})
    return verify_id_token(
        token, keys=KeySet(server.url + "/jwks"), issuer=ISSUER, client_id=CLIENT, nonce=NONCE
    )


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "logout+jwt", "secevent+JWT"])
def test_a_jwt_of_another_type_is_no_id_token(server: Server, typ: str) -> None:
    """RFC 8725 section 3.11: an access or logout token must not pass for an ID token."""
    with pytest.raises(InvalidToken, match="typed as"):
        verify(server, [RSA], header={"typ": typ})


def test_a_security_event_token_is_no_id_token(server: Server) -> None:
    """OpenID Connect Back-Channel Logout section 2.4: logout tokens may lack a ``typ``; their ``events`` tell."""
    event = {"http://schemas.openid.net/event/backchannel-logout": {}}
    with pytest.raises(InvalidToken, match="security event"):
        verify(server, [RSA], events=event)


@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"typ": "jwt"}, {"typ": "JOSE"}])
def test_an_id_token_may_have_any_generic_type(server: Server, header: dict[str, str]) -> None:
    assert verify(server, [RSA], header=header)["sub"] == "ada"


def test_a_nonce_in_a_list_is_refused(server: Server) -> None:
    """A list that contains the nonce could fit the sign-ins of many people."""
    with pytest.raises(InvalidToken, match="nonce"):
        verify(server, [RSA], nonce=["other", NONCE])


def test_the_nonce_that_was_sent_is_accepted(server: Server) -> None:
    assert verify(server, [RSA], nonce=NONCE)["nonce"] == NONCE


def test_a_short_rsa_key_is_refused(server: Server) -> None:
    """RFC 7518 section 3.3: 2048 bits or more; without a warning, which is an error in these tests."""
    with pytest.raises(InvalidToken, match="none of the provider's keys"):
        verify(server, [SHORT], key=SHORT)


def test_an_rsa_key_of_2048_bits_is_accepted(server: Server) -> None:
    assert verify(server, [RSA])["sub"] == "ada"


@pytest.mark.parametrize("key", [P256, {**RSA.as_dict(private=False), "use": "enc"}], ids=["type", "use"])
def test_a_key_of_another_type_or_use_is_not_tried(server: Server, key: Any) -> None:
    """RFC 7517 sections 4.1 and 4.2; the error says that no key fits, not that the signature is wrong."""
    with pytest.raises(InvalidToken, match="none of the provider's keys"):
        verify(server, [key])


def test_a_key_of_another_curve_first_refuses_no_honest_token(server: Server) -> None:
    """RFC 7518 section 3.4: an ES256 signature is verified with P-256 keys; others in the JWKS are passed over."""
    assert verify(server, [P384, P256], key=P256, alg="ES256")["sub"] == "ada"


def test_a_key_of_another_curve_alone_verifies_nothing(server: Server) -> None:
    with pytest.raises(InvalidToken):
        verify(server, [P384], key=P256, alg="ES256")


def discover(server: Server, fallback_issuer: str) -> Provider:
    """A provider whose OpenID document lacks an endpoint, which the RFC 8414 document of an issuer has."""
    endpoints = {"authorization_endpoint": f"{server.url}/authorize", "token_endpoint": f"{server.url}/token"}
    server.json("/.well-known/openid-configuration", {"issuer": server.url, **endpoints})
    device = {"issuer": fallback_issuer, "device_authorization_endpoint": f"{server.url}/device"}
    server.json("/.well-known/oauth-authorization-server", device)
    return Provider.discover(server.url, needs=["device_authorization_endpoint"])


def test_metadata_of_another_issuer_fills_no_gap(server: Server) -> None:
    """RFC 8414 section 3.3."""
    assert discover(server, "https://evil.example").device_authorization_endpoint is None


def test_metadata_of_the_same_issuer_fills_the_gap(server: Server) -> None:
    assert discover(server, server.url).device_authorization_endpoint == f"{server.url}/device"


def hub(url: str) -> dict[str, str]:
    return {"JUPYTERHUB_API_URL": url, "JUPYTERHUB_API_TOKEN": "server-token", "JUPYTERHUB_USER": "ada"}


def test_no_plain_http_to_a_hub_elsewhere() -> None:
    """The request carries the server's token, the response the person's: neither travels in clear."""
    with pytest.raises(LoginFailed) as caught:
        workload_token(hub("http://hub.example.org:8081/hub/api"), "")
    assert caught.value.error == "insecure_transport"


def test_plain_http_to_a_hub_on_loopback(server: Server) -> None:
    server.json("/hub/api/users/ada", {"auth_state": {"access_token": "at-1"}})
    assert workload_token(hub(f"{server.url}/hub/api"), "")["access_token"] == "at-1"


class EmptyStorage(MemoryStorage):
    """A custom storage that is falsy while it is empty, as a mapping is."""

    def __len__(self) -> int:
        return len(self._sign_ins)


def signed_in_at(scenario: Scenario, storage: MemoryStorage) -> MemoryStorage:
    login = authnb.login(scenario.issuer, client_id=CLIENT, mode="loopback", view=None, storage=storage)
    browse(login)
    login.wait(30)
    return storage


@pytest.fixture
def scenario() -> Iterator[Scenario]:
    with HostileServer() as server:
        yield server.scenario("one")


def test_a_falsy_custom_storage_is_not_replaced(scenario: Scenario) -> None:
    """A person who gave a storage finds the sign-in there, and nowhere else."""
    assert len(signed_in_at(scenario, EmptyStorage())) == 1  # type: ignore[arg-type] # it has a length


def test_a_custom_storage_is_used(scenario: Scenario) -> None:
    assert repr(signed_in_at(scenario, MemoryStorage())) == "MemoryStorage(1 sign-ins)"


def revoked(scenario: Scenario, *, cancel: bool) -> int:
    """The revocation requests of a sign-in that is cancelled during the token request, or is not."""
    scenario.metadata["revocation_endpoint"] = f"{scenario.issuer}/revoke"

    def token() -> Answer:
        if cancel:
            login.cancel()
        return as_json({**scenario.token, "id_token": scenario.id_token()})

    scenario.overrides |= {"token": token, "revoke": lambda: as_json({})}
    login = authnb.login(scenario.issuer, client_id=CLIENT, mode="loopback", view=None)
    browse(login)
    with suppress(LoginFailed):
        login.wait(30)
    login._attempt.join()  # noqa: SLF001 - the token arrives after the end that the caller saw
    assert login.status == ("cancelled" if cancel else "signed_in")
    return [path.rpartition("/")[2] for _, path in scenario.requests].count("revoke")


def test_a_cancel_during_the_token_request_revokes_the_token(scenario: Scenario) -> None:
    """RFC 9700 section 4.14.2: no token stays valid that nobody holds."""
    assert revoked(scenario, cancel=True) == 2


def test_a_sign_in_that_ends_well_revokes_nothing(scenario: Scenario) -> None:
    assert revoked(scenario, cancel=False) == 0
