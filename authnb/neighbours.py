"""Who else is on this machine: which user a connection to a port of ours comes from, where that can be known.

Loopback is shared by all users of a machine, and in many places all of them can read what a program was started
with: so a neighbour may know the ``state`` of a sign-in and try to answer in the browser's place.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")  # Linux
_ESTABLISHED = "01"
_ROOT = 0

Address = tuple[str, int]


def is_stranger(visitor: Address, ours: Address) -> bool:
    """Whether this connection, still open, is another user's: neither ours nor of root, who may do anything.

    False where that cannot be known, and for root, whose browser may well run as somebody else.
    """
    if os.name != "posix" or os.getuid() == _ROOT:
        return False
    ends = _connections()
    for here, there in zip(_written(ours), _written(visitor), strict=True):
        if (here, there) in ends:
            state, user = ends.get((there, here), ("", ""))
            # A closed end is shown as root's, whoever had it
            return state != _ESTABLISHED or int(user) not in {os.getuid(), _ROOT}
    return False


def _connections() -> dict[tuple[str, str], tuple[str, str]]:
    """State and user id of every end of a TCP connection on this machine, by its own and its far address."""
    ends = {}
    for table in _TABLES:
        with suppress(OSError):
            for row in Path(table).read_text(encoding="utf-8").splitlines()[1:]:
                words = row.split()
                ends[words[1], words[2]] = words[3], words[7]
    return ends


def _written(address: Address) -> tuple[str, str]:
    """As the kernel writes it, in the machine's own order of bytes: as IPv4, and as IPv4 within IPv6."""
    four = socket.inet_aton(address[0])
    sixteen = bytes(10) + b"\xff\xff" + four
    hexadecimal = [
        "".join(f"{word:08X}" for (word,) in struct.iter_unpack("=I", raw)) for raw in (four, sixteen)
    ]
    return f"{hexadecimal[0]}:{address[1]:04X}", f"{hexadecimal[1]}:{address[1]:04X}"
