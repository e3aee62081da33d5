"""What a provider does its own way and no standard's metadata can say.

These facts come from a preset (`authnb.presets`) or from the caller, never from the provider's documents: what is
checked of an answer must not hang on an answer.
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

    ``openid``: False for plain OAuth 2.0. Then no ID token is expected, and ``.user`` is what the
    ``userinfo_endpoint`` answers, its member ``subject`` as ``sub``; ``user_address`` is a member of the token
    answer that names that endpoint, where it differs for each person.

    ``scope``: what is asked for where the caller says nothing; ``public_scope``, by a client without a secret, where
    that may ask for less. ``parameters``: what else stands in an authorization request. ``audience``: the API that
    the token is for, where the provider wants it named, in a request for a code and for a device code.
    ``secret_for``: which of ``code`` and ``device`` need a client secret.

    ``issuers``: what else it calls itself, in its metadata and ID tokens; ``{tenantid}`` stands for the identifier
    of a tenant, in a token for the one in its claim ``tid``.

    ``sign_up_parameters``: what an authorization request must hold to begin with a new account, in place of
    ``prompt=create``; ``sign_up_endpoint``: the address that takes such a request, if it is another.
    ``sign_up_note``: why there is none of these. ``redirect_host``: what this machine is called in a
    redirect address, where 127.0.0.1 is not taken. ``client_page``: where a client is registered.
    """

    openid: bool = True
    subject: str = "sub"
    user_address: str | None = None
    scope: str | None = None
    public_scope: str | None = None
    audience: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    secret_for: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    sign_up_parameters: dict[str, str] = field(default_factory=dict)
    sign_up_endpoint: str | None = None
    sign_up_note: str | None = None
    redirect_host: str = "127.0.0.1"
    client_page: str | None = None

    def __post_init__(self) -> None:
        for name in ("secret_for", "issuers"):  # lists, as TOML and JSON have them
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def calls_itself(self, name: str) -> bool:
        """Whether metadata may name this issuer, although another was asked."""
        return any(
            name == known or re.fullmatch(re.escape(known).replace(re.escape(TENANT), _TENANT_ID), name)
            for known in self.issuers
        )

    def token_issuer(self, issuer: str, claims: Mapping[str, Any]) -> str:
        """The issuer that an ID token with these claims has to name, at the provider with that issuer."""
        if TENANT in issuer:
            return in_tenant(issuer, claims)
        named = claims.get("iss")
        return next((known for known in self.issuers if known == named and TENANT not in known), issuer)


def in_tenant(issuer: str, claims: Mapping[str, Any]) -> str:
    """The issuer, for the tenant that the claims name; unchanged, and so nobody's, where they name none."""
    tenant = claims.get("tid")
    known = isinstance(tenant, str) and re.fullmatch(_TENANT_ID, tenant)
    return issuer.replace(TENANT, str(tenant)) if known else issuer
