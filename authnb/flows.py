"""Ways to sign in, as generators: no display, no storage, no clock but their own.

A flow yields what the outside must do next, `Verification` (show this address), `Form` (have this filled
in) or `Pending` (come back later), and returns the token. `drive` runs one for a terminal, a worker thread
or a test; in a cell, ``next(flow)`` takes it one step at a time. Closing a flow frees its port.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from authnb.callbacks import Inbox
from authnb.errors import LoginFailed, ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from authnb.answers import AuthorizationResponse, Token
    from authnb.client import AuthorizationRequest, Client

TIMEOUT = 300.0  # seconds a person has to sign in
_LISTENING = 0.25  # seconds between two looks at the listener, if it cannot notify
_SLOWER = 5.0  # seconds more after each slow_down (RFC 8628 section 3.5)
# A provider that finds the redirect address wrong does not send the browser back (RFC 6749 section 4.1.2.1)
_NOT_REGISTERED = (
    " If the provider's page showed an error instead, the client may not be registered with the redirect address "
    "{}; where its port must be a certain one, give it with redirect_port=."
)
_PATIENCE = {"timeout", "unreachable", "server_error", "temporarily_unavailable"}


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What the person needs to sign in.

    ``uri`` is the address to open and ``user_code``, in the device flow, the code to enter there;
    ``uri_complete`` is the address with the code in it, where the provider has one. ``sign_up_uri`` is the
    page on which to create an account first, if one is asked for and that is the way. ``probe`` is an address
    that answers a browser which reaches our listener, where there is one. ``expires_at`` is in seconds of the
    Unix epoch.
    """

    uri: str
    user_code: str | None = None
    uri_complete: str | None = None
    sign_up_uri: str | None = None
    probe: str | None = None
    expires_at: float


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a `Form`. ``kind`` is ``text``, ``email`` or ``password``; the rest are its rules."""

    name: str
    label: str
    kind: str = "text"
    required: bool = False
    help: str = ""
    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    same_as: str | None = None


@dataclass(frozen=True, kw_only=True)
class Form:
    """What the person must fill in. The answers, a text for each field, are sent into the flow.

    ``endpoint`` is where they go from there. ``errors`` says for each field what was wrong with it the last
    time, under the empty name what was wrong with all; ``tries`` counts.
    """

    endpoint: str
    fields: tuple[Field, ...]
    errors: Mapping[str, str] = field(default_factory=dict)
    tries: int = 0


@dataclass(frozen=True, kw_only=True)
class Pending:
    """Nothing to do but to come back in ``wait`` seconds, or sooner if there is news."""

    wait: float


if TYPE_CHECKING:
    Flow = Generator[Verification | Form | Pending, Mapping[str, str] | None, Token]


def drive(
    flow: Flow,
    show: Callable[[Verification], None],
    sleep: Callable[[float], bool],
    fill: Callable[[Form], Mapping[str, str] | None] = lambda _: None,
) -> Token:
    """Run a flow to its token.

    ``show`` is given each `Verification`. ``sleep`` waits that many seconds, or less, and answers whether
    to give up; ``fill`` gives a form's answers, or None to give up. Then the flow is closed and
    `LoginFailed` raised.
    """
    answers: Mapping[str, str] | None = None
    with closing(flow):
        while True:
            try:
                step = flow.send(answers)
            except StopIteration as done:
                token: Token = done.value
                return token
            answers = None
            if isinstance(step, Verification):
                show(step)
            elif (answers := fill(step)) is None if isinstance(step, Form) else sleep(step.wait):
                raise LoginFailed("cancelled", "The sign-in was cancelled. Run the cell again to sign in.")


def loopback_flow(
    client: Client,
    *,
    ports: Iterable[int] = (0,),
    timeout: float = TIMEOUT,
    notify: Callable[[], None] = lambda: None,
    inbox: Inbox | None = None,
    below: str | None = None,
    **parameters: str,
) -> Flow:
    """Authorization code with PKCE, answered to a listener on 127.0.0.1 (RFC 8252 section 7.3).

    ``parameters`` go into the authorization request (``prompt``, ``login_hint``). ``notify`` is called
    from a thread when the answer has come. ``inbox`` takes it too, for a browser that cannot reach us;
    ``below`` is where a proxy passes on to the listener. Raises `LoginFailed` if the person says no or
    ``timeout`` seconds pass, `ProviderError` if what came back cannot be used.
    """
    inbox = inbox or Inbox(notify)
    host = client.provider.quirks.redirect_host
    from authnb.redirects import LoopbackListener  # noqa: PLC0415 - loads a server, which other flows do not need

    with closing(LoopbackListener(ports, notify, host, below)) as listener:
        inbox.port = listener.port
        request = client.authorization_request(listener.redirect_uri, **parameters)
        listener.expect(request.state)
        client.get_ready()
        probe = listener.probe if below is None else None
        response = yield from _answer(request, inbox, timeout, listener.answer, probe)
    response.check(client.provider)
    return client.redeem_code(response, request)


def redirect_flow(
    client: Client,
    redirect_uri: str,
    inbox: Inbox,
    *,
    timeout: float = TIMEOUT,
    ends_on: str | None = None,
    **parameters: str,
) -> Flow:
    """Authorization code with PKCE, answered to an address that is not ours: ``inbox`` is handed the answer.

    ``ends_on``: the page on which the browser ends, where the redirect URI only sends it on. Otherwise as
    `loopback_flow`.
    """
    request = client.authorization_request(redirect_uri, **parameters)
    client.get_ready()
    response = yield from _answer(request, inbox, timeout, ends_on=ends_on)
    response.check(client.provider)
    return client.redeem_code(response, request)


def _answer(
    request: AuthorizationRequest,
    inbox: Inbox,
    timeout: float,
    heard: Callable[[], AuthorizationResponse | None] = lambda: None,
    probe: str | None = None,
    ends_on: str | None = None,
) -> Generator[Verification | Pending, Any, AuthorizationResponse]:
    """Show the address and wait for what comes back of it."""
    deadline = time.monotonic() + timeout
    inbox.expect(request.redirect_uri, request.state, ends_on)
    yield Verification(uri=request.uri, probe=probe, expires_at=time.time() + timeout)
    while (response := heard() or inbox.answer()) is None:
        if time.monotonic() >= deadline:
            raise _too_late(timeout, _NOT_REGISTERED.format(request.redirect_uri))
        yield Pending(wait=_LISTENING)
    return response


def device_flow(client: Client, *, timeout: float = TIMEOUT) -> Flow:
    """Device authorization: a code on one screen, the sign-in on another (RFC 8628).

    Polls no faster than the provider asks, slower after ``slow_down``, and goes on polling through network
    failures and server errors until the code expires or ``timeout`` seconds pass. Raises `LoginFailed`
    then, or if the person says no; `ProviderError` for any other refusal.
    """
    device = client.authorize_device()
    lifetime = min(device.expires_in, timeout)
    deadline = time.monotonic() + lifetime
    client.get_ready()
    yield Verification(
        uri=device.verification_uri,
        uri_complete=device.verification_uri_complete,
        user_code=device.user_code,
        expires_at=time.time() + lifetime,
    )
    interval = device.interval
    while (left := deadline - time.monotonic()) > 0:
        yield Pending(wait=min(interval, left))
        try:
            return client.redeem_device_code(device)
        except ProviderError as error:
            if error.error == "slow_down":
                interval += _SLOWER
            elif error.error in _PATIENCE:
                interval = min(2 * interval, 60.0)
            elif error.error == "expired_token":
                break
            elif error.error != "authorization_pending":
                raise
    raise _too_late(lifetime)


def _too_late(seconds: float, hint: str = "") -> LoginFailed:
    return LoginFailed(
        "expired_token",
        f"Nobody signed in within {seconds:.0f} seconds. Run the cell again for a new link or code; "
        f"timeout= gives more time.{hint}",
    )
