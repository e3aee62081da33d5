"""Defence against mix-up by distinct redirect URIs (RFC 9700 section 4.4.2.2).

A provider that sends no ``iss`` (RFC 9207) could have the browser bring it a code of another that sends none. So of
these only one is sent each redirect URI, in a process; those that send ``iss`` may share it with any other.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authnb.compat import after_fork
from authnb.errors import LoginFailed
from authnb.messages import gettext
from authnb.transport.http import is_loopback

if TYPE_CHECKING:
    from authnb.oauth.provider import Provider

CALLBACK_PATH = "/callback"

_issuers: defaultdict[str, set[str]] = defaultdict(set)  # those without iss, by redirect URI
_lock = threading.Lock()


def sharing_issuer(provider: Provider, redirect_uri: str) -> str | None:
    """Another issuer with this redirect URI, if neither sends ``iss``."""
    if provider.authorization_response_iss_parameter_supported:
        return None
    with _lock:
        return next(iter(_issuers[_without_port(redirect_uri)] - {provider.issuer}), None)


def reserve(provider: Provider, redirect_uri: str) -> None:
    """Keep the redirect URI for this provider, if it sends no ``iss``; raises `LoginFailed` if it is another's."""
    if provider.authorization_response_iss_parameter_supported:
        return
    with _lock:
        issuers = _issuers[_without_port(redirect_uri)]
        if other := next(iter(issuers - {provider.issuer}), None):
            raise shared(provider, redirect_uri, other)
        issuers.add(provider.issuer)


def shared(provider: Provider, redirect_uri: str, other: str) -> LoginFailed:
    """The error for a redirect URI that another issuer without ``iss`` has."""
    return LoginFailed(
        "shared_redirect_uri",
        gettext(
            "The sign-in at {issuer} was not started: it would share the redirect URI {redirect_uri} with {other}, and "
            "neither says that it names itself in the callback (iss, RFC 9207), so one could get hold of codes of the "
            "other (mix-up, RFC 9700 section 4.4). Register a redirect URI of its own at {host}, such as "
            "http://127.0.0.1/NAME/callback in place of the shared one, and pass redirect_path='/NAME/callback'; or "
            "take mode='device', if the provider offers it; or restart the kernel, if you no longer use the other one.",
            issuer=provider.issuer,
            redirect_uri=_without_port(redirect_uri),
            other=other,
            host=provider.host,
        ),
    )


def forget() -> None:
    """Forget which redirect URIs were used. For tests, in which one process signs in at many providers."""
    with _lock:
        _issuers.clear()


def _without_port(redirect_uri: str) -> str:
    """The redirect URI; on loopback its path alone, for the port differs each time (RFC 8252 section 7.3)."""
    return urlsplit(redirect_uri).path if is_loopback(redirect_uri) else redirect_uri


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may hold it
    _lock = threading.Lock()


after_fork(_renew_lock)
