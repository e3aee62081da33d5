"""Where a sign-in is kept: in this process by default. `authnb.files` keeps it on disk, encrypted."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from authnb.answers import Token
from authnb.errors import ProviderError, StorageError
from authnb.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


@dataclass(frozen=True, kw_only=True)
class Account:
    """Under which name a sign-in is kept: one person's ``profile`` at one issuer, for one client."""

    profile: str
    issuer: str
    client_id: str


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """What is kept of a sign-in: the token, the provider it came from, and the scope that was asked for."""

    token: Token
    provider: Provider
    scope: str

    def to_json(self) -> str:
        """All of it as text, tokens too: for a storage to keep where nobody else can read it."""
        provider = {f.name: getattr(self.provider, f.name) for f in fields(Provider) if f.init}
        return json.dumps({"token": self.token, "provider": provider, "scope": self.scope}, default=asdict)

    @classmethod
    def from_json(cls, text: str | bytes) -> SignIn:
        """What `to_json` gave; `StorageError` with the code ``corrupt`` for anything else."""
        try:
            whole = json.loads(text)
            known = {f.name for f in fields(Provider) if f.init}
            named = [(k, v) for k, v in whole["provider"].items() if k in known]
            provider: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in named}
            return cls(token=Token(whole["token"]), provider=Provider(**provider), scope=str(whole["scope"]))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ProviderError):
            raise StorageError(
                "corrupt", "What was stored is no sign-in. Sign in again; that replaces it."
            ) from None


class TokenStorage(Protocol):
    """A place for sign-ins. Each method may raise `StorageError`; none loses what was saved before.

    The code ``corrupt`` says that what is there can never be read again and may be overwritten; with any other
    it is left alone.
    """

    def load(self, account: Account) -> SignIn | None:
        """What was saved last, or None."""

    def save(self, account: Account, sign_in: SignIn) -> None:
        """Keep this in place of what was there, wholly or not at all."""

    def remove(self, account: Account) -> None:
        """Forget it; nothing happens if there is none."""

    def lock(self, account: Account) -> AbstractContextManager[None]:
        """Held while a token is renewed, so that of several users of one account only one renews.

        Its holder loads, saves and removes. A storage that could not save raises here, before the provider
        is asked for what would be lost.
        """


class MemoryStorage:
    """Keeps sign-ins for the life of this process."""

    def __init__(self) -> None:
        self._kept: dict[Account, SignIn] = {}
        self._locks: dict[tuple[int, Account], threading.Lock] = {}  # by process: a forked one has its own

    def __repr__(self) -> str:
        return f"MemoryStorage({len(self._kept)} kept)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "This sign-in is kept in the memory of its process and is not pickled. Sign in with remember=True and "
            "a session finds itself again in other processes on this machine; or hand over headers_for(url)."
        )

    def load(self, account: Account) -> SignIn | None:
        """What was saved last, or None."""
        return self._kept.get(account)

    def save(self, account: Account, sign_in: SignIn) -> None:
        """Keep this in place of what was there."""
        self._kept[account] = sign_in

    def remove(self, account: Account) -> None:
        """Forget it."""
        self._kept.pop(account, None)

    @contextmanager
    def lock(self, account: Account) -> Iterator[None]:
        """Held while a token is renewed."""
        with self._locks.setdefault((os.getpid(), account), threading.Lock()):
            yield


memory = MemoryStorage()
