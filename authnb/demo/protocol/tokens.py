"""Tokens: what a response holds, how they are kept, taken once, and ended as a family.

Whatever may be used once is taken by one UPDATE that matches only while it is unused; so of many requests at the same
moment one gets the row and the others get none.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidGrantError
from sqlalchemy import bindparam, insert, update

from authnb.demo.context import changed, db, now, provider
from authnb.demo.database.models import (
    AccessToken,
    Authorization,
    AuthorizationCode,
    Client,
    DeviceCode,
    RefreshToken,
    digest,
)
from authnb.demo.protocol import dpop
from authnb.demo.protocol.jwt_access_tokens import jwt_access_token
from authnb.demo.protocol.resources import target

if TYPE_CHECKING:
    from sqlalchemy import Update

    Once = type[AuthorizationCode | RefreshToken | DeviceCode]


# statements made once, as making one takes longer than executing it
_NEW_AUTHORIZATION = insert(Authorization)
_NEW_ACCESS_TOKEN = insert(AccessToken)
_NEW_REFRESH_TOKEN = insert(RefreshToken)
_KEEP_CLIENT = update(Client).where(Client.id == bindparam("which")).values(expires_at=bindparam("until"))


class TokenResponse(dict[str, Any]):
    """A token response that does not show its tokens: Authlib logs it at DEBUG."""

    def __repr__(self) -> str:
        return "<token response>"


def save_token(token: TokenResponse, request: Any) -> None:
    """Keep the digests of a response's tokens, in the family of what they were given for."""
    origin = request.authorization_code or request.refresh_token or request.credential
    resource = target(request, origin.authorization.resource if origin else None)
    if provider().settings.jwt_access_tokens:
        token["access_token"] = jwt_access_token(token, request, resource, origin and origin.authorization)
    family = origin.authorization_id if origin else _of_its_own(request)
    access_token = {
        "digest": digest(token["access_token"]),
        "authorization_id": family,
        "scope": token["scope"],
        "expires_at": now() + token["expires_in"],
        "resource": resource,
        "jkt": dpop.issued_to(),
    }
    changed(_NEW_ACCESS_TOKEN, **access_token)
    if request.client.is_self_registered:
        until = now() + provider().settings.registration_lifetime
        changed(_KEEP_CLIENT, which=request.client.id, until=until)
    if "refresh_token" in token:
        lifetime = _refresh_token_lifetime(token, origin.authorization.auth_time)
        refresh_token = {
            "digest": digest(token["refresh_token"]),
            "authorization_id": family,
            "expires_at": now() + lifetime,
            "jkt": dpop.issued_to() if request.client.is_public else None,
        }
        changed(_NEW_REFRESH_TOKEN, **refresh_token)


def _refresh_token_lifetime(token: TokenResponse, auth_time: float) -> float:
    """Seconds that the response's refresh token lives, stated in it where the settings say how."""
    settings = provider().settings
    lifetime: float = settings.refresh_token_lifetime
    if settings.sign_in_lifetime is not None:
        left = auth_time + settings.sign_in_lifetime - now()
        lifetime = min(lifetime, left)
        if settings.refresh_lifetime_member == "refresh_token_timeout":
            token["authorization_expires_in"] = int(left)
    if settings.refresh_lifetime_member is not None:
        token[settings.refresh_lifetime_member] = int(lifetime)
    return lifetime


def _of_its_own(request: Any) -> int:
    """The family of a token for the client itself (RFC 6749 section 4.4)."""
    return authorize(
        account_id=None,
        client_id=request.client.id,
        scope=request.scope,
        auth_time=now(),
        acr=None,
        resource=None,
    )


def authorize(**yes: Any) -> int:
    """Keep a yes, an `Authorization`, and give the number of the family that begins with it."""
    key: Any = db().connection().execute(_NEW_AUTHORIZATION, yes).inserted_primary_key
    return int(key.id)


def end_family(authorization_id: int) -> None:
    """Revoke every token that came of one authorization."""
    family = update(Authorization).where(Authorization.id == authorization_id)
    changed(family.where(Authorization.revoked_at.is_(None)), revoked_at=now())


def take(kind: Once, key: str, *, or_end: int | None = None) -> None:
    """Mark a row as used if it is unused; else end the family `or_end` and refuse."""
    if not changed(_use(kind), key=key, moment=now()):
        if or_end is not None:
            end_family(or_end)
        raise InvalidGrantError("It was used before.")


@cache
def _use(kind: Once) -> Update:
    unused = update(kind).where(kind.digest == bindparam("key"), kind.used_at.is_(None))
    return unused.values(used_at=bindparam("moment"))
