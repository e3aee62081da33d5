"""The session's token as the ``request_modifier`` of pystac-client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests.structures import CaseInsensitiveDict

if TYPE_CHECKING:
    from requests import PreparedRequest

    from authnb.adapters.source import Source


class TokenModifier:
    """A function for ``request_modifier``: the token on requests to ``api=``, renewed, a 401 retried.

    ``pystac_client.Client.open("https://stac.example.org", request_modifier=api.credentials.pystac)``
    """

    def __init__(self, source: Source) -> None:
        self._auth = source.token_auth

    def __call__(self, request: Any) -> Any:
        """Let the token sign a ``requests.Request`` when it is prepared; returns it."""
        request.auth = self._sign
        return request

    def _sign(self, request: PreparedRequest) -> PreparedRequest:
        signed = self._auth(request)
        signed.headers = _HiddenHeaders(signed.headers)
        return signed


class _HiddenHeaders(CaseInsensitiveDict[str]):
    """Headers whose repr hides the token: pystac-client logs them at DEBUG."""

    def __repr__(self) -> str:
        return repr({**self, "Authorization": "…"})
