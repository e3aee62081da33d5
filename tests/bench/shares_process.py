"""A scheduler or a worker of Dask's, with the security that it reads from standard input, until it is ended."""

import asyncio
import logging
import pickle
import sys

from distributed import Scheduler, Worker

logging.getLogger("distributed").setLevel(logging.WARNING)
security = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the process that started this


async def run(kind: str, *address: str) -> None:
    """Run the server, and print a scheduler's address."""
    if kind == "worker":
        async with Worker(*address, security=security, host="127.0.0.1", nthreads=1) as server:
            await server.finished()
    else:
        async with Scheduler(
            protocol="tls://", host="127.0.0.1", port=0, security=security, dashboard_address="127.0.0.1:0"
        ) as server:
            print(server.address, flush=True)
            await server.finished()


asyncio.run(run(*sys.argv[1:]))
