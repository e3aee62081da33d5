"""Access tokens that can be read: the JWT profile of RFC 9068."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from joserfc import jwt

from authnb.demo.context import new_value, now, provider
from authnb.demo.protocol import dpop
from authnb.demo.protocol.resources import resources

if TYPE_CHECKING:
    from authnb.demo.database.models import Authorization


def jwt_access_token(
    token: dict[str, Any], request: Any, resource: str | None, authorization: Authorization | None
) -> str:
    """Give the signed access token of a token response, for the API `resource` or the first (section 2.2)."""
    issued_at = int(now())
    claims: dict[str, Any] = {
        "iss": provider().issuer,
        "aud": resource or resources()[0],
        "sub": authorization.account_id if authorization else request.client.id,
        "client_id": request.client.id,
        "scope": token["scope"],
        "iat": issued_at,
        "exp": issued_at + token["expires_in"],
        "jti": new_value("jti", lambda: secrets.token_urlsafe(16)),
    }
    if authorization and authorization.account_id:
        claims["auth_time"] = int(authorization.auth_time)
    if authorization and authorization.acr:
        claims["acr"] = authorization.acr
    if jkt := dpop.issued_to():
        claims["cnf"] = {"jkt": jkt}  # RFC 9449 section 6.1
    key = provider().signing_key
    return jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": key.kid}, claims, key, ["RS256"])
