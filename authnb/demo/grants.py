"""The protocol: Authlib's authorization server, filled in with our tables.

Whatever may be used once is taken by one UPDATE that matches only while it is unused; so of many requests at the same
moment one gets a row and the others get none.
"""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidGrantError, UnauthorizedClientError, grants
from authlib.oauth2.rfc7009 import RevocationEndpoint as BaseRevocationEndpoint
from authlib.oauth2.rfc8628 import (
    DEVICE_CODE_GRANT_TYPE,
    AuthorizationPendingError,
    ExpiredTokenError,
    SlowDownError,
)
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint as BaseDeviceAuthorizationEndpoint
from authlib.oauth2.rfc8628 import DeviceCodeGrant as BaseDeviceCodeGrant
from authlib.oauth2.rfc6749.errors import AccessDeniedError
from sqlalchemy import or_, update

from authnb.demo.accounts import signed_in
from authnb.demo.context import Settings, db, now, provider
from authnb.demo.metadata import AUTH_METHODS, SCOPES
from authnb.demo.models import (
    AccessToken,
    Account,
    Authorization,
    AuthorizationCode,
    Client,
    DeviceCode,
    RefreshToken,
    digest,
)
from authnb.demo.openid import AuthenticationRequest, EndSessionEndpoint, IDToken, Issuer
from authnb.demo.pkce import S256

if TYPE_CHECKING:
    from authlib.oauth2.rfc6749 import OAuth2Request


class TokenResponse(dict[str, Any]):
    """A token response that does not show its tokens: Authlib logs it at DEBUG."""

    def __repr__(self) -> str:
        return "<token response>"


class Server(AuthorizationServer):
    """The authorization server of the demo: query_client and save_token on our tables."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(query_client=_query_client, save_token=_save_token)
        self.scopes_supported = list(SCOPES)
        self.register_token_generator("default", _generate_token)
        self.register_grant(AuthorizationCodeGrant, [S256(), AuthenticationRequest(), IDToken()])
        self.register_grant(RefreshTokenGrant, [IDToken()])
        self.register_grant(DeviceCodeGrant, [IDToken()])
        device_authorization = DeviceAuthorizationEndpoint(self)
        device_authorization.EXPIRES_IN = settings.device_code_lifetime
        device_authorization.INTERVAL = settings.device_interval
        self.register_endpoint(device_authorization)
        self.register_endpoint(RevocationEndpoint)
        self.register_endpoint(EndSessionEndpoint)
        self.issuer = Issuer()
        self.register_extension(self.issuer)

    def authenticate_client(
        self, request: OAuth2Request, methods: list[str], endpoint: str = "token"
    ) -> Client:
        """RFC 6749 section 2.3; credentials that are not UTF-8 are wrong ones."""
        try:
            client: Client = super().authenticate_client(request, methods, endpoint)
        except UnicodeDecodeError:
            raise InvalidClientError(status_code=401) from None
        return client


class AuthorizationCodeGrant(grants.AuthorizationCodeGrant):
    """RFC 6749 section 4.1."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        """Keep the code, and the person's yes it stands for."""
        browser = signed_in()
        assert browser  # noqa: S101  nobody else gets as far as a yes
        data = request.payload.data
        db().add(
            AuthorizationCode(
                digest=digest(code),
                authorization=Authorization(
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
        )

    def query_authorization_code(self, code: str, client: Client) -> AuthorizationCode | None:
        """Give the client's code, used or not, unless it is too old."""
        found = db().get(AuthorizationCode, digest(code))
        if not found or found.authorization.client_id != client.id or found.expires_at < now():
            return None
        return found

    def create_token_response(self) -> Any:
        """Take the code, then answer. A code that comes again ends its family (RFC 6749 section 4.1.2)."""
        code = self.request.authorization_code
        _take(AuthorizationCode, code.digest, or_end=code.authorization_id)
        return super().create_token_response()

    def authenticate_user(self, authorization_code: AuthorizationCode) -> Account:
        """Give the person who said yes."""
        return authorization_code.authorization.account

    def delete_authorization_code(self, authorization_code: AuthorizationCode) -> None:
        """Nothing: a used code is kept, to know it again."""


class RefreshTokenGrant(grants.RefreshTokenGrant):
    """RFC 6749 section 6, with a new refresh token each time (RFC 9700 section 4.14.2)."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> RefreshToken | None:
        """Give the token, used or not, unless it is too old or revoked."""
        found = db().get(RefreshToken, digest(refresh_token))
        if not found or found.expires_at < now() or found.authorization.revoked_at is not None:
            return None
        return found

    def create_token_response(self) -> Any:
        """Take the token, then answer. One that comes again ends its family (RFC 9700 section 4.14.2)."""
        token = self.request.refresh_token
        _take(RefreshToken, token.digest, or_end=token.authorization_id)
        return super().create_token_response()

    def authenticate_user(self, refresh_token: RefreshToken) -> Account:
        """Give the person who said yes."""
        return refresh_token.authorization.account

    def revoke_old_credential(self, refresh_token: RefreshToken) -> None:
        """Nothing: it was taken before the answer was made."""


class DeviceCodeGrant(BaseDeviceCodeGrant):
    """RFC 8628 section 3.4."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def query_device_credential(self, device_code: str) -> DeviceCode:
        """Give the device code; an unknown one is an invalid grant (RFC 6749 section 5.2)."""
        found = db().get(DeviceCode, digest(device_code))
        if not found:
            raise InvalidGrantError("Unknown 'device_code'.")
        return found

    def validate_device_credential(self, credential: DeviceCode) -> Account:
        """Give the person who said yes, or say what keeps the device waiting (RFC 8628 section 3.5)."""
        if credential.used_at is not None:
            raise InvalidGrantError("This 'device_code' was used before.")
        if credential.expires_at < now():
            raise ExpiredTokenError
        if credential.authorization:
            return credential.authorization.account
        if credential.decided_at is not None:
            raise AccessDeniedError
        if self.should_slow_down(credential):
            raise SlowDownError
        raise AuthorizationPendingError

    def should_slow_down(self, credential: DeviceCode) -> bool:
        """Whether this poll came too early; then the interval grows by 5 s for good."""
        moment = now()
        row = DeviceCode.digest == credential.digest
        in_time = or_(DeviceCode.polled_at.is_(None), DeviceCode.polled_at + DeviceCode.interval <= moment)
        if db().execute(update(DeviceCode).where(row, in_time).values(polled_at=moment)).rowcount:
            return False
        db().execute(update(DeviceCode).where(row).values(polled_at=moment, interval=DeviceCode.interval + 5))
        return True

    def create_token_response(self) -> Any:
        """Take the device code, then answer."""
        _take(DeviceCode, self.request.credential.digest)
        return super().create_token_response()


class DeviceAuthorizationEndpoint(BaseDeviceAuthorizationEndpoint):
    """RFC 8628 section 3.1."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def authenticate_client(self, request: OAuth2Request) -> Client:
        """Give the client, which must be registered for this grant."""
        client: Client = super().authenticate_client(request)
        if not client.check_grant_type(DEVICE_CODE_GRANT_TYPE):
            raise UnauthorizedClientError("The client is not registered for the device grant.")
        return client

    def get_verification_uri(self) -> str:
        """Where the person enters the code."""
        return f"{provider().issuer}/device"

    def save_device_credential(self, client_id: str, scope: str | None, data: dict[str, Any]) -> None:
        """Keep both codes as digests."""
        db().add(
            DeviceCode(
                digest=digest(data["device_code"]),
                user_code_digest=digest(data["user_code"]),
                client_id=client_id,
                scope=_query_client(client_id).get_allowed_scope(scope),
                expires_at=now() + data["expires_in"],
                interval=data["interval"],
            )
        )


class RevocationEndpoint(BaseRevocationEndpoint):
    """RFC 7009; a refresh token takes all tokens of its family with it."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def check_params(self, request: OAuth2Request, client: Client) -> None:
        """RFC 7009 section 2.2: a hint we do not know is ignored, as we ignore all hints."""
        request.form.get("token_type_hint")
        if not request.form.get("token"):
            super().check_params(request, client)

    def query_token(
        self, token_string: str, token_type_hint: str | None
    ) -> RefreshToken | AccessToken | None:  # noqa: ARG002
        """Give the token, of whichever kind."""
        key = digest(token_string)
        return db().get(RefreshToken, key) or db().get(AccessToken, key)

    def revoke_token(self, token: RefreshToken | AccessToken, request: OAuth2Request) -> None:  # noqa: ARG002
        """End an access token, or the family of a refresh token."""
        if isinstance(token, RefreshToken):
            end_family(token.authorization_id)
        else:
            token.revoked_at = now()


def end_family(authorization_id: int) -> None:
    """Revoke every token that came of one authorization."""
    db().execute(
        update(Authorization)
        .where(Authorization.id == authorization_id, Authorization.revoked_at.is_(None))
        .values(revoked_at=now())
    )


def _take(
    model: type[AuthorizationCode | RefreshToken | DeviceCode], key: str, *, or_end: int | None = None
) -> None:
    """Mark a row as used if it is unused; else end the family `or_end` and refuse."""
    taken = db().execute(
        update(model).where(model.digest == key, model.used_at.is_(None)).values(used_at=now())
    )
    if not taken.rowcount:
        if or_end is not None:
            end_family(or_end)
        raise InvalidGrantError("It was used before.")


def _query_client(client_id: str) -> Any:
    return db().get(Client, client_id)


def _generate_token(
    *, scope: str | None = None, include_refresh_token: bool = True, **_: object
) -> TokenResponse:
    token = TokenResponse(
        token_type="Bearer",  # noqa: S106
        access_token=secrets.token_urlsafe(32),
        expires_in=provider().settings.access_token_lifetime,
        scope=scope,
    )
    if include_refresh_token:
        token["refresh_token"] = secrets.token_urlsafe(32)
    return token


def _save_token(token: TokenResponse, request: OAuth2Request) -> None:
    origin = request.authorization_code or request.refresh_token or request.credential
    db().add(
        AccessToken(
            digest=digest(token["access_token"]),
            authorization_id=origin.authorization_id,
            scope=token["scope"],
            expires_at=now() + token["expires_in"],
        )
    )
    if "refresh_token" in token:
        db().add(
            RefreshToken(
                digest=digest(token["refresh_token"]),
                authorization_id=origin.authorization_id,
                expires_at=now() + provider().settings.refresh_token_lifetime,
            )
        )
