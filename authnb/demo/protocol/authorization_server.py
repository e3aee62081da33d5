"""Authlib's authorization server with our grants, clients and tokens; and revocation."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error, rfc7009
from authlib.oauth2.base import invalid_error_characters
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError

from authnb.demo.context import find, find_client, new_value, now, provider
from authnb.demo.database.models import AccessToken, RefreshToken
from authnb.demo.protocol import dpop, pushed_requests
from authnb.demo.protocol.client_assertions import PRIVATE_KEY_JWT, by_assertion
from authnb.demo.protocol.device_grant import DeviceAuthorizationEndpoint, DeviceCodeGrant
from authnb.demo.protocol.grants import (
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    RefreshTokenGrant,
    TokenExchangeGrant,
)
from authnb.demo.protocol.metadata import AUTH_METHODS, SCOPES
from authnb.demo.protocol.openid import AuthenticationRequest, EndSessionEndpoint, IDToken, Issuer
from authnb.demo.protocol.pkce import S256
from authnb.demo.protocol.registration import ConfigurationEndpoint, RegistrationEndpoint
from authnb.demo.protocol.tokens import TokenResponse, end_family, save_token

if TYPE_CHECKING:
    from collections.abc import Collection

    from authnb.demo.context import Settings


class Server(AuthorizationServer):
    """The authorization server of the demo: query_client and save_token on our tables."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(query_client=find_client, save_token=save_token)
        self.scopes_supported: list[str] = list(SCOPES)
        self.register_grant(AuthorizationCodeGrant, [S256(), AuthenticationRequest(), IDToken()])
        self.register_grant(RefreshTokenGrant, [IDToken()])
        self.register_grant(DeviceCodeGrant, [IDToken()])
        self.register_grant(ClientCredentialsGrant)
        self.register_grant(TokenExchangeGrant)
        device_authorization: Any = DeviceAuthorizationEndpoint(self)
        device_authorization.EXPIRES_IN = settings.device_code_lifetime
        device_authorization.INTERVAL = settings.device_interval
        self.register_endpoint(device_authorization)
        self.register_endpoint(RevocationEndpoint)
        self.register_endpoint(EndSessionEndpoint)
        if settings.registration:
            endpoints: tuple[Any, ...] = (RegistrationEndpoint, ConfigurationEndpoint)
            for endpoint in endpoints:
                self.register_endpoint(endpoint)
        self.register_client_auth_method(PRIVATE_KEY_JWT, by_assertion)
        self.issuer_parameter: Issuer = Issuer()
        self.register_extension(self.issuer_parameter)

    def create_oauth2_request(self, request: Any) -> Any:
        """RFC 9126 section 4: with the parameters that were pushed, if they were."""
        made: Any = super().create_oauth2_request(request)
        if pushed_requests.current() is not None:
            made.payload = pushed_requests.Payload(pushed_requests.parameters())
        return made

    def get_authorization_grant(self, request: Any) -> Any:
        """RFC 6749 section 4.1.1; what Authlib quotes in an error's text may not have every character."""
        for parameter in ("redirect_uri", "response_type"):
            if invalid_error_characters(request.payload.data.get(parameter, "")):
                raise InvalidRequestError(f"There are bad characters in '{parameter}'.")
        return super().get_authorization_grant(request)

    def authenticate_client(self, request: Any, methods: Collection[str], endpoint: str = "token") -> Any:
        """RFC 6749 section 2.3; credentials that are not UTF-8 are wrong ones."""
        if provider().settings.client_keys is not None:
            methods = [PRIVATE_KEY_JWT, *methods]
        try:
            return super().authenticate_client(request, methods, endpoint)
        except UnicodeDecodeError:
            raise InvalidClientError(status_code=401) from None

    def create_token_response(self, request: Any = None) -> Any:
        """RFC 6749 section 5; the proof is looked at first, so that a request that lacks a nonce uses nothing up."""
        try:
            dpop.check_token_request()
        except OAuth2Error as error:
            return self.handle_error_response(request, error)
        return super().create_token_response(request)

    def generate_token(
        self,
        grant_type: str,  # noqa: ARG002 - Authlib's signature
        client: Any,  # noqa: ARG002 - Authlib's signature
        user: Any = None,  # noqa: ARG002 - Authlib's signature
        scope: str | None = None,
        expires_in: int | None = None,  # noqa: ARG002 - Authlib's signature
        include_refresh_token: bool | None = True,  # noqa: FBT001, FBT002 - Authlib's signature
    ) -> TokenResponse:
        """RFC 6749 section 5.1; tokens mean nothing to those who read them."""
        token = TokenResponse(
            token_type="DPoP" if dpop.issued_to() else "Bearer",
            access_token=new_value("access token", lambda: secrets.token_urlsafe(32)),
            expires_in=provider().settings.access_token_lifetime,
            scope=scope,
        )
        if include_refresh_token:
            token["refresh_token"] = new_value("refresh token", lambda: secrets.token_urlsafe(32))
        return token


class RevocationEndpoint(rfc7009.RevocationEndpoint):
    """RFC 7009; a refresh token takes all tokens of its family with it."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def check_params(self, request: Any, client: Any) -> None:  # noqa: ARG002 - Authlib's signature
        """RFC 7009 section 2.1: only the token is needed, and a hint is of no use to us."""
        if not request.form.get("token"):
            raise InvalidRequestError("Missing 'token' in request.")

    def query_token(self, token_string: str, _hint: str | None) -> RefreshToken | AccessToken | None:
        """Give the token, of whichever kind."""
        return find(RefreshToken, token_string) or find(AccessToken, token_string)

    def revoke_token(self, token: RefreshToken | AccessToken, request: Any) -> None:  # noqa: ARG002 - Authlib's signature
        """End an access token, or the family of a refresh token."""
        if isinstance(token, RefreshToken):
            end_family(token.authorization_id)
        else:
            token.revoked_at = now()
