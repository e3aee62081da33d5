"""A response that is passed on: a reader that leaves ends it, whatever happens in the same moment."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

import pytest

from authnb.adapters.relay import _Body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def transport() -> AsyncIterator[asyncio.Transport]:
    ours, theirs = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=ours)
    yield cast("asyncio.Transport", writer.transport)
    writer.close()
    await writer.wait_closed()
    theirs.close()


@pytest.mark.parametrize("turns", range(4))
async def test_it_is_cancelled_as_the_buffer_fills(transport: asyncio.Transport, turns: int) -> None:
    """However many turns of the event loop lie between the two. Before Python 3.12 ``wait_for`` loses some of these."""
    body = _Body(transport, transport, left=1 << 20)
    task = asyncio.create_task(body.stop())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    body._stopped.set()  # noqa: SLF001 - as when what was sent must wait
    for _ in range(turns):
        await asyncio.sleep(0)
    if task.cancel():
        with pytest.raises(asyncio.CancelledError):
            await task
