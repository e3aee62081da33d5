"""The audience of an access token, where a client can read it: in a JWT of RFC 9068."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from typing import Any

from authnb.errors import ProviderError
from authnb.oauth.protected_resource import same_resource
from authnb.transport.http import parse
from authnb.transport.text import printable

_TYPES = {"at+jwt", "application/at+jwt"}  # RFC 9068 section 2.1
_PARTS = 3


def check_audience(access_token: str, resource: str, host: str, operation: str) -> None:
    """Refuse a token for another API than the one that it was requested for.

    RFC 9068 section 3: the ``aud`` of such a token is the ``resource`` of the request. Any other token is opaque to a
    client (RFC 6749 section 1.4) and passes. Nothing else in it is believed or used: its signature is the API's to
    check. ``host`` issued it; ``operation`` begins the text of the error, a `ProviderError`.
    """
    audience = _audience(access_token)
    if audience is None or any(same_resource(each, resource) for each in audience):
        return
    named = printable(" and ".join(audience[:3]) or "no API at all", 200)
    raise ProviderError(
        "audience_mismatch",
        f"{operation} failed: a token for {resource} was requested, and {host} issued one for {named}. It was not "
        "used, for it would be of use to somebody else. Tell the people who run the provider.",
    )


def _audience(access_token: str) -> list[str] | None:
    """The audience of a JWT access token; None for any other."""
    parts = access_token.split(".")
    if len(parts) != _PARTS:
        return None
    try:
        header, claims = _decoded(parts[0]), _decoded(parts[1])
    except (ValueError, binascii.Error):
        return None
    kind = header.get("typ") if isinstance(header, dict) else None
    if not isinstance(kind, str) or kind.lower() not in _TYPES or not isinstance(claims, dict):
        return None
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    return [each for each in listed if isinstance(each, str)]


def _decoded(part: str) -> Any:
    return parse(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
