"""The database below a history: SQLite or PostgreSQL, with transactions, and back again after it was lost."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from oddlens.errors import UsageError, first_line, needs_package, printable
from oddlens.history.migrations import migrate
from oddlens.history.records import HistoryError
from oddlens.io.paths import is_dir

_BUSY_S = 30
_GIVE = "give a file, or postgresql://user:password@host/name"


class Database:
    """A database with the tables of this version, which are made where there are none, and migrated where they are older.

    Args:
        place: A file for SQLite, or the URL of a database.

    Attributes:
        name: What it is called, without a password.

    Raises:
        UsageError: The URL is of no database that can be used here.
        HistoryError: It cannot be opened, or a later version of oddlens wrote it.
    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        url = _url(place)
        self._file = Path(url.database or "") if url.drivername == "sqlite" else None
        self.name = printable(url.render_as_string() if self._file is None else str(self._file))
        self._known: tuple[int, int] | None = None
        self._engine = _engine(url)
        self._writes = threading.RLock() if self._file else nullcontext()  # SQLite has one writer
        try:
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                if is_dir(self._file):
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        except OSError as error:
            raise HistoryError(
                f"the history {self.name} cannot be made ({error.strerror}): give another --history or --home"
            ) from error
        self._prepare()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def connected(self, writes: bool = False) -> Iterator[Connection]:
        """A connection within one transaction, which is committed at the end. writes: whether anything is written."""
        self._find_again()
        with self._transaction("written" if writes else "read", writes) as connection:
            yield connection

    @contextmanager
    def _transaction(self, what: str, writes: bool) -> Iterator[Connection]:
        try:
            with (
                self._writes if writes else nullcontext(),
                self._engine.connect().execution_options(writes=writes) as connection,
                connection.begin(),
            ):
                yield connection
        except SQLAlchemyError as error:
            reason = first_line(getattr(error, "orig", None) or error)
            raise HistoryError(
                f"the history {self.name} cannot be {what} ({reason}): check the disk or the database server; the next call "
                "tries again"
            ) from error

    def _prepare(self) -> None:
        with self._transaction("opened", True) as connection:
            migrate(connection)
        self._known = self._place()

    def _place(self) -> tuple[int, int] | None:
        """Which file SQLite's is; None where there is none."""
        try:
            found = self._file and self._file.stat()
        except OSError:
            return None
        return (found.st_dev, found.st_ino) if found else None

    def _find_again(self) -> None:
        """Notice that SQLite's file is gone or another one: what is written would go nowhere. A new one is begun, and said."""
        if self._file is None or (self._known is not None and self._place() == self._known):
            return
        with self._writes:
            if self._known is not None and self._place() == self._known:  # another thread was here
                return
            was_lost = self._known is not None
            self._engine.dispose()
            self._prepare()
            if was_lost:
                raise HistoryError(
                    f"the history {self.name} was removed or replaced while it was in use: what it held is no longer known, and it "
                    "goes on with what is there now"
                )


def _url(place: str | os.PathLike[str]) -> URL:
    """The database that a file or a URL means. Raises `UsageError` for one of another kind."""
    text = os.fspath(place)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise UsageError(f"the history is no URL of a database: {_GIVE}") from error
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database not in (None, "", ":memory:"):
        return url
    raise UsageError(f"the history cannot be kept in {url.drivername}: {_GIVE}")


def _engine(url: URL) -> Engine:
    if url.drivername != "sqlite":
        with needs_package("psycopg", "a history in PostgreSQL needs psycopg: run pip install 'oddlens[postgres]'"):
            return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 5})
    engine = create_engine(url, connect_args={"timeout": _BUSY_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None  # transactions are begun below
        _write_ahead(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # a reader that turns writer may meet another one
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Readers and the writer do not wait for each other.

    Where several open a new file in the same moment, SQLite lets one turn to it and refuses the others at once: they try again.
    """
    until = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
