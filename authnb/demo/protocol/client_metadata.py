"""What a client may say of itself when it registers (RFC 7591 section 2)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2.rfc7591 import InvalidClientMetadataError
from authlib.oauth2.rfc7591.errors import InvalidRedirectURIError, UnapprovedSoftwareStatementError
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE

from authnb.demo.database.loopback import is_loopback
from authnb.demo.protocol.client_keys import client_keys
from authnb.demo.protocol.metadata import SCOPES, TOKEN_EXCHANGE

GRANT_TYPES = ("authorization_code", "refresh_token", DEVICE_CODE_GRANT_TYPE, TOKEN_EXCHANGE)
MOST_REDIRECT_URIS = 16
LONGEST_URI = 1000
LONGEST_TEXT = 80
# RFC 3986 section 2 without "#": a browser reads other characters, such as a backslash, in its own way
_URI = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")


def client_metadata(given: dict[str, Any], *, keys: bool) -> dict[str, Any]:
    """Give the metadata to register, with defaults for what is left out; what is not known here is ignored.

    ``keys``: whether a client may authenticate by keys. Raises the errors of RFC 7591 section 3.2.2.
    """
    given = {name: value for name, value in given.items() if value is not None}  # RFC 7592 section 2.2
    if "software_statement" in given:
        raise UnapprovedSoftwareStatementError("No software statement is accepted here.")
    grant_types = _words(given, "grant_types", ["authorization_code"])
    if not set(grant_types) <= set(GRANT_TYPES):
        raise InvalidClientMetadataError(f"grant_types may be: {' '.join(GRANT_TYPES)}.")
    uses_code = "authorization_code" in grant_types
    response_types = _words(given, "response_types", ["code"] if uses_code else [])
    if response_types != (["code"] if uses_code else []):
        raise InvalidClientMetadataError(
            "The grant authorization_code goes with the response type code alone."
        )
    texts = {name: _text(given, name) for name in ("software_id", "software_version")}
    scope = given.get("scope")
    if scope is not None and not (
        isinstance(scope, str) and scope.split() and set(scope.split()) <= set(SCOPES)
    ):
        raise InvalidClientMetadataError(f"The scopes are: {' '.join(SCOPES)}.")
    return {
        "client_name": _text(given, "client_name") or "A client without a name",
        "redirect_uris": _redirect_uris(given.get("redirect_uris", []), needed=uses_code),
        "grant_types": grant_types,
        "response_types": response_types,
        **_authentication(given, keys=keys),
        **({"scope": " ".join(dict.fromkeys(scope.split()))} if scope else {}),
        **{name: text for name, text in texts.items() if text},
    }


def _authentication(given: dict[str, Any], *, keys: bool) -> dict[str, Any]:
    """No secret, for a notebook can keep none (RFC 8252 section 8.4); keys where they are taken."""
    method = given.get("token_endpoint_auth_method", "none")
    if method == "none":
        return {"token_endpoint_auth_method": method}
    if method != "private_key_jwt" or not keys:
        known = "none or private_key_jwt" if keys else "none"
        raise InvalidClientMetadataError(f"Nobody gets a secret here: token_endpoint_auth_method is {known}.")
    try:
        return {"token_endpoint_auth_method": method, "jwks": client_keys(given.get("jwks"))}
    except ValueError as error:
        raise InvalidClientMetadataError(str(error)) from None


def _redirect_uris(uris: Any, *, needed: bool) -> list[str]:
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise InvalidRedirectURIError("redirect_uris is a list of addresses.")
    if len(uris) > MOST_REDIRECT_URIS or (needed and not uris):
        raise InvalidRedirectURIError(f"Register 1 to {MOST_REDIRECT_URIS} redirect URIs.")
    if not all(map(_is_redirect_uri, uris)):
        raise InvalidRedirectURIError(
            "A redirect URI is https, or http on 127.0.0.1, [::1] or localhost; without fragment, user or wildcard."
        )
    return uris


def _is_redirect_uri(uri: str) -> bool:
    """Whether it is exact and safe: RFC 9700 section 2.1, RFC 8252 section 7.3 for the loopback interface."""
    if not (_URI.fullmatch(uri) and len(uri) <= LONGEST_URI):
        return False
    try:
        parts = urlsplit(uri)
        port, host = parts.port, parts.hostname  # which raise ValueError for what is none
    except ValueError:
        return False
    if port == 0 or not host or "@" in parts.netloc or "*" in parts.netloc:
        return False
    return parts.scheme == "https" or is_loopback(uri)


def _words(given: dict[str, Any], name: str, default: list[str]) -> list[str]:
    words = given.get(name, default)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InvalidClientMetadataError(f"{name} is a list of texts.")
    return list(dict.fromkeys(words))


def _text(given: dict[str, Any], name: str) -> str:
    text = given.get(name, "")
    if not isinstance(text, str) or len(text) > LONGEST_TEXT or not text.isprintable():
        raise InvalidClientMetadataError(f"{name} is one line of at most {LONGEST_TEXT} letters.")
    return text.strip()
