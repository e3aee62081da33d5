"""The session's token as a header provider of LanceDB's remote client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lancedb.remote import HeaderProvider

if TYPE_CHECKING:
    from authnb.adapters.source import Source


class TokenHeaderProvider(HeaderProvider):
    """The token on each request. ``host_override`` of the connection decides where it goes.

    ``lancedb.connect_async("db://lab", host_override=url, client_config={"header_provider": api.credentials.lancedb})``
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def get_headers(self) -> dict[str, str]:
        """The headers of one request."""
        return {"authorization": f"Bearer {self._source.access_token().token}"}
