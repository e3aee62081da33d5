"""Claims about the person from the userinfo endpoint (OpenID Connect Core section 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from authnb.errors import InvalidToken, ProviderError
from authnb.oauth.error_responses import read_oauth_error
from authnb.transport.http import read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from authnb.oauth.provider import Provider

USERINFO_REQUEST = "Asking who signed in"
# Of these claims at least one is expected for a granted scope (section 5.4)
_CLAIMS_OF_SCOPE = {"profile": {"name", "preferred_username", "nickname", "given_name"}, "email": {"email"}}


def is_needed(provider: Provider, token: Mapping[str, Any], scope: str) -> bool:
    """Whether the userinfo endpoint is asked: for claims that the scope covers and the ID token lacks.

    Without OpenID Connect, or without an ID token, it is always asked, if there is one.
    """
    if not (provider.userinfo_endpoint or userinfo_address(provider, token)):
        return False
    verified, granted = token.get("userinfo") or {}, (token.get("scope") or scope).split()
    missing = any(
        name in granted and not claims & verified.keys() for name, claims in _CLAIMS_OF_SCOPE.items()
    )
    return missing or not provider.quirks.openid or (not verified and "openid" in granted)


def userinfo_address(provider: Provider, token: Mapping[str, Any]) -> str | None:
    """The userinfo endpoint named in the token response, if its origin is the issuer's (`Quirks.user_address`)."""
    value = token.get(provider.quirks.user_address or "")
    try:
        address = urljoin(provider.issuer, value) if isinstance(value, str) else ""
        return address if urlsplit(address)[:2] == urlsplit(provider.issuer)[:2] else None
    except ValueError:  # not a URL
        return None


def read_userinfo(
    response: requests.Response, token: Mapping[str, Any], provider: Provider, client_id: str
) -> dict[str, Any]:
    """The claims of a userinfo response about the subject of this token; else a `ProviderError`.

    A signed response (``application/jwt``) is verified as an ID token is, and so is its audience, ``client_id``.
    """
    if not response.ok:
        raise read_oauth_error(response, USERINFO_REQUEST, secrets=[token["access_token"]])
    if "application/jwt" in response.headers.get("Content-Type", "").lower():
        from authnb.oauth.id_token import verify_userinfo  # noqa: PLC0415 - slow to import, and few responses are signed

        claims = verify_userinfo(
            response.text,
            keys=provider.keys,
            issuer=provider.issuer,
            client_id=client_id,
            now=provider.clock.now(),
            quirks=provider.quirks,
        )
    else:
        claims = read_object(response, USERINFO_REQUEST)
    quirks = provider.quirks
    subject = "sub" if quirks.openid else quirks.subject
    if subject in claims and (not quirks.openid or type(claims[subject]) is int):
        claims["sub"] = str(claims[subject])
    if "sub" not in claims and token.get("userinfo"):
        raise ProviderError(
            "invalid_response",
            f"{USERINFO_REQUEST} failed: the response of {provider.host} names no subject (sub), so its claims must "
            "not be used (OpenID Connect Core section 5.3.2). Tell the provider.",
        )
    check_same_subject(claims, token, provider, USERINFO_REQUEST)
    return claims


def check_same_subject(claims: Any, token: Mapping[str, Any], provider: Provider, operation: str) -> None:
    """Raise `InvalidToken` if later claims name another subject (OpenID Connect Core sections 5.3.2 and 12.2)."""
    verified = token.get("userinfo")
    if verified and claims.get("sub") != verified["sub"]:
        raise InvalidToken(
            "invalid_token",
            f"{operation} failed: {provider.host} answered for another person. Sign in again.",
        )
