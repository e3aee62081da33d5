"""Client authentication: how a client proves its identity to the token endpoint (RFC 6749 section 2.3)."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from collections.abc import Collection

    from authlib.oauth2.auth import ClientAuth

AuthMethod = Literal["client_secret_basic", "client_secret_post", "private_key_jwt"]  # RFC 7591 section 2
AUTH_METHODS: tuple[AuthMethod, ...] = ("client_secret_basic", "client_secret_post", "private_key_jwt")
SECRET_METHODS = BASIC, POST = AUTH_METHODS[:2]
PRIVATE_KEY_JWT = AUTH_METHODS[2]
KEY_FILE = "AUTHNB_CLIENT_KEY_FILE"


def key_path(path: str) -> Path:
    """The path of a key file: ``~`` is the home folder, and a relative path begins in the working folder of now."""
    given = Path(path)
    with suppress(RuntimeError):  # there is no home folder: the file is not found, which is said
        given = given.expanduser()
    return given.absolute()


def default_method(client_secret: str | None, client_key: Path | None, supported: Collection[str]) -> str:
    """The method to use at an endpoint whose metadata lists these."""
    if client_key is not None:
        return PRIVATE_KEY_JWT
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
