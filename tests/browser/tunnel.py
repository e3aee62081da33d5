"""Passes connections on: ``python tunnel.py PLACE PLACE``; a place is a port on 127.0.0.1 or the path of a socket.

Between two network namespaces, which share the files but no loopback, it is what ``ssh -L`` is between machines.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from functools import partial


async def reach(place: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if place.isdigit():
        return await asyncio.open_connection("127.0.0.1", int(place))
    return await asyncio.open_unix_connection(place)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


async def pass_on(to: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        there = await reach(to)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))


async def main(here: str, to: str) -> None:
    take = partial(pass_on, to)
    server = await (
        asyncio.start_server(take, "127.0.0.1", int(here))
        if here.isdigit()
        else asyncio.start_unix_server(take, here)
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
