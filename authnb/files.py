"""Sign-ins on disk: an encrypted file for each, found again after a restart and shared by all processes."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken

from authnb import private
from authnb.cipher import find_cipher, make_cipher
from authnb.errors import StorageError
from authnb.storage import Account, SignIn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import FileLock

_HEAD = b"authnb sign-in "
_VERSION = b"1"
_SUFFIX = ".signin"
_ROOM = 8192  # bytes by which a renewed token may be longer


def home() -> Path:
    """The folder for stored sign-ins: ``AUTHNB_HOME``, else where the operating system keeps such data."""
    if chosen := os.environ.get("AUTHNB_HOME"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path  # noqa: PLC0415 - not needed where one is chosen

    return user_data_path("authnb", appauthor=False)


class FileStorage:
    """Keeps each sign-in in a file of its own, encrypted (Fernet), mode 0600, replaced atomically.

    ``directory`` is `home()` unless given. Its methods raise `StorageError`: ``corrupt`` for what can never be
    read again, ``later_version``, ``not_private``, ``no_key``, ``locked``, ``not_stored``.
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        self._directory = home() if directory is None else Path(directory).absolute()
        self._locks: dict[tuple[int, Account], FileLock] = {}
        self._cipher: Fernet | None = None

    def __repr__(self) -> str:
        return f"FileStorage({str(self._directory)!r})"

    def __reduce__(self) -> tuple[type[FileStorage], tuple[str]]:
        return FileStorage, (str(self._directory),)

    def load(self, account: Account) -> SignIn | None:
        """What was saved last, or None."""
        found = self._read(self._path(account))
        if found is None:
            return None
        kept, sign_in = found
        if kept != account:
            raise _corrupt(self._path(account), "it belongs to another account")
        return sign_in

    def save(self, account: Account, sign_in: SignIn) -> None:
        """Keep this in place of what was there, wholly or not at all."""
        with self._held(account):
            if self._cipher is None:
                self._cipher = make_cipher(self._directory)
            content = self._cipher.encrypt(_dump(account, sign_in))
            private.write(self._path(account), _HEAD + _VERSION + b"\n" + content)

    def remove(self, account: Account) -> None:
        """Forget it; nothing happens if there is none."""
        with self._held(account):
            private.remove(self._path(account))

    @contextmanager
    def lock(self, account: Account) -> Iterator[None]:
        """Held while a token is renewed: by one thread of one process on this machine."""
        path = self._path(account)
        with self._held(account):
            size = path.stat().st_size if path.exists() else 0
            private.reserve(path, size + _ROOM)
            try:
                yield
            finally:
                private.give_back(path)

    def accounts(self) -> Iterator[tuple[Account, SignIn] | StorageError]:
        """Every sign-in in the folder, or why it cannot be read."""
        for path in sorted(self._directory.glob("*" + _SUFFIX)):
            try:
                found = self._read(path)
            except StorageError as error:
                yield error
            else:
                if found is not None:
                    yield found

    def _path(self, account: Account) -> Path:
        name = json.dumps([account.profile, account.issuer, account.client_id])
        host = re.sub(r"[^a-z0-9.-]", "-", (urlsplit(account.issuer).hostname or "").lower())[:60]
        return self._directory / f"{host}-{hashlib.sha256(name.encode()).hexdigest()[:16]}{_SUFFIX}"

    def _held(self, account: Account) -> Any:
        # By process: a lock does not survive a fork
        lock = self._locks.setdefault((os.getpid(), account), private.lock_of(self._path(account)))
        return private.held(lock)

    def _read(self, path: Path) -> tuple[Account, SignIn] | None:
        content = private.read(path)
        if content is None:
            return None
        head, _, body = content.partition(b"\n")
        if not head.startswith(_HEAD):
            raise _corrupt(path, "it is none of authnb's")
        if head != _HEAD + _VERSION:
            raise StorageError(
                "later_version",
                f"{path} was written by a later authnb. Update authnb to use it, or choose another profile= or "
                "AUTHNB_HOME.",
            )
        return _parse(self._decrypt(path, body), path)

    def _decrypt(self, path: Path, body: bytes) -> bytes:
        for cipher in (self._cipher, find_cipher(self._directory)):
            if cipher is None:
                continue
            try:
                content = cipher.decrypt(body)
            except InvalidToken:
                continue
            self._cipher = cipher
            return content
        self._cipher = None
        raise _corrupt(path, "it does not fit the key beside it")


def _dump(account: Account, sign_in: SignIn) -> bytes:
    return json.dumps({"account": asdict(account), "sign_in": sign_in.to_json()}).encode()


def _parse(content: bytes, path: Path) -> tuple[Account, SignIn]:
    try:
        whole = json.loads(content)
        return Account(**whole["account"]), SignIn.from_json(whole["sign_in"])
    except (ValueError, TypeError, KeyError, RecursionError, StorageError):
        raise _corrupt(path, "its content is not what authnb writes") from None


def _corrupt(path: Path, why: str) -> StorageError:
    return StorageError("corrupt", f"{path} cannot be used: {why}. Sign in again; that replaces it.")
