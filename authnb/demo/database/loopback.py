"""Redirect URIs that point to this computer (RFC 8252 section 7.3)."""

from __future__ import annotations

import re

_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::([0-9]{1,5}))?(/.*)?")


def is_loopback(uri: str) -> bool:
    """Whether it points to this computer, over http."""
    return bool(_LOOPBACK.fullmatch(uri))


def without_loopback_port(uri: str) -> str:
    """Give the URI without its port if it points to this computer, so that any port compares equal.

    RFC 8252 section 7.3. All else is compared as it stands, character by character (RFC 9700 section 2.1).
    """
    loopback = _LOOPBACK.fullmatch(uri)
    if not loopback:
        return uri
    host, port, path = loopback.groups(default="")
    return f"{host}{path}" if not port or 0 < int(port) <= 65535 else uri  # noqa: PLR2004 - a port
