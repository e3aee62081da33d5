"""The client registrations named by ``issuer``, ``client_id``, ``client_secret`` and ``scope`` of `authnb.login`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from authnb.oauth.client import Client
from authnb.oauth.client_auth import AUTH_METHODS
from authnb.oauth.provider import Provider
from authnb.signin.arguments import (
    check_choice,
    check_issuer,
    read_resource,
    read_scope,
    read_text,
    read_timeout,
)
from authnb.transport.http import is_secure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authnb.oauth.presets import Preset

SCOPE = "openid profile email"
_REQUIRED_ENDPOINTS: dict[str, tuple[str, ...]] = {
    "device": ("device_authorization_endpoint",),
    "client_credentials": (),
}


@dataclass(frozen=True)
class ClientRegistration:
    """A client registration at one provider, before any request to it."""

    issuer: str | Provider
    _: KW_ONLY
    client_id: str
    client_secret: str | None = field(repr=False)
    scope: str | None
    token_endpoint_auth_method: str | None
    response_timeout: float | None
    resource: tuple[str, ...]

    @cached_property
    def preset(self) -> Preset | None:
        """The named preset; `ValueError` for an unknown name, and for an address that is not secure."""
        if isinstance(self.issuer, Provider) or is_secure(self.issuer):
            return None
        from authnb.oauth.presets import find  # noqa: PLC0415 - not needed for a URL

        found = find(self.issuer)
        if found is None:
            raise ValueError(
                f"issuer={self.issuer!r:.200} is not an https address (http only on 127.0.0.1, localhost or [::1]). "
                "Give the full address, such as https://id.example.org."
            )
        return found

    @property
    def address(self) -> str:
        """The issuer URL, part of the storage key."""
        source = self.preset or self.issuer
        return (source if isinstance(source, str) else source.issuer).rstrip("/")

    def client(self, known: Provider | None, mode: str) -> Client:
        """The client at that provider, whose metadata is discovered unless ``known``, given, or not needed."""
        secret = self.client_secret
        if mode == "client_credentials" and secret is None:
            from authnb.flows.workload import client_secret  # noqa: PLC0415 - only in unattended runs

            secret = client_secret(os.environ)
        provider = self.issuer if isinstance(self.issuer, Provider) else known
        needs = (*_REQUIRED_ENDPOINTS.get(mode, ("authorization_endpoint",)), "token_endpoint")
        settings: dict[str, Any] = (
            {} if self.response_timeout is None else {"response_timeout": self.response_timeout}
        )
        if provider is not None:
            provider = replace(provider, **settings) if settings else provider
        elif self.preset is not None:
            provider = self.preset.open(needs=needs, **settings)
        elif mode == "token":
            provider = Provider(self.address, **settings)
        else:
            provider = Provider.discover(self.address, needs=needs, **settings)
        quirks = provider.quirks
        candidates = (self.scope, quirks.public_scope if secret is None else None, quirks.scope)
        scope = next((scope for scope in candidates if scope is not None), SCOPE)
        return Client(
            provider,
            client_id=self.client_id,
            client_secret=secret,
            scope=scope,
            token_endpoint_auth_method=self.token_endpoint_auth_method,
            resource=self.resource,
        )


def read_registrations(
    issuer: str | Provider | Sequence[str | Provider] | Mapping[str, str | Provider],
    client_id: str | Mapping[str, str],
    *,
    client_secret: str | None,
    scope: str | Iterable[str] | None,
    token_endpoint_auth_method: str | None,
    response_timeout: float | None,
    resource: str | Iterable[str] | None,
) -> dict[str, ClientRegistration]:
    """The client registration at each provider, by display name. `ValueError` if their names do not match."""
    if isinstance(issuer, str | Provider):
        issuer = [issuer]
    given: Any = issuer
    if not isinstance(given, Iterable):
        check_issuer(given)
    if not isinstance(issuer, Mapping):
        for each in issuer:
            check_issuer(each)
        issuer = {_display_name(each): each for each in issuer}
    for each in issuer.values():
        check_issuer(each)
    ids = client_id if isinstance(client_id, Mapping) else dict.fromkeys(issuer, client_id)
    if not issuer or set(ids) != set(issuer):
        raise ValueError(f"client_id= names {list(ids)}, and there are these to choose from: {list(issuer)}")
    for each in ids.values():
        read_text(
            "client_id", each, "give the identifier that the provider issued when your client was registered."
        )
    check_choice("token_endpoint_auth_method", token_endpoint_auth_method, (None, *AUTH_METHODS))
    options: dict[str, Any] = {
        "client_secret": client_secret,
        "scope": read_scope(scope),
        "token_endpoint_auth_method": token_endpoint_auth_method,
        "resource": read_resource(resource),
        "response_timeout": None
        if response_timeout is None
        else read_timeout(response_timeout, "response_timeout", "that the provider has for one response"),
    }
    return {name: ClientRegistration(each, client_id=ids[name], **options) for name, each in issuer.items()}


def _display_name(issuer: str | Provider) -> str:
    """A preset's name, or an issuer URL without its scheme."""
    address = issuer if isinstance(issuer, str) else issuer.issuer
    return address.partition("://")[2].rstrip("/") or address
