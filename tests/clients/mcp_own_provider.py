"""An MCP server with an authorization server of its own: the SDK's endpoints, with everything else in memory."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.shared.auth import OAuthToken
from mcp_server import SCOPE, MCPOnThread
from pydantic import AnyHttpUrl

if TYPE_CHECKING:
    from mcp.server.auth.provider import AuthorizationParams
    from mcp.shared.auth import OAuthClientInformationFull

LIFETIME = 3600  # seconds


class InMemoryProvider(OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]):
    """Clients, codes and tokens in dictionaries. Ada is signed in there and says yes to everything."""

    def __init__(self) -> None:
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.access_tokens: dict[str, AccessToken] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        """A client that registered."""
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        """Keep it."""
        self.clients[str(client_info.client_id)] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        """Where the browser is sent: back to the client, with a code."""
        code = secrets.token_urlsafe(32)
        self.codes[code] = AuthorizationCode(
            code=code,
            client_id=str(client.client_id),
            scopes=params.scopes or [],
            expires_at=time.time() + 60,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
            subject="ada",
        )
        return construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        """A code of this client."""
        found = self.codes.get(authorization_code)
        return found if found and found.client_id == client.client_id else None

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        """The tokens of a code, once."""
        del self.codes[authorization_code.code]
        return self._tokens(client, authorization_code, authorization_code.scopes)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        """A refresh token of this client."""
        found = self.refresh_tokens.get(refresh_token)
        return found if found and found.client_id == client.client_id else None

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        """Other tokens for a refresh token, once."""
        del self.refresh_tokens[refresh_token.token]
        return self._tokens(client, refresh_token, scopes or refresh_token.scopes)

    async def load_access_token(self, token: str) -> AccessToken | None:
        """An access token that is good."""
        return self.access_tokens.get(token)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        """End it."""
        self.access_tokens.pop(token.token, None)
        self.refresh_tokens.pop(token.token, None)

    def _tokens(self, client: OAuthClientInformationFull, origin: Any, scopes: list[str]) -> OAuthToken:
        shared = {
            "client_id": client.client_id,
            "scopes": scopes,
            "resource": origin.resource,
            "subject": "ada",
        }
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        expires_at = int(time.time()) + LIFETIME
        self.access_tokens[access] = AccessToken(token=access, expires_at=expires_at, **shared)
        self.refresh_tokens[refresh] = RefreshToken(token=refresh, **shared)
        return OAuthToken(
            access_token=access,
            token_type="Bearer",
            expires_in=LIFETIME,
            refresh_token=refresh,
            scope=" ".join(scopes),
        )


class MCPWithProvider(MCPOnThread):
    """It issues its tokens itself, to clients that register themselves, for this server and this scope."""

    def __init__(self) -> None:
        self.provider = InMemoryProvider()
        super().__init__()

    def server(self) -> MCPServer:
        """It names itself in its metadata (RFC 9728)."""
        settings = AuthSettings(
            issuer_url=AnyHttpUrl(self.origin),
            resource_server_url=AnyHttpUrl(self.url),
            required_scopes=[SCOPE],
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=[SCOPE], default_scopes=[SCOPE]
            ),
            revocation_options=RevocationOptions(enabled=True),
            validate_token_resource=True,
        )
        return MCPServer("Air", auth_server_provider=self.provider, auth=settings, log_level="ERROR")
