"""Resource indicators (RFC 8707): the APIs that a token may be for, and which one it is for."""

from __future__ import annotations

from typing import Any

from authlib.oauth2 import OAuth2Error

from authnb.demo.context import provider

PATHS = ("/api", "/archive")  # below the issuer; a token for no API in particular is for the first


class InvalidTargetError(OAuth2Error):
    """RFC 8707 section 2: the resource is unknown, or was not granted."""

    error = "invalid_target"


def resources() -> tuple[str, ...]:
    """The resource identifiers of the APIs."""
    return tuple(provider().issuer + path for path in PATHS)


def requested(request: Any) -> str | None:
    """The ``resource`` parameters of an authorization request, separated by spaces; None without one."""
    named = _named(request)
    return " ".join(dict.fromkeys(named)) or None


def target(request: Any, granted: str | None) -> str | None:
    """The API that a token request asks for, else the first that was ``granted``; None for no API in particular."""
    named = _named(request)
    if len(named) > 1:
        raise InvalidTargetError("A token is for one resource.")
    allowed = granted.split() if granted else list(resources())
    if named and named[0] not in allowed:
        raise InvalidTargetError("That resource was not granted.")
    return named[0] if named else (allowed[0] if granted else None)


def _named(request: Any) -> list[str]:
    named: list[str] = request.payload.datalist.get("resource", [])
    if set(named) - set(resources()):
        raise InvalidTargetError("There is no such resource.")
    return named
