"""The session's token as authentication of Trino's client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trino.auth import Authentication

if TYPE_CHECKING:
    from authnb.adapters.source import Source


class TokenAuthentication(Authentication):
    """The token on each request to a coordinator in ``api=``, renewed, a 401 retried.

    ``trino.dbapi.connect(host="trino.example.org", http_scheme="https", auth=api.credentials.trino)``
    """

    def __init__(self, source: Source) -> None:
        self._auth = source.token_auth

    def set_http_session(self, http_session: Any) -> Any:
        """The ``requests`` session of a connection, with the token."""
        http_session.auth = self._auth
        return http_session
