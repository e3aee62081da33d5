"""Storage in files: one encrypted file for each sign-in, shared by all processes of a user."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authnb.errors import StorageError, without_frames
from authnb.storage import owner_only
from authnb.storage.base import Account, SignIn
from authnb.storage.encrypted import EncryptedFiles, corrupt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import FileLock

_HEADER = b"authnb sign-in "
_SUFFIX = ".signin"
_HEADROOM = 8192  # bytes reserved for a longer token response


def home() -> Path:
    """The folder of stored sign-ins: ``AUTHNB_HOME``, else the operating system's folder for user data.

    Raises `StorageError` where the user has no home folder, as one without an entry in the password database.
    """
    if directory := os.environ.get("AUTHNB_HOME"):
        try:
            return Path(directory).expanduser().absolute()
        except RuntimeError:
            raise StorageError(
                "not_stored", f"AUTHNB_HOME is {directory!r}, and there is no such user. Set it to a folder."
            ) from None
    from platformdirs import user_data_path  # noqa: PLC0415 - not needed with AUTHNB_HOME

    with suppress(RuntimeError):
        path = user_data_path("authnb", appauthor=False)
        if path.is_absolute():  # platformdirs before 4.4 leaves the tilde
            return path
    raise StorageError(
        "not_stored",
        "This user has no home folder: HOME is not set, and the password database does not have the user. Set "
        "AUTHNB_HOME to a folder of your own.",
    )


class FileStorage:
    """Stores each sign-in in a file of its own, encrypted (Fernet), mode 0600, replaced atomically.

    ``directory`` is `home()` unless given. The methods raise `StorageError`: ``corrupt`` for a file that can never be
    read again, ``later_version``, ``not_private``, ``no_key``, ``locked``, ``not_stored``.
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        self._no_home: StorageError | None = None  # raised on use: a sign-in itself needs no folder
        try:
            self._directory = home() if directory is None else Path(directory).absolute()
        except StorageError as error:
            self._no_home, self._directory = error, Path()
        self._locks: dict[tuple[int, Account], FileLock] = {}
        self._files = EncryptedFiles(self._directory, _HEADER)

    def __repr__(self) -> str:
        return f"FileStorage({str(self._directory)!r})"

    def __reduce__(self) -> tuple[type[FileStorage], tuple[str, ...]]:
        return FileStorage, () if self._no_home else (str(self._directory),)

    def load(self, account: Account) -> SignIn | None:
        """The stored sign-in, or None."""
        found = self._read(self._path(account))
        if found is None:
            return None
        stored_account, sign_in = found
        if stored_account != account:
            raise corrupt(self._path(account), "it belongs to another account")
        return sign_in

    def save(self, account: Account, sign_in: SignIn) -> None:
        """Replace the stored sign-in, atomically."""
        with self._acquire(account):
            self._files.write(self._path(account), _dump(account, sign_in))

    def remove(self, account: Account) -> None:
        """Delete the stored sign-in, if there is one."""
        with self._acquire(account):
            owner_only.remove(self._path(account))

    @contextmanager
    def lock(self, account: Account) -> Iterator[None]:
        """Held during a renewal, by one thread of one process on this machine; reserves space for the result."""
        path = self._path(account)
        with self._acquire(account):
            size = path.stat().st_size if path.exists() else 0
            owner_only.reserve_space(path, size + _HEADROOM)
            try:
                yield
            finally:
                owner_only.release_space(path)

    def accounts(self) -> Iterator[tuple[Account, SignIn] | StorageError]:
        """Every stored sign-in, or the error with which it cannot be read."""
        self._check_home()
        for path in sorted(self._directory.glob("*" + _SUFFIX)):
            try:
                found = self._read(path)
            except StorageError as error:
                yield error
            else:
                if found is not None:
                    yield found

    def _check_home(self) -> None:
        if self._no_home is not None:
            raise without_frames(self._no_home)

    def _path(self, account: Account) -> Path:
        self._check_home()
        name = json.dumps([account.profile, account.issuer, account.client_id])
        host = re.sub(r"[^a-z0-9.-]", "-", (urlsplit(account.issuer).hostname or "").lower())[:60]
        return self._directory / f"{host}-{hashlib.sha256(name.encode()).hexdigest()[:16]}{_SUFFIX}"

    def _acquire(self, account: Account) -> Any:
        # By process, as file locks are not inherited by a fork
        lock = self._locks.setdefault((os.getpid(), account), owner_only.file_lock(self._path(account)))
        return owner_only.acquire(lock)

    def _read(self, path: Path) -> tuple[Account, SignIn] | None:
        content = self._files.read(path)
        return None if content is None else _parse(content, path)


def _dump(account: Account, sign_in: SignIn) -> bytes:
    return json.dumps({"account": asdict(account), "sign_in": sign_in.to_json()}).encode()


def _parse(content: bytes, path: Path) -> tuple[Account, SignIn]:
    try:
        stored = json.loads(content)
        return Account(**stored["account"]), SignIn.from_json(stored["sign_in"])
    except (ValueError, TypeError, KeyError, RecursionError, StorageError):
        raise corrupt(path, "its content is not what authnb writes") from None
