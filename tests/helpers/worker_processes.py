"""Several processes that use one stored sign-in concurrently."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from authnb.session.session import Session

WORKER = Path(__file__).parent / "session_worker.py"


class WorkerProcesses:
    """``count`` processes (session_worker.py), each calling ``path`` every 50 ms until `stop`."""

    def __init__(self, session: Session, count: int, path: str = "/stations") -> None:
        command = [sys.executable, str(WORKER), path]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.processes = [subprocess.Popen(command, **pipes) for _ in range(count)]
        for process in self.processes:
            assert process.stdin
            process.stdin.write(pickle.dumps(session))
            process.stdin.flush()
        for process in self.processes:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"

    def stop(self) -> list[dict[str, Any]]:
        """End them; the report of each."""
        for process in self.processes:
            assert process.stdin
            process.stdin.close()
        reports = []
        for process in self.processes:
            assert process.stdout
            reports.append(json.loads(process.stdout.read()))
            assert process.wait(30) == 0
        return reports

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait(30)
            for pipe in (process.stdin, process.stdout):
                assert pipe
                pipe.close()
