"""Encrypted files of one folder: Fernet, mode 0600, replaced atomically."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken

from authnb.errors import StorageError
from authnb.storage import owner_only
from authnb.storage.cipher import find_cipher, make_cipher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_VERSION = b"1"


class EncryptedFiles:
    """Reads and writes the files of a folder that begin with this header, each encrypted with the folder's key."""

    def __init__(self, directory: Path, header: bytes) -> None:
        self._directory, self._header = directory, header
        self.cipher: Fernet | None = None  # in use, once there was something to read or write

    def read(self, path: Path) -> bytes | None:
        """What the file holds, or None without it; `StorageError` if it cannot be read."""
        content = owner_only.read(path)
        if content is None:
            return None
        header, _, body = content.partition(b"\n")
        if not header.startswith(self._header):
            raise corrupt(path, "it is not a file of authnb's")
        if header != self._header + _VERSION:
            raise StorageError(
                "later_version",
                f"{path} was written by a later authnb. Update authnb to use it, or choose another profile= or "
                "AUTHNB_HOME.",
            )
        return self._decrypt(path, body)

    def write(self, path: Path, content: bytes) -> None:
        """Replace the file, atomically. Its lock must be held."""
        if self.cipher is None:
            self.cipher = make_cipher(self._directory)
        owner_only.write(path, self._header + _VERSION + b"\n" + self.cipher.encrypt(content))

    def _ciphers(self) -> Iterator[Fernet]:
        """The cipher in use, then that of the key as it is now: a keyring is asked only if need be."""
        if self.cipher is not None:
            yield self.cipher
        if (found := find_cipher(self._directory)) is not None:
            yield found

    def _decrypt(self, path: Path, body: bytes) -> bytes:
        for cipher in self._ciphers():
            try:
                content = cipher.decrypt(body)
            except InvalidToken:
                continue
            self.cipher = cipher
            return content
        self.cipher = None
        raise corrupt(path, "the key beside it does not decrypt it")


def corrupt(path: Path, why: str) -> StorageError:
    """The error for a file that can never be read again."""
    return StorageError("corrupt", f"{path} cannot be used: {why}. Sign in again; that replaces it.")
