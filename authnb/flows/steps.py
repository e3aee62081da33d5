"""The steps of a sign-in flow, and `drive`, which runs a flow. No display, no storage, no sleeping.

A flow is a generator. It yields what its caller must do next, `Verification` (show this URL), `Form` (have it filled
in) or `Pending` (resume later), and returns the token. `drive` runs one for a terminal, a worker thread
or a test; in a cell, ``next(flow)`` takes one step at a time. Closing a flow frees its port.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from authnb.errors import LoginFailed, ProviderError
from authnb.messages import gettext, sentences
from authnb.transport.http import OVERLOADED

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from authnb.oauth.responses import Token

TIMEOUT = 300.0  # seconds a person has to sign in
_RETRIES = 3  # of an idempotent request whose connection broke
_MAY_PASS = {"timeout", "unreachable", "server_error"}  # without errors of TLS and proxies, which last
_MAX_WAIT = 30.0  # seconds between two attempts, unless the provider names more

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What the person needs to sign in.

    ``uri`` is the URL to open and ``user_code``, in the device flow, the code to enter there;
    ``uri_complete`` is the URL that includes the code, if the provider has one. ``sign_up_uri`` is the
    page on which to create an account first. ``probe`` is a URL at which a browser can test whether it reaches the
    loopback listener. ``redirect_uri`` and ``state`` are those of the authorization request, as ``uri`` need not name
    them. ``expires_at`` is in seconds of the Unix epoch.
    """

    uri: str
    user_code: str | None = None
    uri_complete: str | None = None
    sign_up_uri: str | None = None
    probe: str | None = None
    redirect_uri: str | None = None
    state: str | None = field(default=None, repr=False)
    expires_at: float


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a `Form`. ``kind`` is ``text``, ``email`` or ``password``; the other members are validation rules."""

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
    """A sign-up form. The values, a text for each field, are sent into the flow.

    ``endpoint`` is the URL they are posted to. ``errors`` has the messages for the fields from the last submission,
    under the empty name those for the whole form; ``tries`` counts submissions.
    """

    endpoint: str
    fields: tuple[Field, ...]
    errors: Mapping[str, str] = field(default_factory=dict)
    tries: int = 0


@dataclass(frozen=True, kw_only=True)
class Pending:
    """Resume the flow in ``wait`` seconds, or sooner after a notification; ``reason``: why, if a person should know."""

    wait: float
    reason: str = field(default="", repr=False)


if TYPE_CHECKING:
    Flow = Generator[Verification | Form | Pending, Mapping[str, str] | None, Token]


def drive(
    flow: Flow,
    show: Callable[[Verification], None],
    sleep: Callable[[float], bool],
    fill: Callable[[Form], Mapping[str, str] | None] = lambda _: None,
    explain: Callable[[str], None] = lambda _: None,
) -> Token:
    """Run a flow to its token.

    ``show`` is called with each `Verification`. ``sleep`` waits that many seconds, or less, and returns whether the
    sign-in is cancelled; ``fill`` returns a form's values, or None to cancel. Then the flow is closed and
    `LoginFailed` raised. ``explain`` is called with the reason of a `Pending` that has one.
    """
    values: Mapping[str, str] | None = None
    with closing(flow):
        while True:
            try:
                step = flow.send(values)
            except StopIteration as done:
                token: Token = done.value
                return token
            values = None
            if isinstance(step, Pending) and step.reason:
                explain(step.reason)
            if isinstance(step, Verification):
                show(step)
            elif (values := fill(step)) is None if isinstance(step, Form) else sleep(step.wait):
                raise LoginFailed(
                    "cancelled", gettext("The sign-in was cancelled. Sign in again, if that was not meant.")
                )


def retried(
    send: Callable[[], T], deadline: float, *, idempotent: bool = False
) -> Generator[Pending, Any, T]:
    """Send a request, and again after a wait while the provider is overloaded (HTTP 408, 425, 429, 502 to 504).

    The wait is the provider's ``Retry-After``, else it doubles from one second. ``deadline`` is in `time.monotonic`
    seconds; a wait that would end after it raises the error. A timeout, a broken connection or another server error is
    retried only if the request is ``idempotent``, as it may have arrived, and `_RETRIES` times.
    """
    wait, retries = 1.0, _RETRIES if idempotent else 0
    while True:
        try:
            return send()
        except ProviderError as error:
            pause = wait if error.retry_after is None else error.retry_after
            if error.status not in OVERLOADED:
                if error.error not in _MAY_PASS or not retries:
                    raise
                retries -= 1
            if time.monotonic() + pause >= deadline:
                raise
        yield Pending(wait=pause)
        wait = min(2 * wait, _MAX_WAIT)


def expired(seconds: float, hint: str = "") -> LoginFailed:
    """The error for a sign-in that was not finished in time (RFC 8628 section 3.5)."""
    return LoginFailed(
        "expired_token",
        sentences(
            gettext(
                "Nobody signed in within {seconds} seconds. Sign in again for a new link or code; timeout= gives more "
                "time.",
                seconds=round(seconds),
            ),
            hint,
        ),
    )
