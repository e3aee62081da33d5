"""The encryption key of stored sign-ins: in the operating system's keyring if one works, else in a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from authnb.errors import StorageError
from authnb.storage import owner_only

if TYPE_CHECKING:
    from pathlib import Path

KEYRING_TIMEOUT = 10.0  # seconds; a keyring may wait for a person to unlock it, in a window of its own
_SERVICE = "authnb"
_IN_KEYRING = b"keyring"

# Priorities below 1 are those of plaintext files and of the failing backend
_ASK_KEYRING = f"""
import json, sys
request = json.load(sys.stdin)
sys.path += [folder for folder in request["path"] if folder not in sys.path]
found = error = None
usable = False
try:
    import keyring
    usable = keyring.get_keyring().priority >= 1
    if usable:
        entry = ({_SERVICE!r}, request["name"])
        if request["operation"] == "save":
            keyring.set_password(*entry, request["key"])
        found = keyring.get_password(*entry)
        if request["key"] not in (None, found):
            found = None
except BaseException as caught:  # a backend may exit or panic (SystemExit, pyo3): the answer says so
    error = type(caught).__name__
print(json.dumps([found, error, usable]))
"""
# Choices of PYTHON_KEYRING_BACKEND that are none, with those that this process finds out
_unusable: set[str | None] = {f"keyring.backends.{name}.Keyring" for name in ("fail", "null")}


def find_cipher(directory: Path) -> Fernet | None:
    """The cipher for files in this directory, or None if there is no key yet.

    Raises `StorageError` if the key is in a keyring that does not return it.
    """
    content = owner_only.read(directory / "key")
    if content == _IN_KEYRING:
        content = _load_from_keyring(str(directory))
    return None if content is None else _fernet(content, directory)


def make_cipher(directory: Path) -> Fernet:
    """The cipher for files in this directory; its key is generated if there is none."""
    path = directory / "key"
    with owner_only.acquire(owner_only.file_lock(path)):
        found = find_cipher(directory)
        if found is not None:
            return found
        key = Fernet.generate_key()
        owner_only.write(path, _IN_KEYRING if _save_to_keyring(str(directory), key) else key)
        return Fernet(key)


def _fernet(key: bytes, directory: Path) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        raise StorageError(
            "bad_key",
            f"The key of {directory} is damaged, and what it encrypted is lost. Delete that folder and sign in again.",
        ) from None


def _save_to_keyring(name: str, key: bytes) -> bool:
    """Whether a keyring stored the key and returns it."""
    try:
        return _ask_keyring("save", name, key.decode()) is not None
    except _KeyringError:
        return False  # then the key goes to a file


def _load_from_keyring(name: str) -> bytes:
    try:
        found, why = _ask_keyring("load", name), "it has no such entry"
    except _KeyringError as error:
        found, why = None, str(error)
    if found is None:
        raise StorageError(
            "no_key",
            f"The key to the stored sign-ins is in this computer's keyring, which did not return it ({why}). Unlock "
            f"the keyring and try again; or delete {name} and sign in anew.",
        )
    return found.encode()


class _KeyringError(Exception):
    """The keyring did not answer in time, or with an error; its text is the name of that."""


def _ask_keyring(operation: str, name: str, key: str | None = None) -> str | None:
    """The key that the keyring has after ``load`` or ``save``; None without it, or without a keyring that is usable.

    In a process of its own and without a terminal: some keyrings prompt for a password, and one that waits is killed.
    """
    backend = os.environ.get("PYTHON_KEYRING_BACKEND")
    if find_spec("keyring") is None or getattr(sys, "frozen", False) or backend in _unusable:
        return None
    request = json.dumps({"operation": operation, "name": name, "key": key, "path": sys.path})
    variables = {
        name: value for name, value in os.environ.items() if name not in {"GPG_TTY", "PYTHONWARNINGS"}
    }
    try:
        with subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", _ASK_KEYRING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=variables,
            start_new_session=True,
        ) as process:
            try:
                answer, _ = process.communicate(request, timeout=KEYRING_TIMEOUT)
            except BaseException:
                process.kill()
                raise
        found, error, usable = json.loads(answer)
    except subprocess.TimeoutExpired:
        raise _KeyringError("TimeoutError") from None
    except (OSError, ValueError, TypeError) as failure:
        raise _KeyringError(type(failure).__name__) from None
    if error is not None:
        raise _KeyringError(str(error))
    if not usable:
        _unusable.add(backend)
    return None if found is None else str(found)
