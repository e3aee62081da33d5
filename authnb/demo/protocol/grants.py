"""The grants of RFC 6749: an authorization code, and a refresh token, for tokens."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, UnauthorizedClientError, grants
from sqlalchemy import insert

from authnb.demo.accounts import signed_in
from authnb.demo.context import changed, find, new_value, now, provider
from authnb.demo.database.models import AccessToken, Account, AuthorizationCode, RefreshToken, digest
from authnb.demo.protocol import dpop
from authnb.demo.protocol.metadata import AUTH_METHODS, TOKEN_EXCHANGE
from authnb.demo.protocol.resources import requested, target
from authnb.demo.protocol.step_up import current_acr
from authnb.demo.protocol.tokens import authorize, take

JOB_SCOPE = "measurements:read"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - its type, RFC 8693 section 3

_NEW_CODE = insert(AuthorizationCode)


class AuthorizationCodeGrant(grants.AuthorizationCodeGrant):
    """RFC 6749 section 4.1."""

    request: Any
    TOKEN_ENDPOINT_AUTH_METHODS: list[str] = AUTH_METHODS

    def generate_authorization_code(self) -> str:
        """Give a new code."""
        return new_value("code", super().generate_authorization_code)

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
                acr=current_acr(browser.acr),
                resource=requested(request),
            ),
            redirect_uri=request.payload.redirect_uri,
            code_challenge=data["code_challenge"],
            code_challenge_method=data["code_challenge_method"],
            nonce=data.get("nonce"),
            dpop_jkt=dpop.requested_key(data),
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
        target(self.request, code.authorization.resource)
        dpop.hold_to(code.dpop_jkt)
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
    TOKEN_ENDPOINT_AUTH_METHODS: list[str] = AUTH_METHODS
    INCLUDE_NEW_REFRESH_TOKEN: bool = True

    def authenticate_refresh_token(self, refresh_token: str) -> Any:
        """Give the token, used or not, unless it is too old or revoked."""
        found = find(RefreshToken, refresh_token)
        if not found or found.expires_at < now() or found.authorization.revoked_at is not None:
            return None
        return found

    def create_token_response(self) -> Any:
        """Take the token, then answer. One that comes again ends its family (RFC 9700 section 4.14.2)."""
        token = self.request.refresh_token
        target(self.request, token.authorization.resource)
        dpop.hold_to(token.jkt)
        take(RefreshToken, token.digest, or_end=token.authorization_id)
        return super().create_token_response()

    def authenticate_user(self, refresh_token: RefreshToken) -> Account:
        """Give the person who said yes."""
        return refresh_token.authorization.account

    def revoke_old_credential(self, refresh_token: Any) -> None:
        """Nothing: it was taken before the answer was made."""


class TokenExchangeGrant(grants.BaseGrant, grants.TokenEndpointMixin):
    """RFC 8693: an access token for another API, or with a narrower scope, in exchange for one of the same client."""

    GRANT_TYPE = TOKEN_EXCHANGE
    request: Any
    TOKEN_ENDPOINT_AUTH_METHODS: list[str] = AUTH_METHODS

    def validate_token_request(self) -> None:
        """Find the client and its token (section 2.1)."""
        client: Any = self.authenticate_token_endpoint_client()
        if not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError("The client is not registered for token exchange.")
        form = self.request.form
        for name in ("subject_token_type", "requested_token_type"):
            if form.get(name, ACCESS_TOKEN if name.startswith("requested") else None) != ACCESS_TOKEN:
                raise InvalidRequestError(f"'{name}' is {ACCESS_TOKEN}.")
        subject = find(AccessToken, form.get("subject_token", ""))
        ended = subject is None or subject.revoked_at or subject.authorization.revoked_at
        if subject is None or ended or subject.expires_at < now() or not subject.check_client(client):
            raise InvalidRequestError("The 'subject_token' is no valid token of this client.")
        scope = self.request.payload.scope or subject.scope
        if not set(scope.split()) <= set(subject.scope.split()):
            raise InvalidScopeError("The scope exceeds that of the 'subject_token'.")
        if client.is_public:  # or whoever stole the token would get one of their own
            dpop.hold_to(subject.jkt, wrong_key=InvalidRequestError)
        self.request.client, self.request.credential, self.request.scope = client, subject, scope
        target(self.request, subject.authorization.resource)

    def create_token_response(self) -> Any:
        """Answer with an access token of the same family (section 2.2.1)."""
        token = self.generate_token(scope=self.request.scope, include_refresh_token=False)
        token["issued_token_type"] = ACCESS_TOKEN
        self.save_token(token)
        return 200, token, self.TOKEN_RESPONSE_HEADER


class ClientCredentialsGrant(grants.ClientCredentialsGrant):
    """RFC 6749 section 4.4: the client for itself, with nobody signed in."""

    request: Any
    TOKEN_ENDPOINT_AUTH_METHODS: list[str] = AUTH_METHODS[1:]

    def validate_requested_scope(self) -> None:
        """Refuse scopes about a person: nobody is signed in."""
        if self.request.payload.scope not in {None, JOB_SCOPE}:
            raise InvalidScopeError("There is nobody signed in: only measurements:read.")

    def generate_token(self, *_: Any, **given: Any) -> Any:
        """A token for what jobs are for, whether that was asked for or nothing."""
        self.request.scope = JOB_SCOPE
        return super().generate_token(**{**given, "scope": JOB_SCOPE})
