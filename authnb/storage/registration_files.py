"""Clients that authnb registered itself, each in an encrypted file beside the sign-ins."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authnb.errors import StorageError
from authnb.oauth.dynamic_registration import Registration
from authnb.storage import owner_only
from authnb.storage.encrypted import EncryptedFiles, corrupt
from authnb.storage.files import home
from authnb.storage.registrations import memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEADER = b"authnb registration "
_SUFFIX = ".registration"


class RegistrationFiles:
    """Keeps each registration in an encrypted file, beside the sign-ins.

    ``directory`` is `authnb.storage.files.home` unless given. What cannot be read is as if it were not there, for a
    client can be registered anew, and what cannot be kept is kept in `memory`; `entries` alone raises `StorageError`.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory: Path | None = directory
        if directory is None:
            with suppress(StorageError):
                self._directory = home()
        self._files = None if self._directory is None else EncryptedFiles(self._directory, _HEADER)

    def __repr__(self) -> str:
        return f"RegistrationFiles({str(self._directory)!r})"

    def load(self, issuer: str, used_for: str) -> Registration | None:
        """The registration, or None if there is none that can be used."""
        with suppress(StorageError):
            found = self._read(self._path(issuer, used_for))
            if found is not None and (found[0], found[1].issuer) == (used_for, issuer):
                return found[1]
        return memory.load(issuer, used_for)

    def save(self, used_for: str, registration: Registration) -> None:
        """Keep it, in place of the one before."""
        try:
            path = self._path(registration.issuer, used_for)
            with owner_only.acquire(owner_only.file_lock(path)):
                self._write(path, used_for, registration)
        except StorageError:
            memory.save(used_for, registration)

    def remove(self, used_for: str, registration: Registration) -> None:
        """Forget it, unless another has taken its place. Raises `StorageError`."""
        memory.remove(used_for, registration)
        path = self._path(registration.issuer, used_for)
        with owner_only.acquire(owner_only.file_lock(path)):
            if self._read(path) == (used_for, registration):
                owner_only.remove(path)

    def entries(self) -> Iterator[tuple[str, Registration] | StorageError]:
        """Every registration with what it is used for, or the error with which it cannot be read."""
        directory = home() if self._directory is None else self._directory  # which raises why there is none
        for path in sorted(directory.glob("*" + _SUFFIX)):
            try:
                found = self._read(path)
            except StorageError as error:
                yield error
            else:
                if found is not None:
                    yield found

    def _path(self, issuer: str, used_for: str) -> Path:
        directory = home() if self._directory is None else self._directory
        host = re.sub(r"[^a-z0-9.-]", "-", (urlsplit(issuer).hostname or "").lower())[:60]
        digest = hashlib.sha256(json.dumps([issuer, used_for]).encode()).hexdigest()[:16]
        return directory / f"{host}-{digest}{_SUFFIX}"

    def _write(self, path: Path, used_for: str, registration: Registration) -> None:
        content = {"used_for": used_for, "registration": registration.to_dict()}
        if self._files is not None:
            self._files.write(path, json.dumps(content).encode())

    def _read(self, path: Path) -> tuple[str, Registration] | None:
        content = None if self._files is None else self._files.read(path)
        if content is None:
            return None
        try:
            stored: Any = json.loads(content)
            return str(stored["used_for"]), Registration.from_dict(stored["registration"])
        except (ValueError, TypeError, KeyError, RecursionError):
            raise corrupt(path, "its content is not what authnb writes") from None
