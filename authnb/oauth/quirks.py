"""Deviations of a provider from the standards that metadata cannot express.

They come from a preset (`authnb.oauth.presets`) or from the caller, never from the provider's own metadata: a provider
must not be able to switch off checks of its responses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TENANT = "{tenantid}"
_TENANT_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass(frozen=True, kw_only=True)
class Quirks:
    """A provider's peculiarities; none by default.

    ``openid``: False for plain OAuth 2.0. Then no ID token is expected, and ``.user`` is the response of the
    ``userinfo_endpoint``, its member ``subject`` as ``sub``; ``user_address`` is the member of the token
    response that names the endpoint, where each person has one.

    ``scope``: the default scope; ``public_scope``: that of a client without a secret. ``parameters``: added to each
    authorization request. ``audience``: the API that the token is for, sent with authorization, device authorization
    and client credentials requests; ``resource``: the same as RFC 8707 has it, sent with every token request too.
    ``refresh_scope``: whether a renewal names the requested scope (RFC 6749 section 6: optional).
    ``secret_for``: which of ``code`` and ``device`` need a client secret. ``token_endpoint_audience``: whether a client
    assertion is for the URL of the token endpoint, in place of the issuer.

    ``issuers``: further issuers that metadata and ID tokens may name; ``{tenantid}`` stands for a tenant's
    identifier, in an ID token for its claim ``tid``.

    ``sign_up_parameters``: the parameters of an authorization request that begins with registration, in place of
    ``prompt=create``; ``sign_up_endpoint``: the endpoint for such a request, if it is not the authorization endpoint.
    ``sign_up_note``: why the provider has neither. ``redirect_host``: the host in redirect URIs, where 127.0.0.1 is not
    accepted. ``client_page``: the page on which clients are registered.

    ``end_session_parameters``: added to the logout URL; one that is empty is required, and for the caller to fill in.
    """

    openid: bool = True
    subject: str = "sub"
    user_address: str | None = None
    scope: str | None = None
    public_scope: str | None = None
    audience: str | None = None
    resource: str | None = None
    refresh_scope: bool = False
    parameters: dict[str, str] = field(default_factory=dict)
    secret_for: tuple[str, ...] = ()
    token_endpoint_audience: bool = False
    issuers: tuple[str, ...] = ()
    sign_up_parameters: dict[str, str] = field(default_factory=dict)
    sign_up_endpoint: str | None = None
    sign_up_note: str | None = None
    redirect_host: str = "127.0.0.1"
    client_page: str | None = None
    end_session_parameters: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("secret_for", "issuers"):  # lists in TOML and JSON
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def accepts_issuer(self, name: str) -> bool:
        """Whether metadata may name this issuer although it was read from another."""
        return any(
            name == allowed or re.fullmatch(re.escape(allowed).replace(re.escape(TENANT), _TENANT_ID), name)
            for allowed in self.issuers
        )

    def token_issuer(self, issuer: str, claims: Mapping[str, Any]) -> str:
        """The ``iss`` expected of an ID token with these claims, at the provider with that issuer."""
        if TENANT in issuer:
            return in_tenant(issuer, claims)
        named = claims.get("iss")
        return next(
            (allowed for allowed in self.issuers if allowed == named and TENANT not in allowed), issuer
        )


def in_tenant(issuer: str, claims: Mapping[str, Any]) -> str:
    """The issuer of the tenant in ``tid``; unchanged, which no token can match, without one."""
    tenant = claims.get("tid")
    valid = isinstance(tenant, str) and re.fullmatch(_TENANT_ID, tenant)
    return issuer.replace(TENANT, str(tenant)) if valid else issuer
