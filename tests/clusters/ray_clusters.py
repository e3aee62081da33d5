"""A Ray for tests: nodes that are started by commands, so that they outlive drivers; and what can be seen of it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
from memory_search import found_in
from support import free_port, give_up, wait_for

WORKERS = 4
STARTS = 8  # attempts
LONG = 300.0  # seconds for one
PORTS = ("metrics-export", "dashboard-agent-grpc", "dashboard-agent-listen", "runtime-env-agent")


class Cluster:
    """The head node: its address, that of its dashboard, and the folder with all that the nodes write."""

    def __init__(self, address: str, dashboard: str, folder: Path, head: psutil.Popen) -> None:
        self.address, self.dashboard, self.folder, self.nodes = address, dashboard, folder, [head]

    def processes(self) -> list[psutil.Process]:
        """All of the nodes', workers too."""
        return [each for node in self.nodes for each in node.children(recursive=True)]

    def add_node(self, host: str, resource: str, **environment: str) -> psutil.Popen:
        """Another node, at another address of this machine."""
        for number in range(STARTS):
            node = start_node(
                self.folder / f"{resource}{number}",
                environment,
                *(f"--address={self.address}", f"--node-ip-address={host}", "--num-cpus=1"),
                f'--resources={{"{resource}": 1}}',
            )
            if node is not None:
                self.nodes.append(node)
                return node
        give_up("a second node of Ray does not start: this machine is too busy")
        return None

    def end_node(self, node: psutil.Popen) -> None:
        self.nodes.remove(node)
        processes = node.children(recursive=True)
        node.terminate()
        _, left = psutil.wait_procs([node, *processes], 20)
        for process in left:
            process.kill()
        node.wait()

    def close(self) -> None:
        for node in reversed(self.nodes.copy()):
            self.end_node(node)


def start(folder: Path, *, dashboard: bool, **environment: str) -> Cluster:
    """A Ray of one node."""
    for number in range(STARTS):
        port, page = free_port(), free_port()
        head = start_node(
            folder / str(number),
            environment,
            *("--head", f"--port={port}", f"--num-cpus={WORKERS}"),
            *(
                f"--temp-dir={folder / str(number)}",
                "--disable-usage-stats",
                f"--ray-client-server-port={free_port()}",
            ),
            *(f"--include-dashboard={str(dashboard).lower()}", f"--dashboard-port={page}"),
        )
        if head is not None:
            return Cluster(f"127.0.0.1:{port}", f"http://127.0.0.1:{page}", folder / str(number), head)
    give_up("Ray does not start: this machine is too busy")
    return None


def start_node(folder: Path, environment: dict[str, str], *options: str) -> psutil.Popen | None:
    """A node; None if a process of it was not there in time.

    Ray waits half a minute for that. With ports that are given it does not wait for the processes that listen there.
    """
    folder.mkdir()
    # Comes with Jupyter, and is loaded by each process of Ray, where it takes longer than all else
    (folder / "rfc3987_syntax.py").write_text("raise ImportError('not needed here')\n")
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [
        *(Path(sys.executable).with_name("ray"), "start", "--block", *options),
        *(f"--{name}-port={free_port()}" for name in PORTS),
        *("--min-worker-port=0", "--max-worker-port=0"),  # any but the others
        "--object-store-memory=80000000",
    ]
    output = folder / "output"
    with output.open("wb") as file:
        node = psutil.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment, "PYTHONPATH": path},
        )
    wait_for(lambda: b"runtime started" in output.read_bytes() or node.poll() is not None, "Ray", LONG)
    if node.poll() is None:
        return node
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(f"{folder}/" in argument for argument in process.cmdline()):
                process.kill()
    print(output.read_text())
    return None


def found_in_memory(cluster: Cluster, *texts: str) -> list[set[int]]:
    """For each of the texts the processes of the cluster that have it in their memory."""
    memories: dict[int, set[str]] = {}
    for process in cluster.processes():
        try:
            memories[process.pid] = found_in(process.pid, texts)
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
        except PermissionError:
            give_up("the memory of other processes cannot be read here")
    return [{pid for pid, seen in memories.items() if text in seen} for text in texts]


def files_of(cluster: Cluster) -> str:
    """All that Ray wrote."""
    files = [path for path in cluster.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return "\n".join(path.read_bytes().decode("latin-1") for path in files)
