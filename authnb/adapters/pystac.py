"""The session's token as the ``request_modifier`` of pystac-client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from authnb.adapters.source import Source


class TokenModifier:
    """A function for ``request_modifier``: the token on requests to ``api=``, renewed, a 401 retried.

    ``pystac_client.Client.open("https://stac.example.org", request_modifier=api.credentials.pystac)``
    """

    def __init__(self, source: Source) -> None:
        self._auth = source.token_auth

    def __call__(self, request: Any) -> Any:
        """Let the token sign a ``requests.Request`` when it is prepared; returns it."""
        request.auth = self._auth
        return request
