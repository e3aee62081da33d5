"""What each message of a recording is called and says, by the kind of its exchange."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authnb.recording.known import endpoint_of
from authnb.recording.replay_texts import (
    API_FAILS,
    ERRORS,
    NOT_REFUSED,
    PROVIDER_FAILS,
    REFUSED,
    REQUESTS,
    RESPONSES,
    STATUS,
)
from authnb.transport.exchange import HTTPExchange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from authnb.recording.redact import Exchange, Value

_GRANTS = {
    "authorization_code": "code_grant",
    "refresh_token": "refresh_grant",
    "client_credentials": "client_grant",
    "urn:ietf:params:oauth:grant-type:device_code": "device_grant",
    "urn:ietf:params:oauth:grant-type:token-exchange": "exchange_grant",
}
_CHALLENGED = re.compile(r'\berror="?(\w{1,40})')
# Of a redirect URI that is not accepted (RFC 9126 section 2.3), and the statuses of a refusal without a redirect
_INVALID = {"invalid_request", "invalid_redirect_uri"}
_REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True, kw_only=True)
class Message:
    """The title of a message and one sentence on what happens and why."""

    title: str
    says: str


def named(values: Sequence[Value]) -> dict[str, str]:
    """What is shown of parameters, by name."""
    return {value.name: value.shown for value in values}


def kinds_of(exchanges: Sequence[Exchange]) -> tuple[str, ...]:
    """The kind of each exchange, finer than its endpoint: which page, which grant."""
    kinds: list[str] = []
    under_way: set[str] = set()  # the parameters of an authorization request that no callback has followed
    for exchange in exchanges:
        kind, names = _kind_of(exchange), named(exchange.sent).keys()
        if kind == "callback":
            under_way = set()
        elif kind == "authorization" and "Cookie" in names and names - {"Cookie"} <= under_way:
            kind = "consent_page"  # the browser comes back to the same request, signed in now
        elif kind == "authorization":
            under_way = {*names}
        kinds.append(kind)
    return tuple(kinds)


def _kind_of(exchange: Exchange) -> str:
    sent, received = named(exchange.sent), named(exchange.received)
    path = urlsplit(exchange.address).path.lower()
    if "/.well-known/oauth-protected-resource" in path:
        return "resource_metadata"
    if exchange.receiver == "API":
        return "api"
    if exchange.sender == "browser":
        return "callback" if exchange.receiver == "client" else _page(exchange.method, path, sent)
    plain = HTTPExchange(sender=exchange.sender, method=exchange.method, url=exchange.address)
    endpoint = endpoint_of(plain, exchange.receiver, sent, received) or "unknown"
    checks = endpoint in {"authorization", "pushed_authorization_request"} and sent.get("prompt") == "none"
    rules = (
        (endpoint == "token", _GRANTS.get(sent.get("grant_type", ""), "other_grant")),
        (checks, "redirect_check"),
        (endpoint == "authorization", "unknown"),  # by hand, without a browser
        # Called without a token, an API says how it wants one (RFC 6750 section 3)
        (endpoint == "unknown" and "WWW-Authenticate" in received, "api"),
    )
    return next((kind for applies, kind in rules if applies), endpoint)


def _page(method: str, path: str, sent: Mapping[str, str]) -> str:
    """What the browser does at the provider."""
    words = {*re.split(r"[^a-z]+", path)}
    posted = method == "POST"
    rules = (
        (posted and any("password_" in name for name in sent), "sign_up"),
        (posted and any("password" in name for name in sent), "password"),
        (posted and ("decision" in sent or "consent" in words), "decision"),
        (posted, "form"),
        ("response_type" in sent or "request_uri" in sent, "authorization"),
        (words & {"logout", "endsession", "signout"}, "logout"),
        ("user_code" in sent or "device" in words, "device_page"),
        (words & {"signup", "register", "join"}, "sign_up_page"),
        (words & {"login", "signin", "authenticate"}, "sign_in_page"),
    )
    return next((kind for applies, kind in rules if applies), "page")


def request_of(exchange: Exchange, kind: str) -> Message:
    """The request of an exchange, in words."""
    title, says = REQUESTS.get(kind, REQUESTS["unknown"])
    sent = named(exchange.sent)
    if kind == "callback" and "error" in sent:
        says = f"The redirect leads your browser to the notebook, with an error in place of a code. {_error(sent)}"
    elif kind == "callback" and "state" in sent:
        says = f"{says} It compares the state with the one that it sent."
    elif kind == "code_grant" and "code_verifier" not in sent:
        says = "The notebook asks the provider directly, past the browser. Without PKCE, anybody with the code could."
    elif kind == "authorization" and "request_uri" in sent:
        says = "The address holds only a reference: what is asked for went to the provider before, past the browser."
    elif kind == "api":
        says = _api_request(sent)
    return Message(title=title, says=says)


def _api_request(sent: Mapping[str, str]) -> str:
    scheme = sent.get("Authorization", "").partition(" ")[0].lower()
    if scheme == "dpop":
        return (
            "The notebook sends the access token, and a proof that it has the key that the token is bound to."
        )
    if scheme == "bearer":
        return "The notebook sends the access token: whoever holds it is served."
    return "The notebook asks the API for data; the recording shows no token in this request."


def response_of(exchange: Exchange, kind: str) -> Message:
    """The response of an exchange, in words."""
    received = named(exchange.received)
    if exchange.error is not None:
        return Message(title="No usable answer", says=f"The request failed ({exchange.error}).")
    if kind == "redirect_check":
        return _checked(exchange)
    if exchange.sender == "browser" and {"Location", "error"} <= received.keys():
        return Message(
            title="The provider sends your browser back with an error",
            says=f"The redirect carries an error in place of a code. {_error(received)}",
        )
    if exchange.sender == "browser" and {"Location", "code"} <= received.keys():
        return Message(
            title="The provider sends your browser back with a code",
            says="The tokens do not travel through the browser: the redirect carries a code, which the notebook "
            "exchanges for them, once and soon.",
        )
    if kind == "api" and (challenge := _CHALLENGED.search(received.get("WWW-Authenticate", ""))):
        received["error"] = challenge[1]
    if "error" in received:
        title = NOT_REFUSED.get(received["error"], REFUSED.format(error=received["error"]))
        return Message(title=title, says=_error(received))
    return _by_status(exchange, kind)


def _checked(exchange: Exchange) -> Message:
    """What the check of a redirect URI showed, as `authnb.flows.inbox.accepts_redirect` reads it."""
    sent, received = named(exchange.sent), named(exchange.received)
    redirected = re.split(r"[?#]", received.get("Location", ""))[0]
    if "request_uri" in received:
        outcome = "redirect_kept"
    elif redirected:
        outcome = "redirect_accepted" if redirected == sent["redirect_uri"] else "redirect_open"
    elif received.get("error") in _INVALID or ("error" not in received and exchange.status in _REFUSED):
        outcome = "redirect_refused"
    else:
        outcome = "redirect_open"
    title, says = RESPONSES[outcome]
    return Message(title=title, says=says)


def _by_status(exchange: Exchange, kind: str) -> Message:
    status = exchange.status
    if kind == "api" and status == HTTPStatus.UNAUTHORIZED:
        return Message(
            title="The API asks for a token",
            says="The API does not answer without an access token that is good here, and says so in its challenge.",
        )
    if kind == "api" and status == HTTPStatus.FORBIDDEN:
        return Message(title="The API refuses", says="The token does not allow this.")
    if status is not None and status >= HTTPStatus.BAD_REQUEST:
        says = API_FAILS if kind == "api" else PROVIDER_FAILS
        return Message(title=STATUS.format(status=status), says=says)
    title, says = RESPONSES.get(kind, RESPONSES["unknown"])
    if kind == "code_grant" and "code_verifier" not in named(exchange.sent):
        says = "The code is good: the tokens go to the notebook itself, and the browser never sees them."
    return Message(title=title, says=says)


def _error(values: Mapping[str, str]) -> str:
    return ERRORS.get(values["error"], "The provider refuses, with an error code of its own.")
