"""A long response passed on from the buffer that it is received into, for `authnb.adapters.proxy`.

aiohttp's parser and reader copy each byte twice, which halves the throughput of fast networks.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import ClientResponse, web

LONG = 1 << 26  # bytes for which it is worth the connection to the API, which aiohttp cannot use again
READ_TIMEOUT = 300.0  # seconds without a byte
_BUFFER = 1 << 20  # bytes


def unread(response: ClientResponse) -> int:
    """The bytes of the body that aiohttp has not received; 0 if it holds some back, or their number is unknown."""
    transport = response.connection and response.connection.transport
    if transport is None or not transport.is_reading():
        return 0
    if response.content_length is None or "Transfer-Encoding" in response.headers:
        return 0
    return response.content_length - response.content.total_bytes


async def relay(response: ClientResponse, request: web.Request) -> None:
    """Send what aiohttp has not received of a response to the sender of ``request``, and close the response.

    What was received must have been sent. Raises `ConnectionError` if the API cuts the response off or the reader
    leaves, and `TimeoutError` if nothing arrives for `READ_TIMEOUT`.
    """
    connection, target = response.connection, request.transport
    if connection is None or connection.transport is None or connection.protocol is None or target is None:
        raise ConnectionResetError
    source, parser = connection.transport, connection.protocol
    body = _Body(source, target, unread(response))
    target.set_write_buffer_limits(high=0)  # `drain` waits until all is sent
    source.set_protocol(body)
    try:
        while body.left:
            await body.stop()
            await request.writer.drain()
            if target.is_closing():
                raise ConnectionResetError
            body.go_on()
    finally:
        source.set_protocol(parser)
        target.set_write_buffer_limits()
        response.close()


class _Body(asyncio.BufferedProtocol):
    """Sends the next ``left`` bytes from one connection to another; stops when those that it sent must wait."""

    def __init__(self, source: asyncio.Transport, target: asyncio.WriteTransport, left: int) -> None:
        self.left = left
        self._source, self._target = source, target
        self._buffer = memoryview(bytearray(_BUFFER))
        self._stopped = asyncio.Event()
        self._lost = False

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """The buffer to receive into."""
        return self._buffer[: self.left]

    def buffer_updated(self, nbytes: int) -> None:
        """Send what was received; what the system does not take at once still lies in the buffer."""
        self.left -= nbytes
        self._target.write(self._buffer[:nbytes])
        if not self.left or self._target.get_write_buffer_size():
            self._source.pause_reading()
            self._stopped.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Stop for good."""
        self._lost = True
        self._stopped.set()

    async def stop(self) -> None:
        """Wait until nothing is received any more."""
        while not self._stopped.is_set():
            left = self.left
            with suppress(TimeoutError):
                async with asyncio.timeout(
                    READ_TIMEOUT
                ):  # until Python 3.12 wait_for may lose a cancellation
                    await self._stopped.wait()
            if left == self.left and not self._stopped.is_set():
                raise TimeoutError
        if self._lost and self.left:
            raise ConnectionResetError

    def go_on(self) -> None:
        """Receive again."""
        if self.left and not self._lost:
            self._stopped.clear()
            self._source.resume_reading()
