"""Private files and folders for a while, which a killed process leaves behind."""

from __future__ import annotations

import shutil
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from pathlib import Path

PRIVATE_FILE = stat.S_IFREG | 0o600  # as `tempfile.mkstemp` makes one
PRIVATE_FOLDER = stat.S_IFDIR | 0o700  # as `tempfile.mkdtemp` makes one
_LEFTOVER_AGE = 3600.0  # seconds


def remove_leftovers(folder: Path, name: re.Pattern[str], mode: int) -> None:
    """Delete what has a name and mode (``st_mode``) of ours in a folder, and was not touched for an hour; no links."""
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                if not name.fullmatch(path.name):
                    continue
                found = path.lstat()
                if found.st_mode == mode and found.st_mtime < time.time() - _LEFTOVER_AGE:
                    shutil.rmtree(path) if stat.S_ISDIR(mode) else path.unlink()
