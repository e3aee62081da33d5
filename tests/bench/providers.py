"""The compared providers, each in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import installed
import psutil
from bench.load_driver import PASSWORD
from werkzeug.security import generate_password_hash

from authnb.demo.database.engine import Database
from authnb.demo.database.models import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
NODE = "oidc-provider@9.13.3"
ADDRESS = re.compile(rb"http://127\.0\.0\.1:\d+")

CEILING = """
import asyncio
async def answer(reader, writer):
    while await reader.readuntil(b"\\r\\n\\r\\n"):
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print("http://127.0.0.1:%d" % server.sockets[0].getsockname()[1])
    await server.serve_forever()
asyncio.run(main())
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running provider; the secret of its client, if it has one."""

    name: str
    issuer: str
    process: psutil.Process
    secret: str | None = None

    @property
    def cpu(self) -> float:
        """Processor time used, in seconds."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def embedded(people: int = 0) -> Iterator[Server]:
    """``authnb demo`` with so many accounts, and a password hash that takes no time."""
    with tempfile.TemporaryDirectory() as place:
        url = f"sqlite:///{place}/demo.sqlite3"
        database = Database(url)
        with database.sessions.begin() as session:
            session.add_all(_account(f"person{number}") for number in range(people))
        database.close()
        command = [sys.executable, "-u", "-m", "authnb", "demo", "--database", url]
        with _started(command) as (issuer, process):
            yield Server(name="authnb", issuer=issuer, process=process)


@contextmanager
def mock(python: str) -> Iterator[Server]:
    """oidc-provider-mock as its command line starts it. It has no passwords: a name is enough."""
    with _started([python, "-u", "-m", "oidc_provider_mock", "--port", "0"]) as (issuer, process):
        yield Server(name="oidc-provider-mock", issuer=issuer, process=process, secret="any")


@contextmanager
def node(people: int = 0) -> Iterator[Server]:
    """oidc-provider with its own pages and so many accounts, without password hashes."""
    command = [installed.node(), str(HERE / "oidc_provider.mjs"), str(people)]
    place = str(installed.from_npm(NODE))
    with _started(command, cwd=place, NODE_ENV="production") as (issuer, process):
        yield Server(name="oidc-provider", issuer=issuer, process=process)


@contextmanager
def nothing() -> Iterator[Server]:
    """A server with a constant response: the driver's own limit."""
    with _started([sys.executable, "-u", "-c", CEILING]) as (issuer, process):
        yield Server(name="nothing", issuer=issuer, process=process)


@contextmanager
def _started(
    command: list[str], cwd: str | None = None, **environment: str
) -> Iterator[tuple[str, psutil.Process]]:
    """The URL that a server prints when it is ready, and its process; output goes to a file."""
    with tempfile.NamedTemporaryFile() as said:
        environ = {**os.environ, **environment}
        process = subprocess.Popen(command, cwd=cwd, env=environ, stdout=said, stderr=said)
        try:
            deadline = time.monotonic() + 120
            while not (address := ADDRESS.search(Path(said.name).read_bytes())):
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not start: {Path(said.name).read_text()[-500:]}")
            yield address[0].decode(), psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(10)


def _account(name: str) -> Account:
    return Account(
        id=name,
        name=name,
        name_key=name,
        email=f"{name}@example.org",
        full_name=name,
        password_hash=generate_password_hash(PASSWORD, "pbkdf2:sha256:1"),
    )
