"""Where to sign in for an API whose caller named no issuer, and how people are told (RFC 9728)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authnb.oauth.protected_resource import discover
from authnb.oauth.provider import Provider
from authnb.signin.hosts import display_host
from authnb.transport.bounded import RESPONSE_TIMEOUT

if TYPE_CHECKING:
    from authnb.oauth.client import Client
    from authnb.signin.registration import ClientRegistration


def discover_providers(registration: ClientRegistration) -> dict[str, ClientRegistration]:
    """The registration at each provider that the API names, by display name; makes requests.

    Raises what `authnb.oauth.protected_resource.discover` raises.
    """
    found = discover(
        registration.api or "", response_timeout=registration.response_timeout or RESPONSE_TIMEOUT
    )
    return {
        issuer.partition("://")[2].rstrip("/"): registration.at(issuer, found)
        for issuer in found.authorization_servers
    }


def rediscovered(registration: ClientRegistration, client: Client, mode: str) -> Provider:
    """The provider with its metadata as they are now."""
    if registration.issuer is None:
        return Provider.discover(
            client.provider.issuer,
            needs=("token_endpoint",),
            response_timeout=client.provider.response_timeout,
        )
    return registration.client(None, mode).provider


def provenance(registration: ClientRegistration, client: Client | None, registered: str) -> tuple[str, ...]:
    """Who vouches for whom, host by host, where the caller did not name the provider or the client.

    ``registered``: what is said of a client that registered itself. Without a ``client``, before one is chosen.
    """
    sentences = []
    if registration.api is not None and registration.found is not None:
        api = display_host(registration.api)
        if client is None:
            return (f"{api}, the API whose address was given, names these as where its users sign in.",)
        issuer = display_host(client.provider.issuer)
        says = "signs its users in itself" if issuer == api else f"says that its users sign in at {issuer}"
        sentences.append(f"{api}, the API whose address was given, {says}.")
    if client is None or not client.client_id:
        return tuple(sentences)
    if registration.client_id is None:
        return (*sentences, registered)
    if client.provider.client_id_metadata_document_supported and client.client_id.startswith("https://"):
        described = urlsplit(client.client_id).netloc
        sentences.append(
            f"{display_host(client.provider.issuer)} reads at {described} which client this notebook is."
        )
    return tuple(sentences)
