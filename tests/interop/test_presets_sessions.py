"""The life of a session at each preset: renewal, a dead refresh token, a moved endpoint, revocation, unattended.

The small server refuses a refresh token with the status and code that the provider documents or is known to send.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from documented import CLIENT, SECRET, Documented, as_json, form, moved
from oddities import Entra
from servers import Server

from authnb.errors import LoginRequired
from authnb.oauth.client import Client
from authnb.oauth.presets import Preset, known
from authnb.oauth.responses import Token
from authnb.session.session import Session
from authnb.storage.base import Account, MemoryStorage, SignIn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from documented import Answer
    from servers import Request

# Documentation or source of each: docs.github.com "Refreshing user access tokens"; learn.microsoft.com "AADSTS50076";
# auth0.com "Refresh Tokens"; Keycloak's RefreshTokenGrantType; urs.earthdata.nasa.gov/sso_client_impl; RFC 6749
# section 5.2 for all others
REFUSALS: dict[str, tuple[int, dict[str, str]]] = {
    "github": (200, {"error": "bad_refresh_token", "error_description": "The refresh token is incorrect."}),
    "entra": (400, {"error": "interaction_required", "error_description": "AADSTS50076: Multifactor."}),
    "auth0": (403, {"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}),
    "keycloak": (400, {"error": "invalid_grant", "error_description": "Token is not active"}),
    "copernicus": (400, {"error": "invalid_grant", "error_description": "Session not active"}),
    "earthdata": (401, {"error": "invalid_token"}),
}
STANDARD = (400, {"error": "invalid_grant"})
NOT_DISCOVERED = {"github", "earthdata"}  # no metadata, and no revocation endpoint by RFC 7009


class Life:
    """A preset at a small server whose token endpoint answers refresh tokens and client credentials."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name, self.dead = server, name, False
        self.asked: list[dict[str, str]] = []
        self.preset = self._preset()
        provider = self.preset.open()
        self.token_path = urlsplit(str(provider.token_endpoint)).path
        server.routes[self.token_path] = self.token
        server.json("/revoke", {})
        self.storage = MemoryStorage()
        self.client = Client(provider, client_id=CLIENT, client_secret=SECRET, scope="openid data:read")
        self.account = Account(profile="default", issuer=provider.issuer, client_id=CLIENT)

    def _preset(self) -> Preset:
        if self.name in NOT_DISCOVERED:
            hosts = ("github.com", "api.github.com", "urs.earthdata.nasa.gov")
            return moved(self.name, *hosts, to=self.server.url)
        if self.name == "entra":
            documented: Documented = Entra(self.server)
            preset = moved("entra", "login.microsoftonline.com", to=self.server.url).at("")
        else:
            documented = Documented(self.server)
            preset = replace(known()[self.name], issuer=self.server.url)
        documented.metadata["revocation_endpoint"] = f"{self.server.url}/revoke"
        return preset

    def token(self, request: Request) -> Answer:
        given = form(request)
        self.asked.append(given)
        if given["grant_type"] == "refresh_token" and self.dead:
            status, body = REFUSALS.get(self.name, STANDARD)
            return as_json(body, status)
        return as_json(
            {"access_token": "new", "token_type": "bearer", "refresh_token": "next", "expires_in": 900}
        )

    def session(self, **changes: Any) -> Session:
        """A stored session whose token has expired; ``changes``: to the provider as it was stored."""
        client = replace(self.client, provider=replace(self.client.provider, **changes))
        token = Token({"access_token": "old", "refresh_token": "the-refresh-token", "expires_at": 1})
        self.storage.save(self.account, SignIn(token=token, provider=client.provider, scope=client.scope))
        return Session.from_sign_in(
            client, token, account=self.account, storage=self.storage, rediscover=self.preset.open
        )


@pytest.fixture(params=sorted(known()))
def life(request: pytest.FixtureRequest) -> Iterator[Life]:
    with Server() as server:
        server.json("/data", {})
        yield Life(server, request.param)


def test_renewal(life: Life) -> None:
    """An expired token is renewed, and what was rotated is stored."""
    assert life.session().get(f"{life.server.url}/data").ok
    stored = life.storage.load(life.account)
    assert stored is not None
    assert (stored.token["access_token"], stored.token["refresh_token"]) == ("new", "next")
    assert life.asked[-1]["refresh_token"] == "the-refresh-token"


def test_dead_refresh_token(life: Life) -> None:
    """Whatever the provider calls it, the error leads to a new sign-in, and the next kernel offers one."""
    life.dead = True
    with pytest.raises(LoginRequired):
        life.session().get(f"{life.server.url}/data")
    stored = life.storage.load(life.account)
    assert stored is None or stored.refused


def test_moved_token_endpoint(life: Life) -> None:
    """The stored endpoint answers 404: the current one is looked up, and nobody has to sign in."""
    session = life.session(token_endpoint=f"{life.server.url}/before")
    assert session.get(f"{life.server.url}/data").ok
    assert life.server.paths().count("/before") == 1
    assert session.token["access_token"] == "new"


def test_revocation(life: Life) -> None:
    """Both tokens are revoked where the provider has RFC 7009; elsewhere that is said."""
    out = life.session().logout()
    assert life.storage.load(life.account) is None
    if life.name in NOT_DISCOVERED:
        assert "revocation_endpoint" in repr(out)
    else:
        assert set(out.revoked) == {"refresh_token", "access_token"}
        assert life.server.paths().count("/revoke") == 2


@pytest.mark.parametrize(
    "quirk", [{}, {"audience": "https://api.example.org"}, {"resource": "https://api.example.org"}]
)
def test_unattended(life: Life, quirk: dict[str, str]) -> None:
    """Client credentials name no scope about a person, and the API where a quirk names one."""
    quirks = replace(life.client.provider.quirks, **quirk)
    client = replace(life.client, provider=replace(life.client.provider, quirks=quirks))
    assert client.client_credentials_token()["access_token"] == "new"
    (given,) = life.asked
    assert (given["grant_type"], given["scope"], given["client_secret"]) == (
        "client_credentials",
        "data:read",
        SECRET,
    )
    assert given.items() >= quirk.items()
