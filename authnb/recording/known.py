"""What a recording may show: a value is shown only at an endpoint and under a name where its type is known.

Redaction that looks for what seems secret misses what it does not suspect; everything not listed here is hidden.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authnb.recording.explain import EXPLANATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from authnb.transport.exchange import HTTPExchange

_WORD = re.compile(r"[\w.:/+*;=-]{1,100}", re.ASCII)
# Of challenges (RFC 6750 section 3.1, RFC 9449 sections 7.1 and 9, RFC 9470 section 3)
CHALLENGES = (
    "invalid_request",
    "invalid_token",
    "insufficient_scope",
    "insufficient_user_authentication",
    "invalid_dpop_proof",
    "use_dpop_nonce",
)
_SENTENCE = re.compile(r"(?:[A-Za-z'\"(),.:;_-]{1,24}|\[…\])(?: (?:[A-Za-z'\"(),.:;_-]{1,24}|\[…\]))*")
_HEADER = re.compile(r"[ -~]{1,200}")
_NUMBER = re.compile(r"[0-9]{1,12}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and bool(_NUMBER.fullmatch(value)))


def _is_words(value: Any) -> bool:
    words = value.split() if isinstance(value, str) else value
    return isinstance(words, list) and all(isinstance(w, str) and bool(_WORD.fullmatch(w)) for w in words)


def _is_address(value: Any) -> bool:
    """An address without user name, query or fragment, in which a secret could be."""
    return _is_words(value) and isinstance(value, str) and not set("@?#") & set(value)


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))


_TYPES: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(
        ("expires_in", "interval", "max_age", "exp", "iat", "nbf", "auth_time", "Retry-After"), _is_number
    ),
    **dict.fromkeys(
        ("redirect_uri", "verification_uri", "iss", "issuer", "service_documentation"), _is_address
    ),
    "resource": _is_address,
    **dict.fromkeys(("error_description", "client_name"), _matches(_SENTENCE)),
    **dict.fromkeys(
        (
            "authorization_response_iss_parameter_supported",
            "require_pushed_authorization_requests",
            "dpop_bound_access_tokens_required",
        ),
        lambda value: isinstance(value, bool),
    ),
    "Content-Type": _matches(_HEADER),
    "Cache-Control": _matches(_HEADER),
    "Location": lambda value: isinstance(value, str),  # shown without its query and fragment
}
_HEADERS = {"Content-Type", "Cache-Control", "Retry-After", "Location"}
_ERROR = {"error", "error_description"}
_REQUEST = {
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "code_challenge_method",
    "prompt",
    "max_age",
    "response_mode",
    "resource",
}
_REGISTRATION = {
    "client_name",
    "software_id",
    "software_version",
    "redirect_uris",
    "grant_types",
    "response_types",
    "token_endpoint_auth_method",
    "scope",
    "client_id",
}
_METADATA = {
    name
    for name, explanation in EXPLANATIONS.items()
    if explanation.public
    and name.endswith(
        ("_endpoint", "_supported", "_required", "_requests", "_documentation", "issuer", "jwks_uri")
    )
}
_ASSERTION = {"client_assertion_type"}  # its value is a constant (RFC 7523 section 2.2)
_NAMES: dict[str, set[str]] = {
    "metadata": _METADATA | _ERROR | {"resource", "authorization_servers"},
    "registration": _REGISTRATION | _ERROR,
    "authorization": _REQUEST | _ERROR | {"iss"},
    "pushed_authorization_request": _REQUEST | _ERROR | {"expires_in"} | _ASSERTION,
    "callback": _ERROR | {"iss"},
    "token": _ERROR
    | {"resource", "grant_type", "client_id", "redirect_uri", "scope", "token_type", "expires_in"}
    | _ASSERTION,
    "device_authorization": _ERROR
    | {"resource", "client_id", "scope", "verification_uri", "expires_in", "interval"}
    | _ASSERTION,
    "revoke": _ERROR | {"client_id", "token_type_hint"} | _ASSERTION,
    "userinfo": _ERROR,
    "jwks": _ERROR,
    "id_token": {"aud", "azp", "exp", "iat", "auth_time", "typ", "alg", "iss"},
    "proof": {"typ", "alg", "htm", "iat"},
    "assertion": {"typ", "alg", "iss", "aud", "exp", "nbf", "iat"},
}
# All that authnb's own check of a redirect URI may hold (OpenID Connect Core section 3.1.2.1)
_CHECK = {
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "prompt",
    "code_challenge",
    "code_challenge_method",
}
_CHECKED = {"response_type", "client_id", "redirect_uri", "prompt"}
_PUSHED = {"response_type", "client_id", "redirect_uri", "state", "code_challenge"}
_DEVICE_REQUEST = {
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "scope",
    "audience",
    "resource",
    "Authorization",
}


def endpoint_of(
    exchange: HTTPExchange, receiver: str, sent: Collection[str], received: Collection[str]
) -> str | None:
    """The endpoint of an exchange, from the names of its parameters; None for an API or an unknown endpoint."""
    path = urlsplit(exchange.url).path
    last = path.rstrip("/").rpartition("/")[2]
    parameters = {*sent} - _HEADERS
    rules = (
        (receiver == "API", None),
        (receiver == "client", "callback"),
        (exchange.sender == "browser", "authorization"),
        ("/.well-known/" in path, "metadata"),
        (exchange.method == "GET" and _CHECKED <= parameters <= _CHECK, "authorization"),
        ("grant_type" in sent, "token"),
        (exchange.method == "POST" and parameters >= _PUSHED, "pushed_authorization_request"),
        (exchange.method == "POST" and {"redirect_uris", "grant_types"} <= parameters, "registration"),
        (
            exchange.method == "POST" and {"client_id"} <= parameters <= _DEVICE_REQUEST,
            "device_authorization",
        ),
        ("token" in sent, "revoke"),
        ("keys" in received, "jwks"),
        (last in _NAMES, last),
    )
    return next((endpoint for applies, endpoint in rules if applies), None)


def may_be_shown(endpoint: str, name: str, value: Any) -> bool:
    """Whether this value is expected under this name at this endpoint."""
    if name not in _NAMES[endpoint] | _HEADERS:
        return False
    return is_of_its_type(name, value)


def is_of_its_type(name: str, value: Any) -> bool:
    """Whether this value is of the type expected under this name."""
    default = _is_address if name.endswith(("_endpoint", "_uri")) else _is_words
    return _TYPES.get(name, default)(value)
