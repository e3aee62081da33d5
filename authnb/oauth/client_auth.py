"""Client authentication: how a client proves its identity to the token endpoint (RFC 6749 section 2.3)."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from collections.abc import Collection

    from authlib.oauth2.auth import ClientAuth

AuthMethod = Literal["client_secret_basic", "client_secret_post"]  # RFC 7591 section 2
AUTH_METHODS: tuple[AuthMethod, ...] = ("client_secret_basic", "client_secret_post")
BASIC, POST = AUTH_METHODS


def default_method(client_secret: str | None, supported: Collection[str]) -> str:
    """The method to use at an endpoint whose metadata lists these."""
    if client_secret is None:
        return "none"
    # RFC 8414 section 2: the default is client_secret_basic
    return BASIC if not supported or BASIC in supported else POST


def accepts_post(client_id: str, client_secret: str | None, supported: Collection[str]) -> bool:
    """Whether a client that Basic did not authenticate may try ``client_secret_post``.

    Only if form encoding changes its credentials, as some servers do not decode them, and the metadata allows it.
    """
    encoded = _form_encode(client_id) != client_id or _form_encode(client_secret or "") != client_secret
    return client_secret is not None and encoded and (not supported or POST in supported)


def sign_basic(client: ClientAuth, _method: str, uri: str, headers: dict[str, str], body: Any) -> Any:
    """HTTP Basic with id and secret form-encoded, as RFC 6749 section 2.3.1 asks; Authlib's does not encode."""
    credentials = f"{_form_encode(client.client_id)}:{_form_encode(client.client_secret or '')}"
    headers["Authorization"] = f"Basic {b64encode(credentials.encode()).decode()}"
    return uri, headers, body


def _form_encode(value: str) -> str:
    return quote_plus(value, safe="*-._~")
