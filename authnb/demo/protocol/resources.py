"""The APIs: what they say of themselves (RFC 9728), and which of them a token is for (RFC 8707)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from authlib.oauth2 import OAuth2Error

from authnb.demo.context import provider
from authnb.demo.protocol.dpop import ALGORITHMS


@dataclass(frozen=True, kw_only=True)
class ProtectedResource:
    """An API: its path below the issuer, its name for people, and the scopes that it knows."""

    path: str
    name: str
    scopes: tuple[str, ...]

    @property
    def identifier(self) -> str:
        """What tokens for it have as audience (RFC 9728 section 1.2)."""
        return provider().issuer + self.path

    @property
    def metadata_url(self) -> str:
        """Where its metadata are: RFC 9728 section 3.1, below a path of the issuer's if that has one."""
        return f"{provider().issuer}/.well-known/oauth-protected-resource{self.path}"

    @property
    def metadata(self) -> dict[str, Any]:
        """RFC 9728 section 2."""
        dpop: dict[str, Any] = {}
        if provider().settings.dpop:
            required = provider().settings.dpop == "required"
            dpop = {
                "dpop_signing_alg_values_supported": list(ALGORITHMS),
                "dpop_bound_access_tokens_required": required,
            }
        return {
            "resource": self.identifier,
            "authorization_servers": [provider().issuer],
            "scopes_supported": list(self.scopes),
            "bearer_methods_supported": ["header"],
            "resource_name": self.name,
            "resource_documentation": f"{provider().issuer}/",
            **dpop,
        }


# a token for no API in particular is for the first
MEASUREMENTS = ProtectedResource(path="/api", name="Air measurements", scopes=("measurements:read",))
ARCHIVE = ProtectedResource(
    path="/archive", name="Archive of daily means", scopes=("measurements:read", "archive:read")
)
APIS = (MEASUREMENTS, ARCHIVE)


class InvalidTargetError(OAuth2Error):
    """RFC 8707 section 2: the resource is unknown, or was not granted."""

    error = "invalid_target"


def resources() -> tuple[str, ...]:
    """The resource identifiers of the APIs."""
    return tuple(api.identifier for api in APIS)


def names(resource: str | None) -> list[str]:
    """The names of the APIs that an authorization is for, as a person reads them."""
    return [api.name for api in APIS if api.identifier in (resource or "").split()]


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
    if not granted and request.client.is_self_registered:
        del allowed[1:]  # nobody was asked for the others
    if named and named[0] not in allowed:
        raise InvalidTargetError("That resource was not granted.")
    return named[0] if named else (allowed[0] if granted else None)


def _named(request: Any) -> list[str]:
    named: list[str] = request.payload.datalist.get("resource", [])
    if set(named) - set(resources()):
        raise InvalidTargetError("There is no such resource.")
    return named
