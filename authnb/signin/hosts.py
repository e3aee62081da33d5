"""The host of a provider as a person reads it, with the port where providers of this process share a host."""

from __future__ import annotations

from urllib.parse import urlsplit

from authnb.transport.http import is_loopback

_issuers: set[str] = set()  # at which this process signs in


def add_issuer(issuer: str) -> None:
    """Take notice of a provider at which this process signs in."""
    _issuers.add(issuer)


def forget() -> None:
    """Forget them all. For tests, in which one process signs in at many providers."""
    _issuers.clear()


def display_host(issuer: str) -> str:
    """The host of an issuer URL, with its port; on loopback only where another provider has the same host.

    There the port may be another in each run, and what is saved with a notebook should not change with it.
    """
    parts = urlsplit(issuer)
    others = {other.netloc for other in map(urlsplit, tuple(_issuers)) if other.hostname == parts.hostname}
    unique = others <= {parts.netloc}
    return parts.hostname or "" if is_loopback(issuer) and unique else parts.netloc
