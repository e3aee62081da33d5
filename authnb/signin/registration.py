"""The client registrations named by ``issuer``, ``client_id``, ``client_secret`` and ``scope`` of `authnb.login`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from authnb.errors import LoginFailed, ProviderError
from authnb.oauth.client import Client
from authnb.oauth.client_auth import AUTH_METHODS, SECRET_METHODS
from authnb.oauth.provider import Provider
from authnb.signin.arguments import (
    check_choice,
    check_credentials,
    check_issuer,
    read_key_path,
    read_resource,
    read_scope,
    read_text,
    read_timeout,
)
from authnb.transport.http import is_secure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from authnb.oauth.presets import Preset
    from authnb.oauth.protected_resource import ProtectedResource
    from authnb.storage.base import Account, SignIn

    Issuers = str | Provider | Sequence[str | Provider] | Mapping[str, str | Provider]

SCOPE = "openid profile email"
_REQUIRED_ENDPOINTS: dict[str, tuple[str, ...]] = {
    "device": ("device_authorization_endpoint",),
    "client_credentials": (),
}


@dataclass(frozen=True)
class ClientRegistration:
    """A client registration at one provider, before any request to it.

    ``issuer``: None until it is found from the metadata of ``api``, which ``found`` then has. ``client_id``: None for
    a client that authnb registers itself.
    """

    issuer: str | Provider | None
    _: KW_ONLY
    client_id: str | None
    api: str | None = None
    found: ProtectedResource | None = None
    client_secret: str | None = field(repr=False)
    client_key: Path | None = None
    scope: str | None
    token_endpoint_auth_method: str | None
    response_timeout: float | None
    resource: tuple[str, ...]
    dpop: bool | None = None

    @cached_property
    def preset(self) -> Preset | None:
        """The named preset; `ValueError` for an unknown name, and for an address that is not secure."""
        if self.issuer is None or isinstance(self.issuer, Provider) or is_secure(self.issuer):
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
        """The issuer URL, or that of the API from which it is found: part of the storage key."""
        source = self.api or self.preset or self.issuer or ""
        return (source if isinstance(source, str) else source.issuer).rstrip("/")

    @property
    def server(self) -> str:
        """The issuer URL, once it is known; before, the API's."""
        return self.issuer if self.found is not None and isinstance(self.issuer, str) else self.address

    def at(self, issuer: str, found: ProtectedResource) -> ClientRegistration:
        """The same at this issuer, which the metadata of the API name."""
        return replace(self, issuer=issuer, found=found)

    def invalidate_documents(self) -> None:
        """Remove the API's metadata from the cache, as stale ones may be why a sign-in failed."""
        if self.found is not None:
            from authnb.oauth.protected_resource import invalidate_documents  # noqa: PLC0415 - loaded by then

            invalidate_documents(self.api or self.found.resource)

    def stored_client(self, stored: SignIn, account: Account, mode: str) -> Client:
        """The client of a stored sign-in, without a request: what was found for it is stored with it."""
        client, kept = self._client(stored.provider, mode), stored.client(account, self.client_secret)
        if self.client_id is None:
            client = replace(
                client,
                client_id=kept.client_id,
                client_secret=kept.client_secret,
                token_endpoint_auth_method=kept.token_endpoint_auth_method,
            )
        elif client.client_secret is None and client.client_key is None:
            client = replace(client, client_key=kept.client_key)
        if self.api is None:
            return client
        scope = stored.scope if self.scope is None else self.scope
        return replace(client, scope=scope, resource=self.resource or stored.resource)

    def client(self, known: Provider | None, mode: str) -> Client:
        """The client at that provider, whose metadata is discovered unless ``known``, given, or not needed.

        With a new key for its tokens, where they are to be bound to one (RFC 9449). By default they are not, where
        the API's metadata do not say that it takes proofs (RFC 9728 section 2): it may know bearer tokens alone.
        """
        client = self._client(known, mode)
        offered = client.provider.dpop_signing_alg_values_supported
        if self.found is not None:
            offered = offered and self.found.dpop_signing_alg_values_supported
        if mode == "token" or self.dpop is False or not (self.dpop or offered):
            return client
        from authnb.oauth.dpop import key_for  # noqa: PLC0415 - few providers bind tokens

        return replace(client, dpop_key=key_for(client.provider, self.dpop))

    def _client(self, known: Provider | None, mode: str) -> Client:
        secret, key = self._credentials(mode)
        provider = self.issuer if isinstance(self.issuer, Provider) else known
        needs = (*_REQUIRED_ENDPOINTS.get(mode, ("authorization_endpoint",)), "token_endpoint")
        if self.client_id is None:
            needs = (*needs, "registration_endpoint")
        settings: dict[str, Any] = (
            {} if self.response_timeout is None else {"response_timeout": self.response_timeout}
        )
        if provider is not None:
            provider = replace(provider, **settings) if settings else provider
        elif self.preset is not None:
            provider = self.preset.open(needs=needs, **settings)
        elif mode == "token":
            provider = Provider(self.server, **settings)
        else:
            provider = self._discover(needs, settings)
        quirks = provider.quirks
        challenged = None if self.found is None else self.found.scope
        public_scope = quirks.public_scope if secret is None and key is None else None
        candidates = (self.scope, challenged, public_scope, quirks.scope)
        scope = next((scope for scope in candidates if scope is not None), SCOPE)
        client = Client(
            provider,
            client_id=self.client_id or "",
            client_secret=secret,
            client_key=key,
            scope=scope,
            token_endpoint_auth_method=self.token_endpoint_auth_method,
            resource=self.resource or (() if self.found is None else (self.found.resource,)),
            dpop=self.dpop,
        )
        if key is not None and known is None:  # before the person is asked for anything
            from authnb.oauth.client_assertion import check_client_key  # noqa: PLC0415 - few clients have keys

            check_client_key(client)
        return client

    def _credentials(self, mode: str) -> tuple[str | None, Path | None]:
        """The client's secret and the file with its key: those given, else those of the environment.

        A secret of the environment is for `client_credentials` alone, a key of it for every client that is named.
        """
        if self.client_secret is not None or self.client_key is not None or self.client_id is None:
            return self.client_secret, self.client_key
        from authnb.flows.workload import client_key, client_secret, has_secret  # noqa: PLC0415 - needed by few

        key = None
        if self.token_endpoint_auth_method not in SECRET_METHODS and mode != "token":
            key = client_key(os.environ)
        if mode != "client_credentials":
            return None, key
        if key is not None and has_secret(os.environ) and self.token_endpoint_auth_method is None:
            raise LoginFailed(
                "invalid_client",
                "AUTHNB_CLIENT_KEY_FILE is set, and AUTHNB_CLIENT_SECRET or AUTHNB_CLIENT_SECRET_FILE too. Remove what "
                "the client is not registered with, or choose by token_endpoint_auth_method=.",
            )
        return (client_secret(os.environ), None) if key is None else (None, key)

    def _discover(self, needs: tuple[str, ...], settings: Mapping[str, Any]) -> Provider:
        try:
            return Provider.discover(self.server, needs=needs, **settings)
        except ProviderError as error:
            if self.found is not None:  # nobody typed that address
                error.description = (
                    f"{self.api} says that its users sign in at {self.server}. {error.description}"
                )
                error.args = (error.error, error.description)
            raise


def read_registrations(
    issuer: Issuers | None,
    client_id: str | Mapping[str, str] | None,
    *,
    api: Sequence[str],
    client_secret: str | None,
    client_key: str | os.PathLike[str] | None,
    scope: str | Iterable[str] | None,
    token_endpoint_auth_method: str | None,
    response_timeout: float | None,
    resource: str | Iterable[str] | None,
    dpop: bool | None,
) -> dict[str, ClientRegistration]:
    """The client registration at each provider, by display name. `ValueError` if their names do not match."""
    options: dict[str, Any] = {
        "client_secret": client_secret,
        "client_key": read_key_path(client_key),
        "scope": read_scope(scope),
        "token_endpoint_auth_method": token_endpoint_auth_method,
        "resource": read_resource(resource),
        "dpop": dpop,
        "response_timeout": None
        if response_timeout is None
        else read_timeout(response_timeout, "response_timeout", "that the provider has for one response"),
    }
    check_choice("dpop", dpop, (None, True, False))
    check_choice("token_endpoint_auth_method", token_endpoint_auth_method, (None, *AUTH_METHODS))
    check_credentials(client_id, client_secret, client_key, token_endpoint_auth_method)
    if issuer is None:
        return _found_from(api, client_id, options)
    named = _named(issuer)
    ids = client_id if isinstance(client_id, Mapping) else dict.fromkeys(named, client_id)
    if not named or set(ids) != set(named):
        raise ValueError(f"client_id= names {list(ids)}, and there are these to choose from: {list(named)}")
    for each in ids.values():
        _check_client_id(each)
    return {name: ClientRegistration(each, client_id=ids[name], **options) for name, each in named.items()}


def _found_from(
    api: Sequence[str], client_id: Any, options: Mapping[str, Any]
) -> dict[str, ClientRegistration]:
    """The registration at a provider that the first of these APIs will name."""
    if not api:
        raise ValueError(
            "issuer= is missing: give the provider's URL, as in 'https://id.example.org', or a preset's name; or "
            "api=, the URL of an API that says itself where its users sign in."
        )
    _check_client_id(client_id)
    return {_display_name(api[0]): ClientRegistration(None, client_id=client_id, api=api[0], **options)}


def _named(issuer: Issuers) -> Mapping[str, str | Provider]:
    """The issuers by display name."""
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
    return issuer


def _check_client_id(client_id: Any) -> None:
    if client_id is not None:
        read_text(
            "client_id",
            client_id,
            "give the identifier that the provider issued when your client was registered; leave it out to have one "
            "registered where the provider does that by itself.",
        )


def _display_name(issuer: str | Provider) -> str:
    """A preset's name, or an issuer URL without its scheme."""
    address = issuer if isinstance(issuer, str) else issuer.issuer
    return address.partition("://")[2].rstrip("/") or address
