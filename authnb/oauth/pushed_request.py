"""Pushed authorization requests (RFC 9126).

The client sends the parameters to the provider itself, and the browser takes a reference to them, which is good for a
short time and mostly once.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from authnb.errors import ProviderError
from authnb.oauth.error_responses import read_oauth_error
from authnb.oauth.responses import seconds_of
from authnb.oauth.token_endpoint import authenticated, post_form
from authnb.transport.addresses import MAX_ADDRESS
from authnb.transport.http import read_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    import requests

    from authnb.oauth.token_endpoint import RegisteredClient

_OPERATION = "Pushing the authorization request"
_NO_ENDPOINT = {404, 405}
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")  # RFC 3986 section 3, a URN too
_SECRET_PARAMETERS = {"state", "nonce", "code_challenge", "login_hint", "id_token_hint"}


@dataclass(frozen=True, kw_only=True)
class PushedRequest:
    """What the provider calls a pushed request, and for how long (RFC 9126 section 2.2).

    ``expires_in`` is in seconds, ``expires_at`` in `time.monotonic` seconds.
    """

    request_uri: str = field(repr=False)
    expires_in: float
    expires_at: float


def push(client: RegisteredClient, parameters: Sequence[tuple[str, str]]) -> PushedRequest | None:
    """Push an authorization request with these parameters (RFC 9126 section 2.1).

    None where the provider does not offer it, or nothing answers at its endpoint (HTTP 404 or 405) and it does not
    require it. Raises `ProviderError` if it does require it, refuses the request, or its response cannot be used.
    """
    provider = client.provider
    required = provider.require_pushed_authorization_requests
    if provider.pushed_authorization_request_endpoint is None and not required:
        return None
    endpoint = provider.require_endpoint(
        "pushed_authorization_request_endpoint",
        "It requires pushed authorization requests, though (RFC 9126): tell the provider, or try mode='device'.",
    )
    secrets = [value for name, value in parameters if name in _SECRET_PARAMETERS]
    sent_at = time.monotonic()  # the lifetime counts from the response, which is no earlier

    def send(method: str) -> PushedRequest:
        response = post_form(client, method, endpoint, _OPERATION, parameters)
        return _read(response, sent_at, [*filter(None, [client.client_secret]), *secrets])

    try:
        return authenticated(client, send, provider.token_endpoint_auth_methods_supported)
    except ProviderError as error:
        if error.status not in _NO_ENDPOINT or error.error != "invalid_response":
            raise
        if not required:
            return None
        raise ProviderError(
            "invalid_response",
            f"{_OPERATION} failed: HTTP {error.status}. {provider.host} requires pushed authorization requests (RFC "
            f"9126), and nothing takes them at the endpoint that its metadata names. Tell the provider, or try "
            "mode='device'.",
        ) from None


def _read(response: requests.Response, sent_at: float, secrets: Sequence[str]) -> PushedRequest:
    """The response of the endpoint (RFC 9126 sections 2.2 and 2.3); raises for an error."""
    if not response.ok or not response.content:
        raise read_oauth_error(response, _OPERATION, secrets)
    body = read_object(response, _OPERATION)
    if body.get("error"):
        raise read_oauth_error(response, _OPERATION, secrets)
    request_uri, lifetime = body.get("request_uri"), seconds_of(body.get("expires_in"))
    if not isinstance(request_uri, str) or not _ABSOLUTE_URI.fullmatch(request_uri):
        raise ProviderError(
            "invalid_response",
            f"{_OPERATION} failed: the response holds no request_uri that is an absolute URI. Tell the provider, or "
            "try mode='device'.",
        )
    if len(request_uri) > MAX_ADDRESS:
        raise ProviderError(
            "invalid_response",
            f"{_OPERATION} failed: the request_uri in the response has {len(request_uri)} characters, more than "
            f"{MAX_ADDRESS}. Tell the provider, or try mode='device'.",
        )
    if not lifetime:
        raise ProviderError(
            "invalid_response",
            f"{_OPERATION} failed: the response does not say for how many seconds it is good (expires_in). Tell the "
            "provider, or try mode='device'.",
        )
    return PushedRequest(request_uri=request_uri, expires_in=lifetime, expires_at=sent_at + lifetime)
