"""Clients that register themselves (RFC 7591), and read, change and end their registration (RFC 7592).

Anybody may register, so a registration opens nothing: a client is public, is answered only at its own redirect URIs,
and still needs a person's yes, who is told that nobody has checked its name.
"""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import math
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from authlib.oauth2 import OAuth2Error, rfc7591, rfc7592
from authlib.oauth2.rfc6750 import InvalidTokenError
from sqlalchemy import delete, func, select

from authnb.demo.context import changed, db, new_value, now, provider
from authnb.demo.database.loopback import without_loopback_port
from authnb.demo.database.models import (
    AccessToken,
    Authorization,
    AuthorizationCode,
    Client,
    Consent,
    DeviceCode,
    PushedRequest,
    RefreshToken,
    digest,
)
from authnb.demo.protocol.client_metadata import client_metadata
from authnb.demo.registration_limits import UNUSED_LIFETIME

if TYPE_CHECKING:
    from sqlalchemy import Delete


class TemporarilyUnavailableError(OAuth2Error):
    """Too many clients registered lately, or there are too many; HTTP says when to come again."""

    error = "temporarily_unavailable"

    def __init__(self, description: str, status_code: int, seconds: float) -> None:
        super().__init__(description, status_code=status_code)
        self._seconds = seconds

    def get_headers(self) -> list[tuple[str, str]]:
        """With Retry-After (RFC 9110 section 10.2.3)."""
        return [*super().get_headers(), ("Retry-After", str(math.ceil(self._seconds)))]


class RegistrationEndpoint(rfc7591.ClientRegistrationEndpoint):
    """RFC 7591 section 3: open to all, without an initial access token."""

    def authenticate_token(self, request: Any) -> bool:  # noqa: ARG002 - Authlib's signature
        """Let anybody in, unless there are too many (section 5)."""
        if seconds := provider().registration_limits.wait(now()):
            raise TemporarilyUnavailableError("Too many clients registered just now.", 429, seconds)
        registered = select(func.count()).select_from(Client).where(Client.registration.is_not(None))
        if (db().scalar(registered) or 0) >= provider().settings.most_registrations:
            raise TemporarilyUnavailableError("There are too many registered clients.", 503, UNUSED_LIFETIME)
        return True

    def extract_client_metadata(self, request: Any) -> dict[str, Any]:
        """Give the metadata as they will be registered."""
        return client_metadata(request.payload.data, keys=provider().settings.client_keys is not None)

    def generate_client_info(self, request: Any) -> dict[str, Any]:  # noqa: ARG002 - Authlib's signature
        """Section 3.2.1; there is no secret, for a notebook can keep none (RFC 8252 section 8.4)."""
        client_id = new_value("client_id", lambda: secrets.token_urlsafe(16))
        return {"client_id": client_id, "client_id_issued_at": int(now())}

    def save_client(
        self, client_info: dict[str, Any], client_metadata: dict[str, Any], request: Any
    ) -> Client:
        """Keep it, with the digest of its registration access token."""
        request.credential = new_value("registration access token", lambda: secrets.token_urlsafe(32))
        client = Client(
            id=client_info["client_id"],
            secret=None,
            post_logout_redirect_uris="",
            registration_digest=digest(request.credential),
            registered_at=now(),
            expires_at=now() + UNUSED_LIFETIME,
        )
        _fill(client, client_metadata)
        db().add(client)
        return client

    def generate_client_registration_info(self, client: Client, request: Any) -> dict[str, str]:
        """RFC 7592 section 3."""
        return _registration_info(client, request.credential)


@dataclass(frozen=True)
class RegistrationToken:
    """A registration access token, good for one client (RFC 7592 section 1.3)."""

    client: Client

    def check_client(self, client: Client) -> bool:
        """Whether it is this one."""
        return client is self.client


class ConfigurationEndpoint(rfc7592.ClientConfigurationEndpoint):
    """RFC 7592 section 2."""

    def authenticate_token(self, request: Any) -> RegistrationToken:
        """Give the token; whether the client is unknown, expired or another's is not told apart."""
        client_id = request.uri.partition("?")[0].rpartition("/")[2]
        found = db().scalar(select(Client).where(Client.registration_digest == digest(_bearer(request))))
        if not found or found.id != client_id or found.expires_at is None or found.expires_at <= now():
            raise InvalidTokenError
        return RegistrationToken(found)

    def authenticate_client(self, request: Any) -> Client:
        """Give the token's client."""
        client: Client = request.credential.client
        return client

    def check_permission(self, client: Client, request: Any) -> bool:  # noqa: ARG002 - Authlib's signature
        """Always: each may do with its registration what it likes."""
        return True

    def extract_client_metadata(self, request: Any) -> dict[str, Any]:
        """Section 2.2: they replace all that were registered."""
        return client_metadata(request.payload.data, keys=provider().settings.client_keys is not None)

    def introspect_client(self, client: Client) -> dict[str, Any]:
        """What is registered."""
        info = {"client_id": client.id, "client_id_issued_at": int(client.registered_at or 0)}
        return {**json.loads(client.registration or "{}"), **info}

    def generate_client_registration_info(self, client: Client, request: Any) -> dict[str, str]:
        """Section 3; the token stays the same."""
        return _registration_info(client, _bearer(request))

    def update_client(self, client: Client, client_metadata: dict[str, Any], request: Any) -> Client:  # noqa: ARG002 - Authlib's signature
        """Section 2.2."""
        _fill(client, client_metadata)
        return client

    def delete_client(self, client: Client, request: Any) -> None:  # noqa: ARG002 - Authlib's signature
        """Section 2.3: the client, and all that it was given."""
        for statement in _everything_of(client.id):
            changed(statement)


def _fill(client: Client, metadata: dict[str, Any]) -> None:
    client.name = metadata["client_name"]
    client.redirect_uris = " ".join(without_loopback_port(uri) for uri in metadata["redirect_uris"])
    client.grant_types = " ".join(metadata["grant_types"])
    client.scope = metadata.get("scope")
    client.auth_methods = metadata["token_endpoint_auth_method"]
    client.jwks = json.dumps(metadata["jwks"]) if "jwks" in metadata else None
    client.registration = json.dumps(metadata)


def _registration_info(client: Client, token: str) -> dict[str, str]:
    uri = f"{provider().issuer}/register/{client.id}"
    return {"registration_client_uri": uri, "registration_access_token": token}


def _bearer(request: Any) -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return str(token.strip()) if kind.casefold() == "bearer" else ""


def _everything_of(client_id: str) -> list[Delete]:
    families = select(Authorization.id).where(Authorization.client_id == client_id)
    tokens = (AuthorizationCode, AccessToken, RefreshToken)
    own = (DeviceCode, PushedRequest, Authorization, Consent)
    return [
        *(delete(kind).where(kind.authorization_id.in_(families)) for kind in tokens),
        *(delete(kind).where(kind.client_id == client_id) for kind in own),
        delete(Client).where(Client.id == client_id),
    ]
