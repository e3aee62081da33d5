"""Clusters of Dask for tests: of this process, or with a scheduler and workers started by command."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dask.config
from distributed import Client, LocalCluster, Security
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


LONG = 240.0  # seconds: on a machine that is busy it takes one for a worker to start


@contextmanager
def local_cluster(**options: Any) -> Iterator[Client]:
    """A client of a cluster of this machine, with TLS and two workers of two threads unless options say otherwise."""
    defaults: dict[str, Any] = {
        "n_workers": 2,
        "threads_per_worker": 2,
        "dashboard_address": ":0",
        "security": Security.temporary(),
    }
    with (
        # By default LocalCluster drops a worker that takes 15 seconds to start again
        dask.config.set({"distributed.deploy.lost-worker-timeout": LONG}),
        LocalCluster(**defaults | options) as cluster,
        Client(cluster) as client,
    ):
        yield client


class CommandedCluster:
    """A scheduler and workers, each a process of its own as ``dask scheduler`` and ``dask worker`` start them."""

    def __init__(self, folder: Path, port: int, *, host: str = "127.0.0.1", tls: bool = True) -> None:
        self.security = Security.temporary() if tls else Security()
        self.address = f"{'tls' if tls else 'tcp'}://{host}:{port}"
        self.folder, self._tls = folder, []
        if tls:
            given = self.security.get_tls_config_for_role("client")
            names = {"--tls-ca-file": "ca_file", "--tls-cert": "cert", "--tls-key": "key"}
            for option, name in names.items():
                path = folder / f"{name}.pem"
                path.touch(0o600)
                path.write_text(given[name])
                self._tls += [option, str(path)]
        self.processes: list[subprocess.Popen[bytes]] = []
        self.logs: list[Path] = []

    def scheduler(
        self,
        *more: str,
        environment: dict[str, str] | None = None,
        python: tuple[str, ...] = (sys.executable,),
    ) -> subprocess.Popen[bytes]:
        """Start the scheduler."""
        host, _, port = self.address.partition("://")[2].partition(":")
        options = ["--host", host, "--port", port, "--dashboard-address", "127.0.0.1:0", *more]
        process = self._start("dask_scheduler", *options, *self._tls, environment=environment, python=python)
        log = self.logs[-1]
        wait_for(lambda: b"Scheduler at" in log.read_bytes(), "the scheduler", LONG)
        return process

    def worker(
        self,
        *options: str,
        environment: dict[str, str] | None = None,
        python: tuple[str, ...] = (sys.executable,),
    ) -> subprocess.Popen[bytes]:
        """Start a worker process, without a nanny."""
        return self._start(
            "dask_worker",
            self.address,
            *("--no-nanny", "--no-dashboard", "--nthreads", "1"),
            *("--local-directory", str(self.folder)),
            *options,
            *self._tls,
            environment=environment,
            python=python,
        )

    def client(self) -> Client:
        return Client(self.address, security=self.security)

    def _start(
        self,
        command: str,
        *arguments: str,
        environment: dict[str, str] | None,
        python: tuple[str, ...] = (sys.executable,),
    ) -> subprocess.Popen[bytes]:
        log = self.folder / f"{command}-{len(self.processes)}.log"
        self.logs.append(log)
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*python, "-m", f"distributed.cli.{command}", *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        self.processes.append(process)
        return process

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(30)


@contextmanager
def commanded_cluster(folder: Path, port: int, **options: Any) -> Iterator[CommandedCluster]:
    cluster = CommandedCluster(folder, port, **options)
    with contextlib.closing(cluster):
        yield cluster


def workers_of(client: Client) -> list[str]:
    """Their addresses."""
    return list(client.scheduler_info(n_workers=-1)["workers"])


def wait_for_workers(client: Client, count: int) -> None:
    """Until there are exactly so many."""
    wait_for(lambda: len(workers_of(client)) == count, f"{count} workers", LONG)
