"""What a provider tells of the person who signed in, beside the ID token (OpenID Connect Core section 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from authnb.answers import read_refusal
from authnb.errors import InvalidToken
from authnb.transport import read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from authnb.provider import Provider

ASKING = "Asking who signed in"
# Claims of which at least one is told where the scope is granted (section 5.4)
_TOLD = {"profile": {"name", "preferred_username", "nickname", "given_name"}, "email": {"email"}}


def is_needed(provider: Provider, token: Mapping[str, Any], scope: str) -> bool:
    """Whether the endpoint may tell what the ID token does not, although that ``scope`` asked for it.

    Without OpenID, or without an ID token, whether there is one: it tells all there is to know.
    """
    if not (provider.userinfo_endpoint or user_address(provider, token)):
        return False
    known, granted = token.get("userinfo") or {}, (token.get("scope") or scope).split()
    untold = any(name in granted and not claims & known.keys() for name, claims in _TOLD.items())
    return untold or not provider.quirks.openid or (not known and "openid" in granted)


def user_address(provider: Provider, token: Mapping[str, Any]) -> str | None:
    """Where this person is told of, if the token answer says so: nowhere but at the provider."""
    named = token.get(provider.quirks.user_address or "")
    try:
        address = urljoin(provider.issuer, named) if isinstance(named, str) else ""
        return address if urlsplit(address)[:2] == urlsplit(provider.issuer)[:2] else None
    except ValueError:  # it is no address
        return None


def read_userinfo(
    response: requests.Response, token: Mapping[str, Any], provider: Provider
) -> dict[str, Any]:
    """What is told, about the person of this token and nobody else; or a `ProviderError`."""
    if not response.ok:
        raise read_refusal(response, ASKING, secrets=[token["access_token"]])
    told = read_object(response, ASKING)
    quirks = provider.quirks
    if not quirks.openid and quirks.subject in told:
        told["sub"] = str(told[quirks.subject])
    check_same_person(told, token, provider, ASKING)
    return told


def check_same_person(told: Any, token: Mapping[str, Any], provider: Provider, what: str) -> None:
    """OpenID Connect Core sections 5.3.2 and 12.2: nothing told later changes who is signed in."""
    known = token.get("userinfo")
    if known and told.get("sub") != known["sub"]:
        raise InvalidToken(
            "invalid_token", f"{what} failed: {provider.host} answered for another person. Sign in again."
        )
