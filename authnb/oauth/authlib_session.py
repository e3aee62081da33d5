"""The base of every ``OAuth2Session`` in authnb. A module of its own, as Authlib's is slow to import."""

from __future__ import annotations

from authlib.integrations.requests_client import OAuth2Session

from authnb.transport.http import SafeEnvironmentSession


class ClientSession(SafeEnvironmentSession, OAuth2Session):
    """An ``OAuth2Session`` that never sends loopback addresses to a proxy."""
