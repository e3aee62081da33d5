"""Files that only their owner can read, written wholly or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from authnb.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import FileLock

LOCK_TIMEOUT = 45.0  # seconds; longer than any answer of a provider is waited for
_LONGEST = 1 << 20  # bytes
_POLL = 0.01  # seconds between two tries for a lock
_ONLY_US = 0o600
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def read(path: Path) -> bytes | None:
    """What the file holds, or None without one; `StorageError` if others can read it too."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed("Reading", path, error) from None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - its flags were given above
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if os.name == "posix" and mode & 0o077:
            raise StorageError(
                "not_private",
                f"{path} was not used: others on this machine may open it (mode {mode:o}). If nobody else did, run: "
                f"chmod 600 '{path}'. Else delete it and sign in again.",
            )
        return file.read(_LONGEST)


def write(path: Path, content: bytes) -> None:
    """Put this in place of what the file held: a crash at any moment leaves the one or the other."""
    try:
        _write(_beside(path), content)
        _beside(path).replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise _failed("Writing", path, error) from None


def reserve(path: Path, size: int) -> None:
    """Make sure that `write` has room: now, while nothing is lost if there is none."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(_beside(path), bytes(size))
    except OSError as error:
        give_back(path)
        raise _failed("Making room for", path, error) from None


def give_back(path: Path) -> None:
    """Free the room that `reserve` made and nothing was written to."""
    with suppress(OSError):
        _beside(path).unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Delete the file; nothing happens if there is none."""
    try:
        path.unlink(missing_ok=True)
        _beside(path).unlink(missing_ok=True)
    except OSError as error:
        raise _failed("Deleting", path, error) from None


def lock_of(path: Path) -> FileLock:
    """The lock that belongs to a file; in one thread it can be taken again while held."""
    from filelock import FileLock  # noqa: PLC0415 - takes its time to load, and reading needs no lock

    return FileLock(path.with_name(path.name + ".lock"), timeout=LOCK_TIMEOUT, mode=_ONLY_US)


@contextmanager
def held(lock: FileLock) -> Iterator[None]:
    """Hold a lock; `StorageError` if another process does not let go of it."""
    from filelock import Timeout  # noqa: PLC0415 - loaded with the lock

    path = lock.lock_file
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120 - a string already
        lock.acquire(poll_interval=_POLL)
    except Timeout:
        raise StorageError(
            "locked",
            f"Another process has held {path} for {LOCK_TIMEOUT:.0f} seconds. If it is stopped or stuck, end it; then "
            "try again.",
        ) from None
    except (OSError, NotImplementedError) as error:
        raise _failed("Locking", path, error) from None
    try:
        yield
    finally:
        lock.release()


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | _FLAGS, _ONLY_US)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - its flags were given above
        if os.name == "posix":
            os.fchmod(descriptor, _ONLY_US)  # what a killed process left behind is used again
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(descriptor)


def _sync_directory(path: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(deed: str, path: object, error: Exception) -> StorageError:
    why = getattr(error, "strerror", None) or str(error)
    return StorageError(
        "not_stored",
        f"{deed} {path} failed: {why}. Make room or give yourself access, or set AUTHNB_HOME to another folder.",
    )
