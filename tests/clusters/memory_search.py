"""Search the memory of other processes (Linux, proc(5))."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_CHUNK = 1 << 24  # bytes


def found_in(pid: int, texts: Collection[str]) -> set[str]:
    """Those of the texts that are in the process's writable memory."""
    left = {
        text: text.encode() for text in texts
    }  # searched one by one, which is faster than all at once by `re`
    overlap = max(map(len, texts))
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
                content = before + read
                left = {text: sought for text, sought in left.items() if sought not in content}
                before, position = read[-overlap:], position + len(read)
    return set(texts) - set(left)


def _writable(pid: int) -> list[tuple[int, int]]:
    ranges = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, mode = line.split()[:2]
        if mode.startswith("rw"):
            first, _, last = addresses.partition("-")
            ranges.append((int(first, 16), int(last, 16)))
    return ranges
