"""The session's token as the ``credentials`` of Anthropic's client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anthropic.lib.credentials import AccessToken

if TYPE_CHECKING:
    from authnb.adapters.source import Source


class TokenProvider:
    """The token for each request, checked against ``api=`` for the client's ``base_url``; sync and async.

    ``anthropic.Anthropic(base_url="https://models.example.org", credentials=api.credentials.anthropic)``
    """

    def __init__(self, source: Source, base_url: str | None = None) -> None:
        self._source, self._base_url = source, base_url

    def for_base_url(self, base_url: str) -> TokenProvider:
        """The provider of a client with this ``base_url``."""
        return TokenProvider(self._source, base_url)

    def __call__(self, *, force_refresh: bool = False) -> AccessToken:
        """A fresh token; with ``force_refresh``, after a 401, one that is newer than the one in use."""
        token = self._source.access_token(self._base_url)
        if force_refresh and self._base_url is not None:
            auth = self._source.token_auth
            next(auth.tokens_after_401(auth.fresh_token(self._base_url)), None)
            token = self._source.access_token(self._base_url)
        return AccessToken(token.token, 0)  # 0: ask before each request, for the session renews it
