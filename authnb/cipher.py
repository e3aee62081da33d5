"""The key that encrypts what is on disk: in the operating system's keyring where one works, else in a file."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from cryptography.fernet import Fernet

from authnb import private
from authnb.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEYRING_TIMEOUT = 5.0  # seconds; one that asks a person who is not there never answers
_SERVICE = "authnb"
_IN_KEYRING = b"keyring"

T = TypeVar("T")


def find_cipher(directory: Path) -> Fernet | None:
    """The cipher for files in this directory, or None if none was made yet.

    Raises `StorageError` if its key is in a keyring that does not hand it out.
    """
    content = private.read(directory / "key")
    if content == _IN_KEYRING:
        content = _from_keyring(str(directory))
    return None if content is None else _fernet(content, directory)


def make_cipher(directory: Path) -> Fernet:
    """The cipher for files in this directory, its key made now unless there is one."""
    path = directory / "key"
    with private.held(private.lock_of(path)):
        found = find_cipher(directory)
        if found is not None:
            return found
        key = Fernet.generate_key()
        private.write(path, _IN_KEYRING if _into_keyring(str(directory), key) else key)
        return Fernet(key)


def _fernet(key: bytes, directory: Path) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        raise StorageError(
            "bad_key",
            f"The key of {directory} is damaged, and what it encrypted is lost. Delete that folder and sign in again.",
        ) from None


def _into_keyring(name: str, key: bytes) -> bool:
    """Whether a keyring took the key and gives it back."""

    def try_out() -> bool:
        keyring = _keyring()
        if keyring is None:
            return False
        keyring.set_password(_SERVICE, name, key.decode())
        return bool(keyring.get_password(_SERVICE, name) == key.decode())

    try:
        return _in_time(try_out)
    except Exception:  # noqa: BLE001 - keyrings fail in ways of their own; the file is the answer to all
        return False


def _from_keyring(name: str) -> bytes:
    def ask() -> str | None:
        keyring = _keyring()
        return None if keyring is None else keyring.get_password(_SERVICE, name)

    try:
        found = _in_time(ask)
    except Exception as error:  # noqa: BLE001 - keyrings fail in ways of their own
        found, why = None, type(error).__name__
    else:
        why = "it holds none"
    if found is None:
        raise StorageError(
            "no_key",
            f"The key to the stored sign-ins is in this computer's keyring, which did not give it ({why}). Unlock the "
            f"keyring and try again; or delete {name} and sign in anew.",
        )
    return found.encode()


def _keyring() -> Any:
    """The keyring in use here; None if there is none, or none worth the name."""
    try:
        import keyring  # noqa: PLC0415 - optional, and slow to load
    except ImportError:
        return None
    backend = keyring.get_keyring()
    # keyring's own scale: below 1 are plain files and the backend that fails
    return backend if backend.priority >= 1 else None


def _in_time(deed: Callable[[], T]) -> T:
    """What ``deed`` returns or raises, or `TimeoutError`: then its thread is left to itself."""
    done: Future[T] = Future()

    def work() -> None:
        try:
            done.set_result(deed())
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            done.set_exception(error)

    threading.Thread(target=work, name="authnb-keyring", daemon=True).start()
    return done.result(KEYRING_TIMEOUT)
