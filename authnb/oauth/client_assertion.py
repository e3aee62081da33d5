"""Client assertions: a client authenticates with its private key, `private_key_jwt` (RFC 7523 section 2.2).

OpenID Connect Core section 9, FAPI 2.0 Security Profile section 5.3.3.1.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from joserfc import jws, jwt

from authnb.errors import ProviderError, raises_without_frames
from authnb.oauth.client_auth import PRIVATE_KEY_JWT
from authnb.oauth.client_key import read_client_key

if TYPE_CHECKING:
    from pathlib import Path

    from authnb.oauth.client_key import ClientKey
    from authnb.oauth.provider import Provider

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LIFETIME = 60  # seconds
_EARLIER = 5  # seconds: by so much `Clock` may be ahead of the provider's, some of which allow no difference


class KeyClient(Protocol):
    """What an assertion needs of `authnb.oauth.client.Client`."""

    @property
    def provider(self) -> Provider:
        """Where it is registered."""

    @property
    def client_id(self) -> str:
        """Its identifier (RFC 6749 section 2.2)."""

    @property
    def client_key(self) -> Path | None:
        """The file with its private key."""

    @property
    def token_endpoint_auth_method(self) -> str | None:
        """The method that the caller chose."""


class _Registry(jws.JWSRegistry):
    def get_alg(self, name: str) -> Any:
        """The algorithm, which fits the key; without joserfc's warning for EdDSA, which FAPI 2.0 allows."""
        return self.algorithms[name]


def client_assertion(client: KeyClient) -> str:
    """A JWT that authenticates the client at its provider for a minute, once (RFC 7523 section 3).

    Its audience is the issuer, as a string (FAPI 2.0 Security Profile section 5.3.3.1): an assertion for the URL of an
    endpoint could be had by another provider, which names that URL in its metadata. Raises `StorageError` if the key
    cannot be used, and `ProviderError` if the provider takes no signature of it.
    """
    path, provider = client.client_key, client.provider
    if path is None:
        raise ValueError("private_key_jwt takes a key: give client_key=, the path of its file.")
    return _signed(client.client_id, provider, path)


@raises_without_frames
def _signed(client_id: str, provider: Provider, path: Path) -> str:
    key = read_client_key(path)
    algorithm = _algorithm(key, path, provider)
    issued_at = int(provider.clock.now()) - _EARLIER
    audience = provider.token_endpoint if provider.quirks.token_endpoint_audience else None
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience or provider.issuer,
        "jti": secrets.token_urlsafe(24),
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + _LIFETIME,
    }
    return jwt.encode({"alg": algorithm, **key.header}, claims, key.key, registry=_Registry())


def sign_private_key_jwt(client: KeyClient, uri: str, headers: dict[str, str], body: Any) -> Any:
    """A request with a client assertion (RFC 7521 section 4.2), in the form that Authlib takes it.

    ``client_id`` is in it too, as some servers look for the client by that alone.
    """
    more = {
        "client_id": client.client_id,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": client_assertion(client),
    }
    return uri, headers, f"{body}&{urlencode(more)}" if body else urlencode(more)


def check_client_key(client: KeyClient) -> str:
    """What kind of key the client has. Raises as `client_assertion`, and if the provider takes no assertions."""
    path, provider = client.client_key, client.provider
    if path is None:
        return ""
    methods = provider.token_endpoint_auth_methods_supported
    if methods and PRIVATE_KEY_JWT not in {*methods, client.token_endpoint_auth_method}:
        raise ProviderError(
            "invalid_client_key",
            f"{provider.host} authenticates clients by {', '.join(methods)}, as its metadata say, and not by a key. "
            "Leave client_key= and AUTHNB_CLIENT_KEY_FILE out; or give "
            f"token_endpoint_auth_method={PRIVATE_KEY_JWT!r} if you know that it does.",
        )
    key = read_client_key(path)
    return f"{key.kind}: {_algorithm(key, path, provider)}"


def _algorithm(key: ClientKey, path: Path, provider: Provider) -> str:
    """The best algorithm of the key that the provider takes (FAPI 2.0 Security Profile section 5.4.1)."""
    listed = provider.token_endpoint_auth_signing_alg_values_supported
    if not listed:
        return key.default
    found = next((each for each in key.algorithms if each in listed), None)
    if found is None:
        raise ProviderError(
            "invalid_client_key",
            f"The key file {path} was not used: {provider.host} takes signatures by {', '.join(listed)}, and its key "
            f"({key.kind}) signs with {', '.join(key.algorithms)}. Register another key there, and name its file.",
        )
    return found
