"""Error responses of a provider, as exceptions with a remedy (RFC 6749 sections 4.1.2.1 and 5.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from authnb.errors import LoginFailed, ProviderError
from authnb.transport.http import OVERLOADED, read_object, retry_after, text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import requests

_UNAUTHORIZED, _SERVER_ERROR = 401, 500
_RETRY_STATUSES = {408, 425, 429}  # RFC 9110 section 15.5.9, RFC 8470 section 5.2, RFC 6585 section 4
_POLL_ERRORS = {"authorization_pending", "slow_down", "expired_token"}  # RFC 8628 section 3.5

# The remedy for an error code (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5).
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
# Nonstandard codes (GitHub's and Entra's device flows) and their equivalents
_ERROR_ALIASES = {
    "authorization_declined": "access_denied",
    "token_expired": "expired_token",
    "device_flow_disabled": "unauthorized_client",
    "incorrect_client_credentials": "invalid_client",
    "bad_verification_code": "invalid_grant",
}
# The codes by which providers say that the person declined
_DECLINED = {"access_denied", "consent_required", "interaction_required", "login_required"}


def oauth_error(
    operation: str, body: Mapping[str, Any], status: int = 400, secrets: Collection[str] = ()
) -> LoginFailed | ProviderError:
    """The exception for an OAuth error response, without any secret that the provider repeats in it."""
    error = body.get("error")
    if not isinstance(error, str) or not re.fullmatch(r"[\w.:/-]{1,80}", error, re.ASCII):
        error = None
    named, canonical = error, _ERROR_ALIASES.get(error or "", error)
    error = _error_code(canonical, status)
    description = text(body, "error_description") or ""
    for secret in secrets:
        description = description.replace(secret, "…")
    remedy = _REMEDIES.get(error, "Ask the provider what it means, or try again.")
    if error in _DECLINED:
        return LoginFailed(error, f"{operation} was declined. {_sentence(description)}{remedy}")
    received = f"HTTP {status}" if named is None or error != canonical else f"the provider answered {named!r}"
    return ProviderError(error, f"{operation} failed: {received}. {_sentence(description)}{remedy}")


def _error_code(error: str | None, status: int) -> str:
    """The error code of a response: of its body, unless the status says that the server is overloaded or failed."""
    if status in _RETRY_STATUSES and error not in _POLL_ERRORS:
        return "temporarily_unavailable"
    if status >= _SERVER_ERROR and error not in {*_REMEDIES, *_POLL_ERRORS}:
        return "temporarily_unavailable" if status in OVERLOADED else "server_error"
    if error is None:
        return "invalid_client" if status == _UNAUTHORIZED else "invalid_response"
    return error


def _sentence(description: str) -> str:
    return f"It says: {description.rstrip('.')}. " if description else ""


def read_oauth_error(
    response: requests.Response, operation: str, secrets: Collection[str] = ()
) -> LoginFailed | ProviderError:
    """The exception for an HTTP error response, whatever its body."""
    try:
        body = read_object(response, operation)
    except ProviderError:
        body = {}
    error = oauth_error(operation, body, response.status_code, secrets)
    if isinstance(error, ProviderError):
        error.retry_after = retry_after(response.headers)
        error.status = response.status_code
    return error
