"""Receiving a callback where the browser cannot reach the loopback listener.

``page``: a static page of the person's Jupyter server passes the callback to the panel. ``paste``: the person
copies the URL from the browser's address bar. Either way an `Inbox` takes the callback's URL. ``proxy``:
jupyter-server-proxy forwards the request to the loopback listener.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from authlib.common.security import generate_token
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from authnb.errors import LoginFailed, ProviderError
from authnb.messages import gettext
from authnb.oauth.pushed_request import push
from authnb.oauth.responses import AuthorizationResponse
from authnb.transport.exchange import HTTPExchange, notify
from authnb.transport.failures import provider_errors
from authnb.transport.http import RedirectReadingAdapter, provider_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from authnb.oauth.client import Client

# RFC 9126 section 2.3, and as servers say it that take it from RFC 7591 section 3.2.2
_INVALID_REDIRECT_URI = {"invalid_request", "invalid_redirect_uri"}
_REFUSAL_STATUSES = {400, 403}  # of an authorization request that is refused without a redirect
_MAX_LENGTH = 16_384  # characters of a callback's URL


class Inbox:
    """Takes the callback of one authorization request, as a URL.

    ``notify`` is called when it has arrived. A URL is accepted if it begins with the redirect URI, or with the page to
    which that redirects, and carries the request's ``state``; only the first is. ``address_used``: whether the address
    of the request may be used up, as the person came back from it.
    """

    def __init__(self, notify: Callable[[], None] = lambda: None) -> None:
        self.notify = notify
        self._lock = threading.Lock()
        self.address_used: bool = False
        self.redirect_uri: str | None = None  # of the authorization request
        self._final_page: str | None = None
        self._state = ""
        self._answer: AuthorizationResponse | None = None

    def expect(self, redirect_uri: str, state: str, final_page: str | None = None) -> None:
        """Accept the callback with this ``state``; ``final_page``: the page to which the redirect URI redirects."""
        self.redirect_uri, self._state, self._final_page = redirect_uri, state, final_page

    def submit(self, address: str) -> None:
        """Take the URL a browser ended on; raises `LoginFailed` if it is not the expected callback."""
        if self.redirect_uri is None:
            raise LoginFailed(
                "invalid_request",
                gettext("This sign-in has no callback: it waits for a code to be entered."),
            )
        address = address.strip()
        # OAuth 2.0 Multiple Response Type Encoding Practices section 2.1: a fragment may carry the parameters
        separator = "#" if "#" in address.partition("?")[0] else "?"
        target, _, query = address.partition(separator)
        if target not in _spellings(self.redirect_uri) | _spellings(self._final_page) or not query:
            raise LoginFailed(
                "invalid_request",
                gettext(
                    "This is not the address your browser ended on: that one begins with {redirect_uri}",
                    redirect_uri=self.redirect_uri,
                ),
            )
        response = (
            AuthorizationResponse.parse(query.partition("#")[0], self._state)
            if len(address) < _MAX_LENGTH
            else None
        )
        with self._lock:
            if response is None or self._answer is not None:
                raise LoginFailed(
                    "invalid_request",
                    gettext(
                        "This address belongs to another sign-in, or was used before. Open the sign-in page again."
                    ),
                )
            self._answer = response
        notify(HTTPExchange(sender="browser", method="GET", url=f"{target}?{query}", status=200))
        self.notify()

    def answer(self) -> AuthorizationResponse | None:
        """The callback's response, if it has arrived."""
        return self._answer


def _spellings(uri: str | None) -> set[str]:
    """A URI as a browser's address bar may have it: without its scheme, or with https in place of http."""
    if uri is None:
        return set()
    scheme, _, rest = uri.partition("://")
    return {uri, rest, f"https://{rest}"} if scheme == "http" else {uri, rest}


def accepts_redirect(client: Client, redirect_uri: str) -> bool | None:
    """Whether the provider accepts this redirect URI; None if it does not say so without a person.

    A request with ``prompt=none`` is answered with an error: redirected to the redirect URI (OpenID Connect Core
    section 3.1.2.6) or, if that is not registered, without a redirect (RFC 6749 section 3.1.2.4). Where requests are
    pushed, the endpoint for that checks it (RFC 9126 section 2.1).
    """
    endpoint = client.provider.require_endpoint("authorization_endpoint", "Try mode='device'.")
    query = prepare_grant_uri(
        "",
        client.client_id,
        "code",
        redirect_uri,
        client.scope,
        generate_token(43),
        prompt="none",
        nonce=generate_token(43),
        code_challenge=create_s256_code_challenge(generate_token(64)),  # type: ignore[no-untyped-call] # Authlib has no types
        code_challenge_method="S256",
    )
    parameters = parse_qsl(query.partition("?")[2])
    operation, uri = "Checking the redirect URI", add_params_to_uri(endpoint, parameters)
    try:
        if push(client, parameters) is not None:
            return True
        with (
            provider_errors(operation, uri),
            provider_session(client.provider.response_timeout, RedirectReadingAdapter) as http,
        ):
            response = http.get(uri, allow_redirects=False)
    except ProviderError as error:
        return False if error.error in _INVALID_REDIRECT_URI else None
    except LoginFailed:  # as prompt=none wants it
        return None
    if response.headers.get("location", "").startswith((f"{redirect_uri}?", f"{redirect_uri}#")):
        return True
    return False if response.status_code in _REFUSAL_STATUSES else None
