"""``fast_api.py`` as a process, as long as it is needed."""

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
    """Its address; ``distance`` is how many seconds the token endpoint takes."""
    command = [sys.executable, str(HERE / "fast_api.py"), str(distance)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield (process.stdout or sys.stdin).readline().strip()
        finally:
            process.kill()
