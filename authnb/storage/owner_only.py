"""Files that only their owner can read, replaced atomically.

Modes are not under our control: Kubernetes opens the files of a volume to the group in ``fsGroup`` at each start. Where
a folder and its files are the user's, their modes are put right; what cannot be put right is not used.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from authnb import compat
from authnb.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import FileLock

LOCK_TIMEOUT = 45.0  # seconds; longer than a token request takes at most
_MAX_SIZE = 1 << 20  # bytes
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_POLL = 0.01  # seconds between two attempts to acquire a lock
_NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}  # of file systems that have no fsync
_NAME = re.compile(
    r"(?:key|[a-z0-9.-]*-[0-9a-f]{16}\.(?:signin|registration))(?:\.new|\.lock)?|cache"
)  # no other file is ours
_SHARED = "it was left so, for it is shared or holds other files"
_IGNORES_CHMOD = "its file system ignores chmod, as a Windows disk does in WSL"


def read(path: Path) -> bytes | None:
    """The content of a file, or None without one; `StorageError` if others can read it."""
    try:
        descriptor = _open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _os_failure("Reading", path, error) from None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - opened above with flags
        return file.read(_MAX_SIZE)


def write(path: Path, content: bytes) -> None:
    """Replace a file's content atomically: a crash leaves the old content or the new."""
    try:
        _write(_temporary_path(path), content)
        _temporary_path(path).replace(path)
        compat.sync_directory(path.parent)
    except OSError as error:
        raise _os_failure("Writing", path, error) from None


def reserve_space(path: Path, size: int) -> None:
    """Reserve disk space for `write`; raises `StorageError` before anything is lost."""
    try:
        compat.make_folder(path.parent)
        _write(_temporary_path(path), bytes(size))
    except OSError as error:
        release_space(path)
        raise _os_failure("Making room for", path, error) from None


def release_space(path: Path) -> None:
    """Free the space that `reserve_space` reserved, if `write` did not use it."""
    with suppress(OSError):
        _temporary_path(path).unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Delete a file, if it exists."""
    try:
        path.unlink(missing_ok=True)
        _temporary_path(path).unlink(missing_ok=True)
    except OSError as error:
        raise _os_failure("Deleting", path, error) from None


def file_lock(path: Path) -> FileLock:
    """The lock file beside a file; reentrant within a thread."""
    from filelock import FileLock  # noqa: PLC0415 - slow to import, and reading needs no lock

    return FileLock(path.with_name(path.name + ".lock"), timeout=LOCK_TIMEOUT, mode=compat.OWNER_ONLY)


@contextmanager
def acquire(lock: FileLock) -> Iterator[None]:
    """Hold a lock; `StorageError` if another process does not release it in time."""
    from filelock import Timeout  # noqa: PLC0415 - loaded with the lock

    path = lock.lock_file
    try:
        compat.make_folder(Path(path).parent)
        lock.acquire(poll_interval=_POLL)
    except Timeout:
        raise StorageError(
            "locked",
            f"Another process has held {path} for {LOCK_TIMEOUT:.0f} seconds. If it is stopped or stuck, end it; then "
            "try again.",
        ) from None
    except (OSError, NotImplementedError) as error:
        raise _os_failure("Locking", path, error) from None
    try:
        yield
    finally:
        lock.release()


def _temporary_path(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _write(path: Path, content: bytes) -> None:
    with open(_open_temporary(path), "wb") as file:
        file.write(content)
        file.truncate()
        file.flush()
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise


def _open(path: Path, flags: int) -> int:
    """`compat.open_private`, once more after the modes are put right."""
    try:
        return compat.open_private(path, flags)
    except compat.NotPrivateError as error:
        if not error.owned:
            raise
    tried = compat.close_to_others(path.parent, _is_ours)
    try:
        return compat.open_private(path, flags)
    except compat.NotPrivateError as error:
        if error.owned:
            error.strerror = f"{error.strerror}, and {_IGNORES_CHMOD if tried else _SHARED}"
        raise


def _is_ours(name: str) -> bool:
    return bool(_NAME.fullmatch(name))


def _open_temporary(path: Path) -> int:
    """A descriptor of a new file; of the present one where it is reserved, or a killed process left it."""
    with suppress(FileExistsError):
        return _open(path, _NEW)
    try:
        return _open(path, os.O_WRONLY)
    except OSError as error:
        if isinstance(error, compat.NotPrivateError) and error.filename != str(path):
            raise  # the folder's fault
        path.unlink(missing_ok=True)  # a link, or the file of another user
        return _open(path, _NEW)


def _os_failure(operation: str, path: object, error: Exception) -> StorageError:
    if isinstance(error, compat.NotPrivateError):
        return StorageError(
            "not_private",
            f"{error.filename} was not used: {error.strerror}. Set AUTHNB_HOME to another folder of your own, which "
            "holds nothing else.",
        )
    reason = getattr(error, "strerror", None) or str(error)
    return StorageError(
        "not_stored",
        f"{operation} {path} failed: {reason}. Make room or give yourself access, or set AUTHNB_HOME to another "
        "folder.",
    )
