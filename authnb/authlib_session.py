"""Authlib's session as all of authnb uses it. Apart from `authnb.transport`, for Authlib's takes its time to load."""

from __future__ import annotations

from authlib.integrations.requests_client import OAuth2Session

from authnb.transport import SettledSession


class ClientSession(SettledSession, OAuth2Session):
    """An ``OAuth2Session`` that takes its settings from the environment with care."""
