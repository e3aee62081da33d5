"""Authorization code with PKCE: the provider redirects the browser to a redirect URI (RFC 6749 section 4.1)."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from authnb.errors import LoginFailed, ProviderError
from authnb.flows.inbox import Inbox
from authnb.flows.redirect_uris import CALLBACK_PATH, reserve
from authnb.flows.steps import TIMEOUT, Pending, Verification, expired, retried
from authnb.messages import N_, gettext

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from authnb.flows.listener import LoopbackListener
    from authnb.flows.steps import Flow
    from authnb.oauth.client import AuthorizationRequest, Client
    from authnb.oauth.responses import AuthorizationResponse, Token

_POLL_INTERVAL = 0.25  # seconds between two polls for the callback, if no notification comes
_PORT_POLL_INTERVAL = 0.5  # seconds between two attempts to open a port
_PUSH_INTERVAL, _MAX_PUSH_INTERVAL = (
    5.0,
    60.0,
)  # seconds between pushes of one request; the latter after failures
_MARGIN = 10.0  # seconds that the address of a pushed request is good for at least; a quarter of a short life
# A provider that does not know the redirect URI does not redirect the browser (RFC 6749 section 4.1.2.1)
_NOT_REGISTERED = N_(
    "If the provider's page showed an error instead, the client may not be registered with the redirect address "
    "{address}; where its port must be a certain one, give it with redirect_port=."
)


def loopback_flow(
    client: Client,
    *,
    ports: Iterable[int] = (0,),
    timeout: float = TIMEOUT,
    notify: Callable[[], None] = lambda: None,
    inbox: Inbox | None = None,
    proxy_base: str | None = None,
    path: str = CALLBACK_PATH,
    **parameters: str,
) -> Flow:
    """Authorization code with PKCE; a listener on 127.0.0.1 receives the callback (RFC 8252 section 7.3).

    ``parameters`` are added to the authorization request (``prompt``, ``login_hint``). ``notify`` is called
    from a thread when the callback has arrived. ``inbox`` takes the callback too, from a browser that cannot reach the
    listener; ``proxy_base`` is the URL below which a proxy forwards to it; ``path`` that of the redirect URI. While a
    sign-in of another process has the port, waits for it, ``timeout`` seconds at most before those of the person.
    Raises `LoginFailed` if the person declines, ``timeout`` seconds pass, or the redirect URI is another provider's
    (`authnb.flows.redirect_uris`), `ProviderError` if a response cannot be used.
    """
    inbox = inbox or Inbox(notify)
    reserve(client.provider, f"http://127.0.0.1{path}")  # with a proxy too: the listener is on loopback
    listening = _listen(tuple(ports), notify, client.provider.quirks.redirect_host, proxy_base, path, timeout)
    with closing((yield from listening)) as listener:
        deadline = time.monotonic() + timeout
        request = yield from _requested(client, listener.redirect_uri, deadline, parameters)
        listener.expect(request.state)
        client.prefetch()
        probe = listener.probe if proxy_base is None else None
        response = yield from _wait_for_callback(client, request, inbox, timeout, listener.answer, probe)
    return (yield from _redeem(client, response, request, deadline))


def _listen(
    ports: tuple[int, ...],
    notify: Callable[[], None],
    host: str,
    proxy_base: str | None,
    path: str,
    timeout: float,
) -> Generator[Pending, Any, LoopbackListener]:
    """The listener, once no sign-in of another process has its ports."""
    from authnb.flows.listener import LoopbackListener, other_sign_ins  # noqa: PLC0415 - imports a server that other flows do not need

    deadline = time.monotonic() + timeout
    held: list[int] = []
    asked = False
    while True:
        try:
            return LoopbackListener(ports, notify, host, proxy_base, path)
        except LoginFailed as error:
            if error.error != "port_in_use":
                raise
            held = other_sign_ins(ports, host, proxy_base) or held
            if asked and not held:
                raise
            asked = True  # and if nothing answered, try once more: a sign-in may have ended in between
        if held and time.monotonic() >= deadline:
            raise LoginFailed(
                "port_in_use",
                gettext(
                    "Port {ports} was in use by another sign-in for {seconds} seconds. Finish or cancel that one, in "
                    "another notebook or program, then try again; or give other ports with redirect_port=.",
                    ports=_listed(held),
                    seconds=round(timeout),
                ),
            )
        if held:
            reason = gettext(
                "Port {ports} is in use by another sign-in; waiting for it.", ports=_listed(held)
            )
            yield Pending(wait=_PORT_POLL_INTERVAL, reason=reason)


def _listed(ports: list[int]) -> str:
    if len(ports) == 1:
        return str(ports[0])
    return gettext("{first} and {last}", first=", ".join(map(str, ports[:-1])), last=ports[-1])


def redirect_flow(
    client: Client,
    redirect_uri: str,
    inbox: Inbox,
    *,
    timeout: float = TIMEOUT,
    final_page: str | None = None,
    **parameters: str,
) -> Flow:
    """Authorization code with PKCE at a redirect URI that authnb does not serve; the callback arrives in ``inbox``.

    ``final_page``: the page on which the browser ends, where the redirect URI redirects once more. Otherwise as
    `loopback_flow`.
    """
    deadline = time.monotonic() + timeout
    reserve(client.provider, redirect_uri)
    request = yield from _requested(client, redirect_uri, deadline, parameters)
    client.prefetch()
    response = yield from _wait_for_callback(client, request, inbox, timeout, final_page=final_page)
    return (yield from _redeem(client, response, request, deadline))


def _requested(
    client: Client, redirect_uri: str, deadline: float, parameters: Mapping[str, str]
) -> Generator[Pending, Any, AuthorizationRequest]:
    """An authorization request; where it is pushed, an overloaded provider is asked again before ``deadline``."""
    return (yield from retried(partial(client.authorization_request, redirect_uri, **parameters), deadline))


def _wait_for_callback(
    client: Client,
    request: AuthorizationRequest,
    inbox: Inbox,
    timeout: float,
    poll_listener: Callable[[], AuthorizationResponse | None] = lambda: None,
    probe: str | None = None,
    final_page: str | None = None,
) -> Generator[Verification | Pending, Any, AuthorizationResponse]:
    """Show the authorization request and wait for its callback; show its next address before one expires."""
    deadline = time.monotonic() + timeout
    inbox.expect(request.redirect_uri, request.state, final_page)
    verification = Verification(
        uri=request.uri,
        probe=probe,
        redirect_uri=request.redirect_uri,
        state=request.state,
        expires_at=time.time() + timeout,
    )
    yield verification
    renewal = _PushedAgain(client, request)
    while (response := poll_listener() or inbox.answer()) is None:
        if time.monotonic() >= deadline:
            raise expired(timeout, gettext(_NOT_REGISTERED, address=request.redirect_uri))
        if renewal.is_due(used=inbox.address_used) and renewal.push():
            inbox.address_used = False
            yield replace(verification, uri=renewal.request.uri)
        yield Pending(wait=_POLL_INTERVAL)
    return response


class _PushedAgain:
    """Pushes a request again before its address expires (RFC 9126 section 2.2), or once that may be used up.

    A provider that cannot be reached is asked again after a while: the person may have its page open.
    """

    def __init__(self, client: Client, request: AuthorizationRequest) -> None:
        self._client, self.request = client, request
        self._interval = _PUSH_INTERVAL
        self._not_before = time.monotonic()

    def is_due(self, *, used: bool) -> bool:
        """Whether to push it now; ``used``: whether the person may have opened the address."""
        pushed, now = self.request.pushed, time.monotonic()
        if pushed is None or now < self._not_before:
            return False
        return used or now >= pushed.expires_at - min(_MARGIN, pushed.expires_in / 4)

    def push(self) -> bool:
        """Push it; False if the provider could not be reached. Raises `ProviderError` if it refuses."""
        try:
            self.request = self._client.push(self.request)
        except ProviderError as error:
            if not error.is_transient:
                raise
            self._interval = min(2 * self._interval, _MAX_PUSH_INTERVAL)
            self._not_before = time.monotonic() + max(self._interval, error.retry_after or 0.0)
            return False
        self._interval = _PUSH_INTERVAL
        self._not_before = time.monotonic() + _PUSH_INTERVAL
        return True


def _redeem(
    client: Client, response: AuthorizationResponse, request: AuthorizationRequest, deadline: float
) -> Generator[Pending, Any, Token]:
    """Redeem the code; an overloaded token endpoint is asked again, before ``deadline``, and so is the JWKS."""
    response.check(client.provider)
    token = yield from retried(partial(client.redeem_code, response, request), deadline)
    return (yield from retried(partial(client.complete, token, request.nonce), deadline, idempotent=True))
