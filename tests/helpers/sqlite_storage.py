"""A storage of one's own: sign-ins in an SQLite table. Nothing is encrypted: they are as safe as the database."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from authnb import Account, SignIn

if TYPE_CHECKING:
    from collections.abc import Iterator


class SQLiteStorage:
    """Keeps sign-ins in the table ``sign_ins`` of a database."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()  # the connection of the thread that holds the lock
        with self._transaction() as database:
            database.execute("create table if not exists sign_ins (account primary key, content)")

    def load(self, account: Account) -> SignIn | None:
        """What was saved last, or None."""
        with self._transaction() as database:
            found = database.execute("select content from sign_ins where account = ?", [repr(account)])
            row = found.fetchone()
        return SignIn.from_json(row[0]) if row else None

    def save(self, account: Account, sign_in: SignIn) -> None:
        """Keep this in place of what was there."""
        with self._transaction() as database:
            values = [repr(account), sign_in.to_json()]
            database.execute("insert or replace into sign_ins values (?, ?)", values)

    def remove(self, account: Account) -> None:
        """Forget it."""
        with self._transaction() as database:
            database.execute("delete from sign_ins where account = ?", [repr(account)])

    @contextmanager
    def lock(self, account: Account) -> Iterator[None]:  # noqa: ARG002 - one lock for all accounts
        """Held while a token is renewed: what is done inside is one transaction."""
        with self._transaction():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        held = getattr(self._local, "held", None)
        if held is not None:
            yield held
            return
        with closing(sqlite3.connect(self._path, timeout=45, isolation_level=None)) as database:
            database.execute("begin immediate")
            self._local.held = database
            try:
                yield database
            except BaseException:
                database.execute("rollback")
                raise
            else:
                database.execute("commit")
            finally:
                self._local.held = None
