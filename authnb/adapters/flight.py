"""The session's token as client middleware of Arrow Flight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyarrow import flight

from authnb.adapters.source import warn

if TYPE_CHECKING:
    from authnb.adapters.source import Source


class TokenMiddlewareFactory(flight.ClientMiddlewareFactory):
    """Client middleware: the token on each call. The client's location decides where it goes.

    Arrow drops an error raised here and sends the call without the token, which the server refuses: a warning says why.

    ``flight.FlightClient("grpc+tls://flight.example.org:443", middleware=[api.credentials.flight])``
    """

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source

    def start_call(self, info: flight.CallInfo) -> _TokenMiddleware:  # noqa: ARG002 - names the method only
        """The middleware of one call."""
        return _TokenMiddleware(self._source)


class _TokenMiddleware(flight.ClientMiddleware):
    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source

    def sending_headers(self) -> dict[str, str]:
        try:
            return {"authorization": f"Bearer {self._source.access_token().token}"}
        except Exception as error:  # noqa: BLE001 - Arrow would drop it
            warn(error)
            return {}
