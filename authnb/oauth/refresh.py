"""The request with a refresh token, and the token that comes of it (RFC 6749 section 6)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from authnb.errors import InvalidToken, ProviderError
from authnb.oauth.claims import with_id_token_claims
from authnb.oauth.responses import Token
from authnb.oauth.token_endpoint import request_token
from authnb.oauth.userinfo import check_same_subject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authnb.oauth.token_endpoint import RegisteredClient


_MEASURABLE = 5  # seconds between two responses: what they state is rounded to whole ones


def request_refresh(
    client: RegisteredClient, token: Mapping[str, Any], scope: str | None, **parameters: str
) -> dict[str, Any]:
    """See `authnb.oauth.client.Client.request_refresh`; ``parameters`` are added to the request."""
    key = token.get("dpop_key")  # to which the refresh token of a public client is bound too
    attempts = [scope]
    if scope is None:
        granted = token.get("scope") or client.scope
        attempts = [client.scope, None] if client.provider.quirks.refresh_scope else [None, granted]
    for attempt in attempts:
        try:
            return request_token(
                client,
                "Renewing the token",
                key,
                must_be_bound=key is not None,
                grant_type="refresh_token",
                refresh_token=token["refresh_token"],
                scope=attempt,
                **parameters,
            )
        except ProviderError as error:
            if error.error != "invalid_scope":
                raise
            refusal = error
    raise refusal


def refresh_lifetime(token: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """How long the sign-in can be renewed after this response to the refresh token of ``token``; see `Token`."""
    end, bound = "refresh_token_expires_at", "authorization_expires_at"
    known = {"signed_in_at": token.get("signed_in_at", token.get("issued_at"))}
    found: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
    kept = (bound,) if "refresh_token" in response else (end, bound)  # the old refresh token is in use still
    for name in (end, bound):
        source = response if name in response or name not in kept else token
        if name in source:
            found[name] = source[name]
    if token.get(end) is None or found.get(end) is None:
        return found
    elapsed = response.get("issued_at", 0) - token.get("issued_at", 0)
    if elapsed >= _MEASURABLE:
        found["refresh_token_extended"] = found[end] - token[end] > elapsed / 2
    elif "refresh_token_extended" in token:
        found["refresh_token_extended"] = token["refresh_token_extended"]
    return found


def renewed_token(
    client: RegisteredClient,
    token: Mapping[str, Any],
    response: Mapping[str, Any],
    store: Callable[[Token], None] | None,
) -> Token:
    """The token that takes the place of ``token``, of this response; see `authnb.oauth.client.Client.refresh`."""
    carried_over = ("refresh_token", "scope", "id_token", "userinfo")
    unverified = {name: value for name, value in response.items() if name != "id_token"}
    carried = {name: token[name] for name in carried_over if name in token}
    new = Token({**carried, **unverified, **refresh_lifetime(token, response)})
    if store is not None:
        store(new)
    try:
        verified = with_id_token_claims(client, response, None)
    except InvalidToken:
        warnings.warn(
            f"{client.provider.host} renewed the sign-in with an ID token that cannot be accepted, so session.user "
            "stays as it was. If it happens again, tell the provider.",
            stacklevel=4,
        )
        return new
    except ProviderError:
        return new
    if "userinfo" in verified:
        check_same_subject(verified["userinfo"], token, client.provider, "Renewing the token")
        claims: Any = verified["userinfo"]
        verified["userinfo"] = {**token.get("userinfo", {}), **claims}
    return Token({**new, **verified})
