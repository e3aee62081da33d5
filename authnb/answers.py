"""What a provider answers, read once, at the door: checked, normalised, frozen.

Behind this module nobody asks again whether ``interval`` was there, ``expires_in`` was a number or a code
came twice. What cannot be used becomes a `ProviderError` here.
"""

from __future__ import annotations

import hmac
import math
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import OAuth2Token

from authnb.errors import LoginFailed, ProviderError
from authnb.transport import is_secure, read_object, text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import requests

    from authnb.provider import Provider

_SECRET_MEMBERS = {"access_token", "refresh_token", "id_token"}
# Members of a token answer that are normalised, or are ours alone to write
_READ_APART = {"refresh_token", "id_token", "scope", "token_type", "expires_in", "expires_at", "userinfo"}
_UNAUTHORIZED, _SERVER_ERROR = 401, 500
_LONGEST_LIFE = 10 * 365 * 86400  # seconds; more is taken for this
_SHORTEST_INTERVAL, _LONGEST_INTERVAL = 1.0, 60.0  # seconds between two device polls

# What a person can do about an error code (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5).
_REMEDIES = {
    "access_denied": "Sign in again and allow it, if that was not meant.",
    "consent_required": "Sign in again and allow it, if that was not meant.",
    "expired_token": "The code was not entered in time. Sign in again for a new one.",
    "invalid_client": "Check client_id, and client_secret if the client has one.",
    "unauthorized_client": "The client is not registered for this way to sign in. Try another mode=.",
    "unsupported_grant_type": "The provider does not offer this way to sign in. Try another mode=.",
    "invalid_scope": "Ask for other scopes with scope=.",
    "invalid_grant": "Sign in again.",
    "invalid_request": "Check the client's registration, above all its redirect addresses.",
    "server_error": "The provider is in trouble. Try again later.",
    "temporarily_unavailable": "The provider is in trouble. Try again later.",
}
# The same in words of their own (GitHub's and Entra's device flows)
_OTHER_WORDS = {
    "authorization_declined": "access_denied",
    "token_expired": "expired_token",
    "device_flow_disabled": "unauthorized_client",
    "incorrect_client_credentials": "invalid_client",
    "bad_verification_code": "invalid_grant",
}
# A person's no, in the words of several providers
_DECLINED = {"access_denied", "consent_required", "interaction_required", "login_required"}


class Token(OAuth2Token):
    """A token answer (RFC 6749 section 5.1) as Authlib knows it, with a repr that tells no secret.

    ``expires_at`` is in seconds of the Unix epoch, by the provider's clock. ``userinfo``, where there was an
    ID token, holds its verified claims, under the name Authlib's framework clients use.
    """

    def __repr__(self) -> str:
        hidden = {k for k, v in self.items() if k in _SECRET_MEMBERS or isinstance(v, list | dict)}
        shown = {k: "…" if k in hidden else v for k, v in self.items() if k != "userinfo"}
        return f"Token({', '.join(f'{k}={v!r}' for k, v in shown.items())})"

    __str__ = __repr__


@dataclass(frozen=True, kw_only=True)
class DeviceAuthorization:
    """A device authorization answer (RFC 8628 section 3.2).

    ``interval`` is in seconds; ``expires_in`` too, counted from the answer.
    """

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_in: float
    interval: float


@dataclass(frozen=True, kw_only=True)
class AuthorizationResponse:
    """What came back to the redirect URI for our state (RFC 6749 section 4.1.2)."""

    code: str | None = field(repr=False)
    error: str | None
    error_description: str | None
    iss: str | None

    @classmethod
    def parse(cls, query: str, state: str) -> AuthorizationResponse | None:
        """The response in a query, or None if it is not the answer to the request with this state.

        A parameter that comes twice makes it none (RFC 6749 section 3.1).
        """
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=20)
        except ValueError:
            return None
        values = dict(pairs)
        if len(values) != len(pairs):
            return None
        # Ours or not is decided by state alone (RFC 6749 section 10.12)
        if not hmac.compare_digest(values.get("state", "").encode(), state.encode()):
            return None
        return cls(
            code=values.get("code") or None,
            error=values.get("error"),
            error_description=text(values, "error_description"),
            iss=values.get("iss"),
        )

    def check(self, provider: Provider) -> None:
        """Raise unless it holds a code from this provider.

        Raises `ProviderError` for another issuer's answer (RFC 9207 section 2.4), `LoginFailed` for a
        person's no, `ProviderError` for any other error.
        """
        required = provider.authorization_response_iss_parameter_supported and self.error is None
        if self.iss != provider.issuer and (required or self.iss is not None):
            raise ProviderError(
                "issuer_mismatch",
                f"The answer did not come from {provider.host} but from {str(self.iss)[:200]!r}. Nobody was "
                "signed in. Somebody may have mixed up two providers on purpose; start again.",
            )
        if self.error is not None:
            answer = {"error": self.error, "error_description": self.error_description}
            raise refusal(f"Signing in at {provider.host}", answer)
        if self.code is None:
            raise ProviderError(
                "invalid_response", f"{provider.host} sent the browser back without a code. Try again."
            )


def refusal(
    what: str, answer: Mapping[str, Any], status: int = 400, secrets: Collection[str] = ()
) -> LoginFailed | ProviderError:
    """The error for an answer that says no, never repeating a secret that the provider repeats."""
    error = answer.get("error")
    if not isinstance(error, str) or not re.fullmatch(r"[\w.:/-]{1,80}", error, re.ASCII):
        error = _unnamed(status)
    named, error = error, _OTHER_WORDS.get(error, error)
    said = text(answer, "error_description") or ""
    for secret in secrets:
        said = said.replace(secret, "…")
    remedy = _REMEDIES.get(error, "Ask the provider what it means, or try again.")
    if error in _DECLINED:
        return LoginFailed(error, f"{what} was declined. {_sentence(said)}{remedy}")
    came = f"HTTP {status}" if error == "invalid_response" else f"the provider answered {named!r}"
    return ProviderError(error, f"{what} failed: {came}. {_sentence(said)}{remedy}")


def _unnamed(status: int) -> str:
    if status == _UNAUTHORIZED:
        return "invalid_client"
    return "server_error" if status >= _SERVER_ERROR else "invalid_response"


def _sentence(said: str) -> str:
    return f"It says: {said.rstrip('.')}. " if said else ""


def read_refusal(
    response: requests.Response, what: str, secrets: Collection[str] = ()
) -> LoginFailed | ProviderError:
    """The error for an HTTP answer that says no, whatever its body."""
    try:
        answer = read_object(response, what)
    except ProviderError:
        answer = {}
    return refusal(what, answer, response.status_code, secrets)


def read_token(
    response: requests.Response, what: str, secrets: Collection[str] = (), now: float | None = None
) -> dict[str, Any]:
    """A token answer (RFC 6749 section 5.1) with ``expires_at`` made absolute, or an error (section 5.2).

    ``now`` is the time at the provider, else this machine's.
    """
    if response.status_code >= _SERVER_ERROR or not response.content:
        raise read_refusal(response, what, secrets)
    answer = read_object(response, what)
    if "error" in answer or not response.ok:
        raise refusal(what, answer, response.status_code, secrets)
    access_token = answer.get("access_token")
    if not isinstance(access_token, str) or not access_token.isascii() or not _is_one_word(access_token):
        raise ProviderError(
            "invalid_response", f"{what} failed: the answer holds no access_token. Try again."
        )
    token_type = answer.get("token_type", "Bearer")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise ProviderError(
            "unsupported_token_type",
            f"{what} failed: a token of type {str(token_type)[:40]!r} came back; authnb uses Bearer (RFC 6750).",
        )
    token: dict[str, Any] = {k: v for k, v in answer.items() if k not in _READ_APART}
    token["token_type"] = "Bearer"  # noqa: S105 - a scheme, no secret
    for name in ("refresh_token", "id_token"):
        if isinstance(answer.get(name), str) and _is_one_word(answer[name]):
            token[name] = answer[name]
    if isinstance(scope := answer.get("scope"), str | list):
        token["scope"] = scope if isinstance(scope, str) else " ".join(map(str, scope))
    lifetime = _seconds(answer.get("expires_in"))
    if lifetime is not None:
        token["expires_in"] = int(lifetime)
        token["expires_at"] = int((time.time() if now is None else now) + lifetime)
    return token


def read_device_authorization(response: requests.Response, what: str) -> DeviceAuthorization:
    """A device authorization answer (RFC 8628 section 3.2), or an error."""
    if not response.ok or not response.content:
        raise read_refusal(response, what)
    answer = read_object(response, what)
    if "error" in answer:
        raise refusal(what, answer, response.status_code)
    device_code, user_code = answer.get("device_code"), answer.get("user_code")
    # Google says verification_url, as the drafts did
    address = answer.get("verification_uri", answer.get("verification_url"))
    complete = answer.get("verification_uri_complete")
    if not (isinstance(device_code, str) and device_code and _is_user_code(user_code)):
        raise ProviderError(
            "invalid_response", f"{what} failed: the answer lacks a readable code. Try again."
        )
    if not isinstance(address, str) or not is_secure(address):
        raise ProviderError(
            "invalid_response",
            f"{what} failed: the address to open, {str(address)[:200]!r}, is not an https address.",
        )
    interval = _seconds(answer.get("interval"))
    return DeviceAuthorization(
        device_code=device_code,
        user_code=str(user_code),
        verification_uri=address,
        verification_uri_complete=complete if isinstance(complete, str) and is_secure(complete) else None,
        expires_in=_seconds(answer.get("expires_in")) or 600.0,
        # RFC 8628 section 3.2: without one, 5 seconds
        interval=5.0 if interval is None else min(max(interval, _SHORTEST_INTERVAL), _LONGEST_INTERVAL),
    )


def _seconds(value: object) -> float | None:
    """A duration, from a number or a string with one; None where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), float(_LONGEST_LIFE)) if math.isfinite(seconds) else None


def _is_one_word(value: str) -> bool:
    return bool(value) and value.isprintable() and " " not in value


def _is_user_code(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and 0 < len(value.strip()) <= 40  # noqa: PLR2004
