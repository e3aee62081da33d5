"""``fast_api.py`` as a process."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.measuring import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def fast_api(distance: float = 0) -> Iterator[str]:
    """Its URL; ``distance`` is the latency of the token endpoint in seconds."""
    with serving("fast_api.py", str(distance)) as url:
        yield url


@contextmanager
def serving(script: str, *arguments: str) -> Iterator[str]:
    """The URL that this script prints, which runs meanwhile."""
    command = [sys.executable, str(HERE / script), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield (process.stdout or sys.stdin).readline().strip()
        finally:
            process.kill()
