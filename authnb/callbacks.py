"""How the browser's answer comes back where it cannot reach a listener of ours.

``page``: a static page of the person's own Jupyter server hands the answer to the panel. ``paste``: the person
copies the address they ended on. Either way it arrives as an address and lands in an `Inbox`. ``proxy``:
jupyter-server-proxy passes the request on to our listener after all.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from authnb.answers import AuthorizationResponse
from authnb.errors import LoginFailed, ProviderError
from authnb.exchange import Seen, tell
from authnb.transport import AskingAdapter, asking, provider_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from authnb.client import Client

_REFUSED = {400, 403}  # HTTP statuses of an authorization request that goes no further
_LONGEST = 16_384  # characters; no honest answer is longer


class Inbox:
    """Takes the answer to one authorization request from whoever hands it over.

    ``notify`` is called when it is there. Only an address that begins with the redirect URI, or with the page it
    sends browsers on to, and holds the request's state is taken, and only the first.
    """

    def __init__(self, notify: Callable[[], None] = lambda: None) -> None:
        self.notify = notify
        self._lock = threading.Lock()
        self.redirect_uri: str | None = None  # where the answer goes
        self.port: int | None = None  # on which a listener of ours was opened for it
        self._ends_on: str | None = None
        self._state = ""
        self._answer: AuthorizationResponse | None = None

    def expect(self, redirect_uri: str, state: str, ends_on: str | None = None) -> None:
        """From now on take the answer to the request with this state; ``ends_on``: where the redirect URI leads."""
        self.redirect_uri, self._state, self._ends_on = redirect_uri, state, ends_on

    def submit(self, address: str) -> None:
        """Take the address a browser ended on; raises `LoginFailed` if it is not the answer that is waited for."""
        if self.redirect_uri is None:
            raise LoginFailed(
                "invalid_request", "This sign-in takes no address: it waits for a code to be entered."
            )
        address = address.strip()
        # OAuth 2.0 Multiple Response Type Encoding Practices section 2.1: a fragment holds what a query does
        mark = "#" if "#" in address.partition("?")[0] else "?"
        place, _, answered = address.partition(mark)
        if place not in {self.redirect_uri, self._ends_on} or not answered:
            raise LoginFailed(
                "invalid_request",
                f"This is not the address your browser ended on: that one begins with {self.redirect_uri}",
            )
        response = (
            AuthorizationResponse.parse(answered.partition("#")[0], self._state)
            if len(address) < _LONGEST
            else None
        )
        with self._lock:
            if response is None or self._answer is not None:
                raise LoginFailed(
                    "invalid_request",
                    "This address belongs to another sign-in, or was used before. Open the sign-in page again.",
                )
            self._answer = response
        tell(Seen(sender="browser", method="GET", url=f"{place}?{answered}", status=200))
        self.notify()

    def answer(self) -> AuthorizationResponse | None:
        """The answer, if it has come."""
        return self._answer


def accepts_redirect(client: Client, redirect_uri: str) -> bool | None:
    """Whether the provider sends answers to this address; None if it does not say without a person.

    Asked with ``prompt=none``, to which the answer is an error, sent to the address (OpenID Connect Core section
    3.1.2.6) or, if that is not the client's, shown where it was asked (RFC 6749 section 3.1.2.4).
    """
    uri = prepare_grant_uri(
        client.provider.need("authorization_endpoint", "Try mode='device'."),
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
    what = "Asking about a redirect address"
    try:
        with asking(what, uri), provider_session(AskingAdapter()) as http:
            response = http.get(uri, allow_redirects=False)
    except ProviderError:
        return None
    if response.headers.get("location", "").startswith((f"{redirect_uri}?", f"{redirect_uri}#")):
        return True
    return False if response.status_code in _REFUSED else None
