"""What POSIX and Windows do differently, each with its substitute: nothing else in `authnb` asks for the platform.

Windows has no modes, no owner that a number names and no process that forks: there the access control lists of
the profile folder keep files to their owner. `authnb.demo` stands alone and is written for both.
"""

from __future__ import annotations

import errno
import getpass
import os
import signal
import socket
import stat
import sys
import threading
import warnings
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    ReadLine = Callable[[], str | None]


class ForkAware(Protocol):
    """An object with locks, connections or threads, which a forked process must not share with its parent."""

    def after_fork(self) -> None:
        """Replace them. Called in the forked process, before any other code runs there."""


OWNER_ONLY = 0o600  # mode of a file
_FOLDER_MODE = 0o700
_POLL_INTERVAL = 0.2  # seconds between two looks at whether a line is still wanted
# Python has none on Windows, and none in browsers
UNIX_SOCKETS: socket.AddressFamily | None = getattr(socket, "AF_UNIX", None)


class NotPrivateError(OSError):
    """A file or folder that is not the user's alone; ``strerror`` is the reason.

    ``owned``: whether it is the user's, so that only its mode is wrong.
    """

    def __init__(self, path: Path, reason: str, *, owned: bool) -> None:
        super().__init__(errno.EPERM, reason, str(path))
        self.owned = owned


if sys.platform == "win32":
    OPEN_FLAGS = os.O_BINARY | os.O_NOINHERIT
    REUSE_ADDRESS = False  # there it would share a port that is in use
    HAS_PUBLIC_COMMAND_LINES = False  # the arguments of a process are shown to its own user

    def open_private(path: Path, flags: int) -> int:
        """A descriptor of a file, which inherits the access control list of its folder."""
        return os.open(path, flags | OPEN_FLAGS)

    def open_secret(path: Path) -> int:
        """A descriptor of a file with a secret that somebody gave the user; its access control list is theirs."""
        return os.open(path, os.O_RDONLY | OPEN_FLAGS)

    def make_folder(path: Path) -> None:
        """Make a folder and those above it, which inherit the access control list of the profile."""
        path.mkdir(parents=True, exist_ok=True)

    def close_to_others(folder: Path, is_ours: Callable[[str], bool]) -> bool:  # noqa: ARG001 - there are no modes
        """Leave it to the access control lists; whether this could be tried."""
        return False

    def sync_directory(path: Path) -> None:
        """Leave it to NTFS, whose journal keeps a rename."""

    def bind_exclusively(listener: socket.socket) -> None:
        """Let nobody else bind the port this socket is bound to next."""
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)

    def is_root() -> bool:
        """Whether this process runs as root, against which Jupyter warns."""
        return False

    END_SIGNALS = (signal.SIGTERM, signal.SIGBREAK)  # with which others end a process

    def outlives_its_parent() -> bool:
        """Whether this process goes on when its parent ends; here nothing tells that it did."""
        return True

    def hidden_lines(prompt: str, wanted: Callable[[], bool]) -> AbstractContextManager[ReadLine]:  # noqa: ARG001 - POSIX's needs it
        """Reads lines from the terminal, not echoed; a console cannot be asked whether there is one yet."""
        return nullcontext(lambda: getpass.getpass(prompt))

    def after_fork(callback: Callable[[], None]) -> Callable[[], None]:
        """Return the function: no process forks."""
        return callback

    def no_fork() -> AbstractContextManager[None]:
        """Do nothing: no process forks."""
        return nullcontext()

else:
    import select

    OPEN_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC
    # Nobody else may share a port of ours all the same, and without it a port is closed for a minute after its use
    REUSE_ADDRESS = True
    HAS_PUBLIC_COMMAND_LINES = True
    _WRITABLE_BY_OTHERS = 0o022
    _ROOT = 0  # the number of the user

    def open_private(path: Path, flags: int) -> int:
        """A descriptor of a file that is the user's alone, in a folder where nobody else can put one.

        With ``O_CREAT | O_EXCL`` in ``flags`` its mode is 0600 whatever the umask. A link is not followed (ELOOP).
        Raises `NotPrivateError`. What was checked is what was opened: nothing can take its place in between.
        """
        with _closing(os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as folder:
            _check_private(path.parent, os.fstat(folder), _WRITABLE_BY_OTHERS)
            descriptor = os.open(path.name, flags | OPEN_FLAGS, OWNER_ONLY, dir_fd=folder)
            try:
                if flags & os.O_EXCL:
                    with suppress(
                        OSError
                    ):  # some file systems refuse it, and may have the right mode all the same
                        os.fchmod(descriptor, OWNER_ONLY)
                _check_private(path, os.fstat(descriptor), 0o077)
            except OSError:
                os.close(descriptor)
                if flags & os.O_EXCL:
                    os.unlink(path.name, dir_fd=folder)
                raise
            return descriptor

    def open_secret(path: Path) -> int:
        """A descriptor of a file with a secret that somebody gave the user, which nobody else can read or write.

        Raises `NotPrivateError`, as ssh(1) refuses such a key. Links are followed, and a file of root's may be readable
        by its group: so do volumes of Kubernetes hold secrets for a user who is not root. There is no wait for a pipe.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "it is no regular file", str(path))  # noqa: TRY301 - it is closed below
            mounted = found.st_uid == _ROOT and not is_root()
            _check_private(path, found, 0o037 if mounted else 0o077, owner=_ROOT if mounted else None)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def _check_private(path: Path, found: os.stat_result, others: int, owner: int | None = None) -> None:
        if found.st_uid != (os.geteuid() if owner is None else owner):
            raise NotPrivateError(path, f"it belongs to the user with the number {found.st_uid}", owned=False)
        if found.st_mode & others:
            reason = f"others have access to it, mode {stat.S_IMODE(found.st_mode):o}"
            raise NotPrivateError(path, reason, owned=True)

    def close_to_others(folder: Path, is_ours: Callable[[str], bool]) -> bool:
        """Give a folder of the user's and the files in it modes that keep others out; whether this could be tried.

        Only a folder without files but ``is_ours`` (by name) is changed, none with the sticky bit: such are shared.
        """
        with _closing(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as opened:
            names = os.listdir(opened)  # noqa: PTH208 - of what was opened, whatever its name is now
            found = os.fstat(opened)
            if found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX or not all(map(is_ours, names)):
                return False
            readable = [name for name in names if _close_file(opened, name) and found.st_mode & 0o001]
            if found.st_mode & _WRITABLE_BY_OTHERS:
                with suppress(OSError):  # as some file systems say that they keep no modes
                    os.fchmod(opened, _FOLDER_MODE)
        if readable:
            warnings.warn(
                f"Every user of this computer could read {readable[0]} in {folder}, which is closed to them now. If "
                "there are others, sign out (authnb logout) and sign in again.",
                stacklevel=2,
            )
        return True

    def _close_file(folder: int, name: str) -> bool:
        """Keep others out of a file of the user's; whether all users could read it."""
        with (
            suppress(OSError),
            _closing(os.open(name, os.O_RDONLY | os.O_NONBLOCK | OPEN_FLAGS, dir_fd=folder)) as opened,
        ):
            found = os.fstat(opened)
            if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & 0o077:
                os.fchmod(opened, OWNER_ONLY)
                return bool(found.st_mode & 0o004 and found.st_size)
        return False

    @contextmanager
    def _closing(descriptor: int) -> Iterator[int]:
        """Close a descriptor at the end of the block."""
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def make_folder(path: Path) -> None:
        """Make a folder and those above it where there are none, with mode 0700 whatever the umask."""
        if path.is_dir():
            return
        make_folder(path.parent)
        try:
            path.mkdir(_FOLDER_MODE)
        except FileExistsError:
            if not path.is_dir():
                raise
        else:
            with suppress(OSError):  # it is checked when it is used
                path.chmod(_FOLDER_MODE)

    def sync_directory(path: Path) -> None:
        """Write a folder's entries to disk, where its file system does that: a rename is not kept before (fsync(2))."""
        with suppress(OSError), _closing(os.open(path, os.O_RDONLY | os.O_CLOEXEC)) as descriptor:
            os.fsync(descriptor)

    def bind_exclusively(listener: socket.socket) -> None:
        """Do nothing: without SO_REUSEPORT nobody else can bind the port."""

    def is_root() -> bool:
        """Whether this process runs as root, against which Jupyter warns."""
        return os.geteuid() == 0

    END_SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # with which others end a process

    def outlives_its_parent() -> bool:
        """Whether this process goes on when its parent ends, as nohup(1) asks for."""
        return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

    @contextmanager
    def hidden_lines(prompt: str, wanted: Callable[[], bool]) -> Iterator[ReadLine]:  # noqa: ARG001 - Windows' shows it
        """Reads lines from the terminal, which echoes nothing until the block ends, also between two lines.

        A line is None at the end of the input, or once it is no longer ``wanted``.
        """
        import termios  # noqa: PLC0415 - Pyodide before 314 lacks it

        terminal = sys.stdin.fileno()

        def read_line() -> str | None:
            while wanted():
                if select.select([terminal], [], [], _POLL_INTERVAL)[0]:
                    return sys.stdin.readline() or None
            return None

        before = termios.tcgetattr(terminal)
        silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
        termios.tcsetattr(terminal, termios.TCSADRAIN, silent)
        try:
            yield read_line
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)

    def after_fork(callback: Callable[[], None]) -> Callable[[], None]:
        """A decorator: call this function in every process that is forked from this one."""
        os.register_at_fork(after_in_child=callback)
        return callback

    class _ForkLock:
        """Held while this process forks; replaced in the other, whose threads that waited for it are gone."""

        def __init__(self) -> None:
            self.lock = threading.RLock()  # a signal handler may fork

        def before(self) -> None:
            self.lock.acquire()

        def after_in_parent(self) -> None:
            self.lock.release()

        def after_in_child(self) -> None:
            self.lock = threading.RLock()

    _fork_lock = _ForkLock()
    os.register_at_fork(
        before=_fork_lock.before,
        after_in_parent=_fork_lock.after_in_parent,
        after_in_child=_fork_lock.after_in_child,
    )

    @contextmanager
    def no_fork() -> Iterator[None]:
        """Forks of this process wait until the block ends, which must not wait for anything itself."""
        with _fork_lock.lock:
            yield


_fork_aware: WeakSet[ForkAware] = WeakSet()


def register_fork_aware(instance: ForkAware) -> None:
    """Call ``instance.after_fork()`` in every process that is forked from this one, for as long as it exists."""
    _fork_aware.add(instance)


@after_fork
def _after_fork() -> None:
    for instance in tuple(_fork_aware):
        instance.after_fork()


def runs_in_browser() -> bool:
    """Whether Python runs in a browser (Pyodide, JupyterLite): it has no threads and no sockets there."""
    return sys.platform == "emscripten"
