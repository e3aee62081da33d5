"""The part of the measure that needs ``distributed``: a scheduler and a worker in processes of their own."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
from bench.measuring import HERE, Sample
from distributed import Client, Security
from distributed.core import rpc
from distributed.protocol import ToPickle
from support import wait_for

from authnb.cluster.dask_scheduler import operation
from authnb.cluster.grant import Grant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.session.session import Session


@dataclass(frozen=True)
class Served:
    """What it took to serve some requests: seconds, and CPU seconds of the scheduler."""

    seconds: float
    cpu: float


class Running:
    """A scheduler in a process of its own, and a client of it."""

    def __init__(self, address: str, pid: int, security: Any) -> None:
        self.address, self.pid, self.security = address, pid, security
        self.client = Client(address, security=security)

    def serve(self, session: Session, workers: int, asks: int) -> Served:
        """Requests of workers that do nothing else."""
        with session.share_with(self.client) as share:
            return self.client.sync(self._serve, share.name, workers, asks)

    async def _serve(self, share: str, workers: int, asks: int) -> Served:
        async def work(number: int) -> None:
            async with rpc(
                self.address, connection_args=self.security.get_connection_args("worker")
            ) as scheduler:
                for turn in range(asks // workers + 1):
                    if turn == 1:  # all are connected
                        connected.pop()
                        if not connected:
                            begin.append((time.perf_counter(), self.cpu()))
                            ready.set()
                        await ready.wait()
                    pull = getattr(scheduler, operation(share, "pull"))
                    answer = await pull(newer_than=0, patience=0.0, worker=f"tls://worker:{number}")
                    assert "grant" in answer

        connected, ready, begin = list(range(workers)), asyncio.Event(), []
        await asyncio.gather(*map(work, range(workers)))
        ((started, used),) = begin
        return Served(time.perf_counter() - started, self.cpu() - used)

    def memory_over(self, session: Session, renewals: int) -> float:
        """MiB by which the scheduler grows while it is given so many tokens, the first tenth left out."""
        with session.share_with(self.client) as share:
            return self.client.sync(self._put, share.name, renewals)

    async def _put(self, share: str, renewals: int) -> float:
        put = getattr(self.client.scheduler, operation(share, "put"))
        for serial in range(2, renewals + 2):
            if serial == renewals // 10 + 2:
                before = self.memory()
            await put(
                grant=ToPickle(Grant(serial=serial, access_token=f"a{serial}", lifetime=60.0, left=60.0))
            )
        return (self.memory() - before) / (1 << 20)

    def on_a_worker(self, session: Session, url: str, shares: int, calls: int) -> tuple[Sample, Sample]:
        """Milliseconds of a task's first call, microseconds of a later one, beyond a static header, for each share."""

        def seconds() -> tuple[float, float]:  # here, so that it is pickled by value
            begin = time.perf_counter()
            session.access_token(url)
            first = time.perf_counter() - begin
            headers: dict[str, str] = {}
            begin = time.perf_counter()
            for _ in range(calls):
                headers["Authorization"] = "Bearer " + session.token_auth.fresh_token(url)["access_token"]
            middle = time.perf_counter()
            for _ in range(calls):
                headers["Authorization"] = "Bearer a1"
            return first, (2 * middle - begin - time.perf_counter()) / calls

        command = [sys.executable, str(HERE / "shares_process.py"), "worker", self.address]
        first, later = [], []
        with subprocess.Popen(command, stdin=subprocess.PIPE) as worker:
            try:
                pickle.dump(self.security, worker.stdin)
                worker.stdin.close()
                self.client.wait_for_workers(1, timeout=60)
                for _ in range(shares):
                    with session.share_with(self.client):
                        one, many = self.client.submit(seconds, pure=False).result()
                    first.append(one * 1e3)
                    later.append(many * 1e6)
            finally:
                worker.terminate()
        wait_for(lambda: not self.client.scheduler_info()["workers"], "the worker to be forgotten")
        return Sample(tuple(first)), Sample(tuple(later))

    def cpu(self) -> float:
        """CPU seconds of the scheduler."""
        used = psutil.Process(self.pid).cpu_times()
        return used.user + used.system

    def memory(self) -> int:
        """Resident bytes of the scheduler."""
        return psutil.Process(self.pid).memory_info().rss


@contextmanager
def scheduler() -> Iterator[Running]:
    """A scheduler of Dask's with TLS, in a process of its own."""
    security = Security.temporary()
    command = [sys.executable, str(HERE / "shares_process.py"), "scheduler"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            pickle.dump(security, process.stdin)
            process.stdin.close()
            running = Running(process.stdout.readline().decode().strip(), process.pid, security)
            try:
                yield running
            finally:
                running.client.close()
        finally:
            process.kill()
