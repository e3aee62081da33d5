"""The device grant (RFC 8628), without its page, which is in `device`."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import Any

from authlib.oauth2 import rfc8628
from authlib.oauth2.rfc6749 import InvalidGrantError, UnauthorizedClientError
from authlib.oauth2.rfc6749.errors import AccessDeniedError
from authlib.oauth2.rfc8628 import AuthorizationPendingError, ExpiredTokenError, SlowDownError
from flask import g
from sqlalchemy import or_, update

from authnb.demo.context import changed, db, find, new_value, now, provider
from authnb.demo.database.models import Account, Client, DeviceCode, digest
from authnb.demo.protocol.metadata import AUTH_METHODS
from authnb.demo.protocol.resources import requested, target
from authnb.demo.protocol.tokens import take


class DeviceCodeGrant(rfc8628.DeviceCodeGrant):
    """RFC 8628 section 3.4."""

    request: Any
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def query_device_credential(self, device_code: str) -> DeviceCode:
        """Give the device code; an unknown one is an invalid grant (RFC 6749 section 5.2)."""
        found = find(DeviceCode, device_code)
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
        if changed(update(DeviceCode).where(row, in_time).values(polled_at=moment)):
            return False
        db().execute(update(DeviceCode).where(row).values(polled_at=moment, interval=DeviceCode.interval + 5))
        return True

    def create_token_response(self) -> Any:
        """Take the device code, then answer."""
        target(self.request, self.request.credential.authorization.resource)
        take(DeviceCode, self.request.credential.digest)
        return super().create_token_response()


class DeviceAuthorizationEndpoint(rfc8628.DeviceAuthorizationEndpoint):
    """RFC 8628 section 3.1."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def authenticate_client(self, request: Any) -> Client:
        """Give the client, which must be registered for this grant and for the scope."""
        client: Client = super().authenticate_client(request)
        if not client.check_grant_type(rfc8628.DEVICE_CODE_GRANT_TYPE):
            raise UnauthorizedClientError("The client is not registered for the device grant.")
        g.device_scope = client.get_allowed_scope(request.payload.scope)
        return client

    def create_endpoint_response(self, request: Any) -> Any:
        """The codes, for the APIs in the request (RFC 8707)."""
        g.device_resource = requested(request)  # not on self, which all threads share
        return super().create_endpoint_response(request)

    def generate_device_code(self) -> str:
        """Give a new device code."""
        return new_value("device code", super().generate_device_code)

    def generate_user_code(self) -> str:
        """Give a new user code (RFC 8628 section 6.1)."""
        return provider().values.new_user_code(super().generate_user_code)

    def get_verification_uri(self) -> str:
        """Where the person enters the code."""
        return f"{provider().issuer}/device"

    def save_device_credential(self, client_id: str, scope: str | None, data: dict[str, Any]) -> None:  # noqa: ARG002 - Authlib's signature
        """Keep both codes as digests."""
        db().add(
            DeviceCode(
                digest=digest(data["device_code"]),
                user_code_digest=digest(data["user_code"]),
                client_id=client_id,
                scope=g.device_scope,
                expires_at=now() + data["expires_in"],
                interval=data["interval"],
                resource=g.device_resource,
            )
        )
