"""Device authorization: the person enters a code on any device (RFC 8628)."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from authnb.errors import LoginFailed, ProviderError
from authnb.flows.steps import TIMEOUT, Pending, Verification, expired, retried
from authnb.messages import gettext

if TYPE_CHECKING:
    from authnb.flows.steps import Flow
    from authnb.oauth.client import Client

_SLOW_DOWN_INCREMENT = 5.0  # seconds added by each slow_down (RFC 8628 section 3.5)


def device_flow(client: Client, *, timeout: float = TIMEOUT, **parameters: str) -> Flow:
    """Device authorization: the person enters a code on any device (RFC 8628).

    ``parameters`` are added to the device authorization request.

    Polls at the provider's ``interval``, more slowly after ``slow_down`` or as ``Retry-After`` says, and goes on
    through transient failures (`ProviderError.is_transient`) until the code expires or ``timeout`` seconds pass. Raises
    `LoginFailed` then, or if the person declines; `ProviderError` for any other refusal.
    """
    device = client.authorize_device(**parameters)
    lifetime = min(device.expires_in, timeout)
    started = time.monotonic()
    deadline = started + lifetime
    client.prefetch()
    yield Verification(
        uri=device.verification_uri,
        uri_complete=device.verification_uri_complete,
        user_code=device.user_code,
        expires_at=time.time() + lifetime,
    )
    interval, retry_after = device.interval, 0.0
    while (remaining := deadline - time.monotonic()) > 0:
        yield Pending(wait=min(max(interval, retry_after), remaining))
        try:
            token = client.redeem_device_code(device)
        except ProviderError as error:
            retry_after = error.retry_after or 0.0
            if error.error == "slow_down":
                interval += _SLOW_DOWN_INCREMENT
            elif error.is_transient:
                interval = min(2 * interval, 60.0)
            elif error.error == "expired_token":
                raise _code_expired(client, time.monotonic() - started) from None
            elif error.error != "authorization_pending":
                raise
        else:
            return (yield from retried(partial(client.complete, token, None), deadline, idempotent=True))
    raise expired(timeout) if timeout <= device.expires_in else _code_expired(client, lifetime)


def _code_expired(client: Client, seconds: float) -> LoginFailed:
    """The error for a code whose lifetime the provider ended, which no ``timeout`` prolongs."""
    return LoginFailed(
        "expired_token",
        gettext(
            "The code expired at {host} after {seconds} seconds, before anybody had signed in with it. Sign in again "
            "for a new one.",
            host=client.provider.host,
            seconds=round(seconds),
        ),
    )
