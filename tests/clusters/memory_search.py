"""Search the memory of other processes (Linux, proc(5))."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_CHUNK = 1 << 24  # bytes


def found_in(pid: int, texts: Collection[str]) -> set[str]:
    """Those of the texts that are in the process's writable memory."""
    pattern = re.compile(b"|".join(re.escape(text.encode()) for text in texts))
    overlap = max(map(len, texts))
    found: set[str] = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in _writable(pid):
            before, position = b"", start
            while position < end:
                try:
                    memory.seek(position)
                    read = memory.read(min(_CHUNK, end - position))
                except (OSError, ValueError):  # gone meanwhile, or no memory
                    break
                if not read:
                    break
                found |= {match.decode() for match in pattern.findall(before + read)}
                before, position = read[-overlap:], position + len(read)
    return found


def _writable(pid: int) -> list[tuple[int, int]]:
    ranges = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, mode = line.split()[:2]
        if mode.startswith("rw"):
            first, _, last = addresses.partition("-")
            ranges.append((int(first, 16), int(last, 16)))
    return ranges
