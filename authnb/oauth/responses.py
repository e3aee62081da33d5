"""Responses of a provider, validated and normalised once, where they enter.

The rest of authnb relies on it: ``interval`` is present, ``expires_in`` is a number, no parameter is repeated. A
response that cannot be used raises a `ProviderError` here.
"""

from __future__ import annotations

import hmac
import math
import time
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

from authlib.oauth2.rfc6749 import OAuth2Token

from authnb.errors import ProviderError
from authnb.oauth.error_responses import oauth_error, read_oauth_error
from authnb.transport.addresses import MAX_ADDRESS, is_readable_address, points_here_from
from authnb.transport.http import read_object, text, without_secrets
from authnb.transport.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import requests

    from authnb.oauth.dpop import DPoPKey
    from authnb.oauth.provider import Provider

_DPOP = "dpop"
_BEARER = {"bearer", "bearertoken"}  # RFC 6749 section 5.1: in any letter case; the latter is Apigee's
_SECRET_MEMBERS = ("access_token", "refresh_token", "id_token")
_HARMLESS_MEMBERS = (
    "token_type",
    "expires_in",
    "expires_at",
    "scope",
)  # RFC 6749 section 5.1; others may be secret
# Members of a token response that are normalised below, or that only authnb may write
_NORMALIZED_MEMBERS = {
    "refresh_token",
    "id_token",
    "scope",
    "token_type",
    "expires_in",
    "expires_at",
    "userinfo",
    "dpop_key",
    "issued_at",
    "signed_in_at",
    "refresh_token_expires_at",
    "refresh_token_extended",
    "authorization_expires_at",
}
# Members that state how long a refresh token can be used, or not be used: the name in
# draft-ietf-oauth-refresh-token-expiration; of GitHub, Google, Entra and others; of Keycloak; of Intuit
_REFRESH_LIFETIMES = (
    "refresh_token_timeout",
    "refresh_token_expires_in",
    "refresh_expires_in",
    "x_refresh_token_expires_in",
)
_CALLBACK_PARAMETERS = {"code", "state", "error", "error_description", "iss"}
_MAX_PARAMETERS = 100  # of a callback, foreign ones included
_MAX_LIFETIME = 10 * 365 * 86400  # seconds; a longer lifetime is cut to this
_MAX_USER_CODE = 40  # characters
_MIN_INTERVAL, _MAX_INTERVAL = 1.0, 60.0  # seconds between two device polls


class Authorization(str):
    """The value of an ``Authorization`` header, whose repr hides the token: HTTP clients show headers."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{self.partition(' ')[0]} …'"


class Token(OAuth2Token):
    """A token response (RFC 6749 section 5.1), an `OAuth2Token` of Authlib's whose repr shows no secret.

    ``expires_at`` is in seconds of the Unix epoch, by the provider's clock. ``userinfo``, where there was an
    ID token, holds its verified claims, under the name Authlib's framework clients use.

    ``dpop_key``: the key that the token is bound to, if it is (`authnb.oauth.dpop.DPoPKey`); its ``token_type`` is
    ``DPoP`` then (RFC 9449 section 5).

    Further members, in the unit of ``expires_at``: ``issued_at``; ``signed_in_at``, the first one's, once it was
    renewed; ``refresh_token_expires_at`` and ``authorization_expires_at``, where the provider states when the refresh
    token expires unless it is used, and when no renewal helps any more (None: never). ``refresh_token_extended``:
    whether the last renewal came with a later ``refresh_token_expires_at``.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        expires_at = params.get("expires_at")
        exact = isinstance(expires_at, float) and math.isfinite(expires_at)
        super().__init__(dict(params) if exact else params)
        if exact:  # Authlib cuts it to whole seconds, which a token that lives for a few cannot spare
            self["expires_at"] = expires_at

    def is_expired(self, leeway: float = 60) -> bool | None:
        """As in Authlib, also where ``expires_at`` is not in whole seconds."""
        if isinstance(expires_at := self.get("expires_at"), float):
            return expires_at - leeway < time.time()
        expired: bool | None = super().is_expired(leeway)  # type: ignore[arg-type] # the stub has int alone
        return expired

    def __repr__(self) -> str:
        shown = [
            f"{name}={value if isinstance(value, int | float) else repr(printable(value))}"
            for name in _HARMLESS_MEMBERS
            if (value := self.get(name)) is not None
        ]
        hidden = [f"{name}='…'" for name in _SECRET_MEMBERS if name in self]
        return f"Token({', '.join(hidden + shown)})"

    __str__ = __repr__
    __sentry_repr__ = __repr__  # Sentry copies the members of dicts from the variables of frames

    @property
    def authorization(self) -> Authorization:
        """The value of the ``Authorization`` header (RFC 6750 section 2.1, RFC 9449 section 7.1)."""
        return Authorization(f"{'Bearer' if self.dpop_key is None else 'DPoP'} {self['access_token']}")

    @property
    def dpop_key(self) -> DPoPKey | None:
        """The key that the token is bound to, with which each call has to be proven; None for a bearer token."""
        key: Any = self.get("dpop_key")
        bound: DPoPKey | None = key
        return bound

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError(
            "A token is not pickled: whoever has the pickle is signed in. Pickle the session instead."
        )

    def __copy__(self) -> Token:
        return Token(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Token:
        return Token(deepcopy(dict(self), memo))

    def without_refresh_token(self) -> Token:
        """A copy for where it must not be used."""
        return Token({name: value for name, value in self.items() if name != "refresh_token"})


@dataclass(frozen=True, kw_only=True)
class DeviceAuthorization:
    """A device authorization response (RFC 8628 section 3.2).

    ``interval`` and ``expires_in`` are in seconds, the latter from the response.
    """

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_in: float
    interval: float


@dataclass(frozen=True, kw_only=True)
class AuthorizationResponse:
    """The parameters of a callback with our ``state`` (RFC 6749 section 4.1.2)."""

    code: str | None = field(repr=False)
    error: str | None
    error_description: str | None
    iss: str | None

    @classmethod
    def parse(cls, query: str, state: str) -> AuthorizationResponse | None:
        """The response in a callback's query, or None if it does not carry this ``state``.

        None also for a query with one of its parameters repeated (RFC 6749 section 3.1). Other parameters are ignored.
        """
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        except ValueError:
            return None
        values = {name: value for name, value in pairs if name in _CALLBACK_PARAMETERS}
        if len(values) != sum(name in _CALLBACK_PARAMETERS for name, _ in pairs):
            return None
        # state alone decides whether the callback belongs to our request (RFC 6749 section 10.12)
        if not hmac.compare_digest(values.get("state", "").encode(), state.encode()):
            return None
        return cls(
            code=values.get("code") or None,
            error=values.get("error") or None,
            error_description=text(values, "error_description"),
            iss=values.get("iss") or None,
        )

    def check(self, provider: Provider) -> None:
        """Raise unless it holds a code from this provider.

        Raises `ProviderError` for another issuer (RFC 9207 section 2.4), `LoginFailed` if the person declined,
        `ProviderError` for any other error.
        """
        required = provider.authorization_response_iss_parameter_supported and self.error is None
        if self.iss not in {provider.issuer, *provider.quirks.issuers} and (required or self.iss is not None):
            named = f"names another issuer, {self.iss[:200]!r}" if self.iss else "names no issuer (iss)"
            raise ProviderError(
                "issuer_mismatch",
                f"The callback did not come from {provider.issuer}: it {named}. Nobody was signed in. Somebody may "
                f"have mixed up two providers on purpose; start again.{_slash_hint(self.iss, provider.issuer)}",
            )
        if self.error is not None:
            body = {"error": self.error, "error_description": self.error_description}
            raise oauth_error(f"Signing in at {provider.host}", body)
        if self.code is None:
            raise ProviderError(
                "invalid_response", f"{provider.host} sent the browser back without a code. Try again."
            )


def _slash_hint(iss: str | None, issuer: str) -> str:
    if iss is None or iss.rstrip("/") != issuer.rstrip("/"):
        return ""
    return (
        f" If the slash is the provider's own mistake, sign in with Provider.discover({issuer!r}, "
        f"quirks=Quirks(issuers=[{iss[:200]!r}]))."
    )


def read_token(
    response: requests.Response,
    operation: str,
    secrets: Collection[str] = (),
    now: float | None = None,
    dpop_key: DPoPKey | None = None,
    *,
    must_be_bound: bool = False,
) -> dict[str, Any]:
    """The members of a token response (RFC 6749 section 5.1), with ``expires_at``; raises for an error (section 5.2).

    ``now`` is the time at the provider, else this machine's. ``dpop_key``: that of the proof in the request, to which
    the token is bound if its type is ``DPoP`` (RFC 9449 section 5); ``must_be_bound``: whether any other is refused.
    """
    if not response.ok or not response.content:
        raise read_oauth_error(response, operation, secrets)
    body = read_object(response, operation, any_encoding=True)
    if body.get("error"):
        raise read_oauth_error(response, operation, secrets)
    access_token = body.get("access_token")
    if not isinstance(access_token, str) or not _is_token_text(access_token):
        # Azure AD B2C: learn.microsoft.com/azure/active-directory-b2c/access-tokens
        remedy = (
            "It holds an ID token: add a scope of the API to scope=." if "id_token" in body else "Try again."
        )
        raise ProviderError(
            "invalid_response", f"{operation} failed: the response holds no access_token. {remedy}"
        )
    secrets = [*secrets, *(str(body[name]) for name in _SECRET_MEMBERS if body.get(name))]
    token: dict[str, Any] = {k: v for k, v in body.items() if k not in _NORMALIZED_MEMBERS}
    token["token_type"] = "Bearer"  # noqa: S105 - a scheme, no secret
    if _is_bound(body.get("token_type", "Bearer"), operation, secrets, dpop_key, must_be_bound=must_be_bound):
        token |= {"token_type": "DPoP", "dpop_key": dpop_key}
    for name in ("refresh_token", "id_token"):
        if isinstance(body.get(name), str) and _is_token_text(body[name]):
            token[name] = body[name]
    if isinstance(scope := body.get("scope"), str | list):
        scope = scope if isinstance(scope, str) else " ".join(word for word in scope if isinstance(word, str))
        if scope.strip():
            token["scope"] = scope
    issued_at = time.time() if now is None else now
    token["issued_at"] = int(issued_at)
    lifetime = seconds_of(body.get("expires_in"))
    if lifetime:  # no token is issued expired: 0 or less means that the lifetime is unknown
        token["expires_in"] = int(lifetime)
        token["expires_at"] = issued_at + lifetime
    return token | _renewable_until(body, issued_at)


def _is_bound(
    token_type: Any,
    operation: str,
    secrets: Collection[str],
    dpop_key: DPoPKey | None,
    *,
    must_be_bound: bool,
) -> bool:
    """Whether a token of this type is bound to the key; raises `ProviderError` for one that cannot be used."""
    named = token_type.strip().lower() if isinstance(token_type, str) else ""
    if named == _DPOP and dpop_key is not None:
        return True
    shown = f"a token of type {without_secrets(str(token_type), secrets)[:40]!r} came back"
    if must_be_bound and named in _BEARER:
        raise ProviderError(
            "unsupported_token_type",
            f"{operation} failed: {shown}, which works for anybody who holds it, and one that is bound to this "
            "sign-in's key (DPoP, RFC 9449) was demanded. It is not used. Ask the provider to bind this client's "
            "tokens; or sign in with dpop=False.",
        )
    if named not in _BEARER:
        uses = "Bearer (RFC 6750)" if dpop_key is None else "DPoP (RFC 9449) and Bearer (RFC 6750)"
        remedy = " Sign in with dpop=True." if named == _DPOP else ""
        raise ProviderError(
            "unsupported_token_type", f"{operation} failed: {shown}; authnb uses {uses}.{remedy}"
        )
    return False


def _renewable_until(body: Mapping[str, Any], issued_at: float) -> dict[str, int | None]:
    """Until when the response states that the token can be renewed; see `Token`."""
    ends: dict[str, int | None] = {}
    stated = {
        "refresh_token_expires_at": _REFRESH_LIFETIMES,
        "authorization_expires_at": ("authorization_expires_in",),
    }
    for name, members in stated.items():
        lifetime = next((s for member in members if (s := seconds_of(body.get(member))) is not None), None)
        if lifetime is not None:  # Keycloak: 0 where there is no end
            ends[name] = int(issued_at + lifetime) if lifetime else None
    return ends


def read_device_authorization(
    response: requests.Response, operation: str, issuer: str, secrets: Collection[str] = ()
) -> DeviceAuthorization:
    """Read a device authorization response (RFC 8628 section 3.2) of this issuer; raises for an error.

    ``verification_uri_complete`` is dropped unless it is on the host that the person reads in ``verification_uri``.
    """
    if not response.ok or not response.content:
        raise read_oauth_error(response, operation, secrets)
    body = read_object(response, operation)
    if body.get("error"):
        raise read_oauth_error(response, operation, secrets)
    device_code, user_code = body.get("device_code"), body.get("user_code")
    # Google uses verification_url, the name in early drafts
    address = body.get("verification_uri") or body.get("verification_url")
    complete = body.get("verification_uri_complete")
    if not (isinstance(device_code, str) and device_code and _is_user_code(user_code)):
        raise ProviderError(
            "invalid_response", f"{operation} failed: the response lacks a readable code. Try again."
        )
    if not isinstance(address, str) or not is_readable_address(address):
        raise ProviderError(
            "invalid_response",
            f"{operation} failed: the address to open, {str(address or '')[:200]!a}, is not an https address in ASCII "
            f"of at most {MAX_ADDRESS} characters. Tell the provider.",
        )
    if points_here_from(issuer, address):
        raise ProviderError(
            "invalid_response",
            f"{operation} failed: the address to open, {address[:200]!a}, may be one on this machine, where a provider "
            "elsewhere has no business. Do not open it.",
        )
    if not is_readable_address(complete) or urlsplit(str(complete))[:2] != urlsplit(address)[:2]:
        complete = None
    interval = seconds_of(body.get("interval"))
    return DeviceAuthorization(
        device_code=device_code,
        user_code=str(user_code),
        verification_uri=address,
        verification_uri_complete=complete,
        expires_in=seconds_of(body.get("expires_in")) or 600.0,
        # RFC 8628 section 3.2: 5 seconds by default
        interval=5.0 if interval is None else min(max(interval, _MIN_INTERVAL), _MAX_INTERVAL),
    )


def seconds_of(value: object) -> float | None:
    """Seconds from a number or a numeric string, ten years at most, and 0 for less; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), float(_MAX_LIFETIME)) if math.isfinite(seconds) else None


def _is_token_text(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


def _is_user_code(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and 0 < len(value.strip()) <= _MAX_USER_CODE
