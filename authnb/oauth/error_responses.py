"""Error responses of a provider, as exceptions with a remedy (RFC 6749 sections 4.1.2.1 and 5.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from authnb.errors import LoginFailed, ProviderError
from authnb.messages import N_, gettext
from authnb.transport.http import OVERLOADED, read_object, retry_after, text, without_secrets

if TYPE_CHECKING:
    from collections.abc import Collection

    import requests

_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY_REQUESTS, _SERVER_ERROR = 401, 403, 429, 500
_RETRY_STATUSES = {408, 425, 429}  # RFC 9110 section 15.5.9, RFC 8470 section 5.2, RFC 6585 section 4
_JWT = re.compile(r"eyJ[\w-]{12,}(?:\.[\w-]*)*")  # whole or in part: JSON in base64url (RFC 7515 section 3.1)
_POLL_ERRORS = {"authorization_pending", "slow_down", "expired_token"}  # RFC 8628 section 3.5

# The remedy for an error code (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5).
REMEDIES = {
    "access_denied": N_("Sign in again and allow it, if that was not meant."),
    "consent_required": N_("Sign in again and allow it, if that was not meant."),
    "expired_token": N_("The code was not entered in time. Sign in again for a new one."),
    "invalid_client": N_("Check client_id, and client_secret or client_key if the client has one."),
    "unauthorized_client": N_("The client is not registered for this way to sign in. Try another mode=."),
    "unsupported_grant_type": N_("The provider does not offer this way to sign in. Try another mode=."),
    "invalid_scope": N_("Ask for other scopes with scope=."),
    "invalid_grant": N_("Sign in again."),
    "invalid_request": N_("Check the client's registration, above all its redirect addresses."),
    "server_error": N_("The provider is in trouble. Try again later."),
    "temporarily_unavailable": N_("The provider is in trouble. Try again later."),
    # OpenID Connect Core Unmet Authentication Requirements 1.0, named by RFC 9470 section 5
    "unmet_authentication_requirements": N_(
        "The provider cannot sign you in as the API wants it; ask its people how."
    ),
    # RFC 9449 sections 8 and 5
    "use_dpop_nonce": N_(
        "It asks for yet another nonce each time, so nobody can sign in there with DPoP: tell the "
        "provider. Until then, dpop=False signs in without, if it allows that."
    ),
    "invalid_dpop_proof": N_(
        "It may be that this machine's clock is wrong: set it, as by timedatectl set-ntp true, and "
        "try again; else tell the provider. dpop=False signs in without such proofs, if it allows that."
    ),
    "unsupported_token_type": N_("That token ends when it expires."),  # RFC 7009 section 2.2.1
}
_NO_REMEDY = N_("Ask the provider what it means, or try again.")
_DECLINED_ONLY = N_("{operation} was declined. {remedy}")
_DECLINED_AND_SAYS = N_("{operation} was declined. It says: {description}. {remedy}")
_STATUS_ONLY = N_("{operation} failed: HTTP {status}. {remedy}")
_STATUS_AND_SAYS = N_("{operation} failed: HTTP {status}. It says: {description}. {remedy}")
_CODE_ONLY = N_("{operation} failed: the provider answered {code!r}. {remedy}")
_CODE_AND_SAYS = N_("{operation} failed: the provider answered {code!r}. It says: {description}. {remedy}")
# Nonstandard codes (GitHub's and Entra's device flows) and their equivalents
_ERROR_ALIASES = {
    "authorization_declined": "access_denied",
    "token_expired": "expired_token",
    "device_flow_disabled": "unauthorized_client",
    "incorrect_client_credentials": "invalid_client",
    "bad_verification_code": "invalid_grant",
}
_WITHOUT_CODE = {"invalid_response", "invalid_client"}  # of a response whose body names none
_KNOWN_CODES = {*REMEDIES, *_ERROR_ALIASES, *_POLL_ERRORS}
# Members of error responses in other forms than that of RFC 6749 section 5.2: RFC 9457, and those of some frameworks
_CODE_MEMBERS = ("code", "type", "message")
_DESCRIPTION_MEMBERS = (
    "error_description",
    "message",
    "detail",
    "description",
    "errorSummary",
    "error_message",
    "title",
)
# The codes by which providers say that the person declined
_DECLINED = {"access_denied", "consent_required", "interaction_required", "login_required"}


def oauth_error(
    operation: str, body: Mapping[str, Any], status: int = 400, secrets: Collection[str] = ()
) -> LoginFailed | ProviderError:
    """The exception for an OAuth error response, without any secret that the provider repeats in it."""
    named, description = _code_and_description(body, secrets)
    canonical = _ERROR_ALIASES.get(named or "", named)
    error = _error_code(canonical, status)
    described = description.rstrip(".")
    values = {
        "operation": operation,
        "status": status,
        "code": named,
        "description": described,
        "remedy": gettext(REMEDIES.get(error, _NO_REMEDY)),
    }
    if error in _DECLINED:
        return LoginFailed(error, gettext(_DECLINED_AND_SAYS if described else _DECLINED_ONLY, **values))
    if named is None or error != canonical:
        return ProviderError(error, gettext(_STATUS_AND_SAYS if described else _STATUS_ONLY, **values))
    return ProviderError(error, gettext(_CODE_AND_SAYS if described else _CODE_ONLY, **values))


def _code_and_description(body: Mapping[str, Any], secrets: Collection[str]) -> tuple[str | None, str]:
    """The error code and its description, also where they are in an object or have other names.

    Under another name a code counts only if it is a known one.
    """
    error = body.get("error")
    members = error if isinstance(error, Mapping) else body
    code = error if isinstance(error, str) and re.fullmatch(r"[\w.:/-]{1,80}", error, re.ASCII) else None
    if code is not None and without_secrets(code, secrets) != code:
        code = None
    if code is not None and code.lower() in _KNOWN_CODES:
        code = code.lower()  # some send them in capitals
    if code is None:
        others = [value for name in _CODE_MEMBERS if isinstance(value := members.get(name), str)]
        code = next((value for value in others if value in _KNOWN_CODES), None)
    descriptions = [text(members, name, secrets=secrets) for name in _DESCRIPTION_MEMBERS]
    if code is None:
        descriptions.append(text(body, "error", secrets=secrets))
    description = next((value for value in descriptions if value and value != code), "")
    # A client assertion is made for its request, and so in no list of secrets
    return code, _JWT.sub("…", description)


def _error_code(error: str | None, status: int) -> str:
    """The error code of a response: of its body, unless the status says that the server is overloaded or failed."""
    if status in _RETRY_STATUSES and error not in _POLL_ERRORS:
        return "temporarily_unavailable"
    if status >= _SERVER_ERROR and error not in {*REMEDIES, *_POLL_ERRORS}:
        return "temporarily_unavailable" if status in OVERLOADED else "server_error"
    if error is None:
        return "invalid_client" if status == _UNAUTHORIZED else "invalid_response"
    return error


def _is(response: requests.Response, media_type: str) -> bool:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower() == media_type


def read_oauth_error(
    response: requests.Response, operation: str, secrets: Collection[str] = ()
) -> LoginFailed | ProviderError:
    """The exception for an HTTP error response, whatever its body."""
    try:
        body = read_object(response, operation, any_encoding=True)
    except ProviderError:
        body = {"error_description": response.text} if _is(response, "text/plain") else {}
    status, wait = response.status_code, retry_after(response.headers)
    if status == _FORBIDDEN and wait is not None and _code_and_description(body, secrets)[0] is None:
        status = _TOO_MANY_REQUESTS  # a rate limit, as GitHub and gateways tell it
    error = oauth_error(operation, body, status, secrets)
    if not body and error.error in _WITHOUT_CODE and _is(response, "text/html"):
        error = ProviderError(
            error.error,
            gettext(
                "{operation} failed: HTTP {status} came back with a web page. A firewall or proxy on the way may have "
                "sent it: try again, or from another network; else ask the provider.",
                operation=operation,
                status=response.status_code,
            ),
        )
    if isinstance(error, ProviderError):
        error.retry_after, error.status = wait, status
    return error
