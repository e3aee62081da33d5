"""The grants of RFC 6749: an authorization code, and a refresh token, for tokens."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import InvalidScopeError, grants
from sqlalchemy import insert

from authnb.demo.accounts import signed_in
from authnb.demo.context import changed, find, now, provider
from authnb.demo.metadata import AUTH_METHODS
from authnb.demo.models import Account, AuthorizationCode, RefreshToken, digest
from authnb.demo.tokens import authorize, take

JOB_SCOPE = "measurements:read"

_NEW_CODE = insert(AuthorizationCode)


class AuthorizationCodeGrant(grants.AuthorizationCodeGrant):
    """RFC 6749 section 4.1."""

    request: Any
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def save_authorization_code(self, code: str, request: Any) -> None:
        """Keep the code, and the person's yes it stands for."""
        browser = signed_in()
        assert browser  # noqa: S101  nobody else gets as far as a yes
        data = request.payload.data
        changed(
            _NEW_CODE,
            digest=digest(code),
            authorization_id=authorize(
                account_id=request.user.id,
                client_id=request.client.id,
                scope=request.scope,
                auth_time=browser.auth_time,
            ),
            redirect_uri=request.payload.redirect_uri,
            code_challenge=data["code_challenge"],
            code_challenge_method=data["code_challenge_method"],
            nonce=data.get("nonce"),
            expires_at=now() + provider().settings.code_lifetime,
        )

    def query_authorization_code(self, code: str, client: Any) -> AuthorizationCode | None:
        """Give the client's code, used or not, unless it is too old."""
        found = find(AuthorizationCode, code)
        if not found or found.authorization.client_id != client.id or found.expires_at < now():
            return None
        return found

    def create_token_response(self) -> Any:
        """Take the code, then answer. A code that comes again ends its family (RFC 6749 section 4.1.2)."""
        code = self.request.authorization_code
        take(AuthorizationCode, code.digest, or_end=code.authorization_id)
        return super().create_token_response()

    def authenticate_user(self, authorization_code: AuthorizationCode) -> Account:
        """Give the person who said yes."""
        return authorization_code.authorization.account

    def delete_authorization_code(self, authorization_code: AuthorizationCode) -> None:
        """Nothing: a used code is kept, to know it again."""


class RefreshTokenGrant(grants.RefreshTokenGrant):
    """RFC 6749 section 6, with a new refresh token each time (RFC 9700 section 4.14.2)."""

    request: Any
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Any:
        """Give the token, used or not, unless it is too old or revoked."""
        found = find(RefreshToken, refresh_token)
        if not found or found.expires_at < now() or found.authorization.revoked_at is not None:
            return None
        return found

    def create_token_response(self) -> Any:
        """Take the token, then answer. One that comes again ends its family (RFC 9700 section 4.14.2)."""
        token = self.request.refresh_token
        take(RefreshToken, token.digest, or_end=token.authorization_id)
        return super().create_token_response()

    def authenticate_user(self, refresh_token: RefreshToken) -> Account:
        """Give the person who said yes."""
        return refresh_token.authorization.account

    def revoke_old_credential(self, refresh_token: Any) -> None:
        """Nothing: it was taken before the answer was made."""


class ClientCredentialsGrant(grants.ClientCredentialsGrant):
    """RFC 6749 section 4.4: the client for itself, with nobody signed in."""

    request: Any
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS[1:]

    def validate_requested_scope(self) -> None:
        """Refuse scopes about a person: nobody is signed in."""
        if self.request.payload.scope not in {None, JOB_SCOPE}:
            raise InvalidScopeError("There is nobody signed in: only measurements:read.")

    def generate_token(self, *_: Any, **given: Any) -> Any:
        """A token for what jobs are for, whether that was asked for or nothing."""
        self.request.scope = JOB_SCOPE
        return super().generate_token(**{**given, "scope": JOB_SCOPE})
