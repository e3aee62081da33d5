"""The database: SQLite in a temporary file, in a file of one's own, or any other SQLAlchemy URL."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from authnb.demo.models import Base

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection


class Database:
    """An open database with its tables; `close` also removes it if it was temporary.

    A private SQLite database in memory belongs to one connection, and this one is used by many threads; so
    what the caller calls "in memory" is a file in a temporary directory.
    """

    def __init__(self, url: str | Path | URL | None = None) -> None:
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        if url is None or str(url) in {":memory:", "sqlite://", "sqlite:///:memory:"}:
            self._directory = tempfile.TemporaryDirectory(prefix="authnb-demo-", ignore_cleanup_errors=True)
            url = Path(self._directory.name) / "demo.sqlite3"
        if isinstance(url, Path):
            url = f"sqlite:///{url}"

        # Rows hold password hashes and keys, and an engine logs rows and parameters at DEBUG.
        logging.getLogger("sqlalchemy.engine.Engine.authnb-demo").setLevel(logging.WARNING)
        self._engine = create_engine(url, hide_parameters=True, logging_name="authnb-demo")
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _set_up_sqlite)
            event.listen(self._engine, "begin", _begin_immediate)
        try:
            with self._engine.begin() as connection:
                Base.metadata.create_all(connection)
        except BaseException:
            self.close()
            raise
        self.sessions: sessionmaker[Session] = sessionmaker(self._engine, expire_on_commit=False)

    def close(self) -> None:
        """Close every connection; a temporary file goes with them."""
        self._engine.dispose()
        if self._directory:
            self._directory.cleanup()


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # or sqlite3 would begin transactions itself, too late for a lock
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_immediate(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail with "database is locked" beside another writer.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
