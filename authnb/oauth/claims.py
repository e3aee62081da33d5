"""The claims about a person: of the ID token, and of the userinfo endpoint where that has more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from authnb.errors import InvalidToken, ProviderError
from authnb.oauth.challenge import wants_nonce
from authnb.oauth.responses import Token
from authnb.oauth.token_endpoint import PROOFS_PER_REQUEST, oauth_session
from authnb.oauth.userinfo import USERINFO_REQUEST, is_needed, read_userinfo, userinfo_address
from authnb.transport.failures import provider_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authnb.oauth.token_endpoint import RegisteredClient

# How and when the person authenticated: only the ID token says it (OpenID Connect Core section 2)
_AUTHENTICATION_CLAIMS = ("acr", "amr", "auth_time")


def with_id_token_claims(client: RegisteredClient, token: Mapping[str, Any], nonce: str | None) -> Token:
    """The token with the verified claims of its ID token, if it has one, as ``userinfo``."""
    if "id_token" not in token or not client.provider.quirks.openid:
        return Token(token)
    try:
        claims = _verified_claims(client, token, nonce, client.provider.clock.now())
    except InvalidToken:
        if not client.provider.clock.differs:
            raise
        # The Date header, by which the provider's clock was set, may be a gateway's
        claims = _verified_claims(client, token, nonce, time.time())
    return Token({**token, "userinfo": claims})


def _verified_claims(
    client: RegisteredClient, token: Mapping[str, Any], nonce: str | None, now: float
) -> dict[str, Any]:
    from authnb.oauth.id_token import verify_id_token  # noqa: PLC0415 - imported while the person signs in

    return verify_id_token(
        token["id_token"],
        keys=client.provider.keys,
        issuer=client.provider.issuer,
        client_id=client.client_id,
        nonce=nonce,
        access_token=token["access_token"],
        now=now,
        quirks=client.provider.quirks,
        algorithms=client.provider.id_token_signing_alg_values_supported,
    )


def with_userinfo(client: RegisteredClient, token: Mapping[str, Any]) -> Token:
    """The token with the claims that only the userinfo endpoint has.

    If the request fails the person is signed in all the same; if the response names another subject, or none, it
    raises `InvalidToken`.
    """
    if not is_needed(client.provider, token, client.scope):
        return Token(token)
    try:
        claims = request_userinfo(client, token)
    except InvalidToken:
        raise
    except ProviderError:
        return Token(token)
    for name in _AUTHENTICATION_CLAIMS:
        claims.pop(name, None)
    return Token({**token, "userinfo": {**claims, **(token.get("userinfo") or {})}})


def request_userinfo(client: RegisteredClient, token: Mapping[str, Any]) -> dict[str, Any]:
    """The claims of the userinfo endpoint (OpenID Connect Core section 5.3)."""
    endpoint = userinfo_address(client.provider, token) or client.provider.require_endpoint(
        "userinfo_endpoint", "Ask for the scope 'openid' instead."
    )
    # Not signed by Authlib, which would refuse a token in the last minute of its life
    key, access_token = token.get("dpop_key"), token["access_token"]
    headers = {"Accept": "application/json, application/jwt", "Authorization": Token(token).authorization}
    for _ in range(1 if key is None else PROOFS_PER_REQUEST):
        if key is not None:
            now = client.provider.clock.now()
            headers["DPoP"] = key.proof("GET", endpoint, now, access_token=access_token)
        with provider_errors(USERINFO_REQUEST, endpoint), oauth_session(client) as session:
            response = session.get(endpoint, headers=headers, withhold_token=True)
        if key is not None:
            key.keep_nonce(endpoint, response.headers.get("DPoP-Nonce"), is_api=True)
        if not wants_nonce(response.status_code, response.headers.get("WWW-Authenticate")):
            break
    return read_userinfo(response, token, client.provider, client.client_id)
