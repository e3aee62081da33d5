"""The database: SQLite in memory, in a file of one's own, or any other SQLAlchemy URL."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import QueuePool, create_engine, event, make_url
from sqlalchemy.orm import Session, sessionmaker

from authnb.demo.models import Base

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection


class Database:
    """An open database with its tables. What is in memory ends with `close`, and with the process however it ends.

    To SQLite there is one connection, which the threads take in turn, a transaction each: a database in memory
    belongs to its connection, and whoever waits for the pool waits less than for SQLite's lock, which is polled.
    """

    def __init__(self, url: str | Path | URL | None = None) -> None:
        if url is None or str(url) in {":memory:", "sqlite:///:memory:"}:
            url = "sqlite://"
        url = make_url(f"sqlite:///{url}" if isinstance(url, Path) else url)
        options: dict[str, Any] = {}
        if url.get_backend_name() == "sqlite":
            shared = {"check_same_thread": False}
            options = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "connect_args": shared}

        # Rows hold password hashes and keys, and an engine logs rows and parameters at DEBUG.
        logging.getLogger("sqlalchemy.engine.Engine.authnb-demo").setLevel(logging.WARNING)
        self.engine = create_engine(url, hide_parameters=True, logging_name="authnb-demo", **options)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _set_up_sqlite)
            event.listen(self.engine, "begin", _begin_immediate)
        try:
            with self.engine.begin() as connection:
                Base.metadata.create_all(connection)
        except BaseException:
            self.close()
            raise
        self.sessions: sessionmaker[Session] = sessionmaker(self.engine, expire_on_commit=False)
        self.reading = self.engine.execution_options(reads_only=True)  # for a statement that stands alone

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # or sqlite3 would begin transactions itself, too late for a lock
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_immediate(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail with "database is locked" beside another writer.
    if not connection.get_execution_options().get("reads_only"):
        connection.connection.cursor().execute("BEGIN IMMEDIATE")
