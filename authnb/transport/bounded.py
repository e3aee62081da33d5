"""Limits on a provider's responses: so many seconds, so many bytes."""

from __future__ import annotations

import io
import time
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

import requests
from urllib3.exceptions import ReadTimeoutError

from authnb.errors import ProviderError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

RESPONSE_TIMEOUT = 20.0  # seconds for one whole response, unless response_timeout= says otherwise
RESPONSE_LIMIT = 1 << 20  # bytes of one whole response, decompressed


def limit_time(connection_class: Any, seconds: float) -> Any:
    """A subclass of urllib3's connection class whose responses must be complete within this time."""
    response_class = type("BoundedResponse", (_BoundedResponse,), {"seconds": seconds})
    return type(connection_class.__name__, (connection_class,), {"response_class": response_class})


class _DeadlineReader(io.RawIOBase):
    """A raw stream over a socket that fails once the deadline has passed, however slowly bytes arrive."""

    def __init__(self, raw: Any, connection: socket.socket, seconds: float) -> None:
        self._raw, self._connection = raw, connection
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        socket_timeout = self._connection.gettimeout()
        self._connection.settimeout(remaining if socket_timeout is None else min(remaining, socket_timeout))
        try:
            count: int | None = self._raw.readinto(buffer)
            return count
        finally:
            self._connection.settimeout(socket_timeout)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    """An HTTP response whose head and body must arrive before a deadline; a socket timeout starts anew at each byte."""

    seconds = RESPONSE_TIMEOUT

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        buffered: Any = self.fp
        self.fp = io.BufferedReader(_DeadlineReader(buffered.detach(), sock, self.seconds))


class SizeLimitedBody:
    """A urllib3 response that fails beyond `RESPONSE_LIMIT` bytes."""

    def __init__(self, raw: Any, url: str) -> None:
        self._raw = raw
        self._url = url

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, _size: int, *, decode_content: bool = True) -> Iterator[bytes]:
        """The body in pieces; `ProviderError` beyond the limit."""
        size = 0
        while chunk := self._next(decode_content):
            size += len(chunk)
            if size > RESPONSE_LIMIT:
                self._raw.close()
                raise ProviderError(
                    "invalid_response",
                    f"The response of {self._url} was larger than {RESPONSE_LIMIT >> 20} MiB. Check that this is the "
                    "provider's address.",
                )
            yield chunk

    def _next(self, decode_content: bool) -> Any:  # noqa: FBT001 - urllib3's name for it
        try:
            return self._raw.read1(1 << 16, decode_content=decode_content)
        except ReadTimeoutError as error:  # which requests would report as a broken connection
            raise requests.ReadTimeout(error) from None
