"""The database: SQLite in memory, in a file of one's own, or any other SQLAlchemy URL."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import QueuePool, create_engine, event, exc, inspect, make_url
from sqlalchemy.orm import Session, sessionmaker

from authnb.demo.database.models import Base

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

DatabaseError = exc.SQLAlchemyError  # as `Database` raises it


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
            if url.database and not url.database.startswith((":", "file:")):
                _keep_to_owner(Path(url.database))
            shared = {"check_same_thread": False}
            options = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "connect_args": shared}

        # Rows hold password hashes and keys, and an engine logs rows and parameters at DEBUG.
        logging.getLogger("sqlalchemy.engine.Engine.authnb-demo").setLevel(logging.WARNING)
        self.engine: Engine = create_engine(url, hide_parameters=True, logging_name="authnb-demo", **options)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _set_up_sqlite)
            event.listen(self.engine, "begin", _begin_immediate)
        try:
            with self.engine.begin() as connection:
                Base.metadata.create_all(connection)
                _add_columns(connection)
        except BaseException:
            self.close()
            raise
        self.sessions: sessionmaker[Session] = sessionmaker(self.engine, expire_on_commit=False)
        self.reading: Engine = self.engine.execution_options(
            reads_only=True
        )  # for a statement that stands alone

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _add_columns(connection: Connection) -> None:
    """Add the columns that an earlier version did not have; they may all be null."""
    known = inspect(connection)
    for table in Base.metadata.tables.values():
        present = {column["name"] for column in known.get_columns(table.name)}
        for column in table.columns:
            if column.name not in present:
                kind = column.type.compile(connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}")


def _keep_to_owner(path: Path) -> None:
    """Make a database file that its owner alone can open, whatever the umask; SQLite's other files have its mode."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    path.chmod(0o600)


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
