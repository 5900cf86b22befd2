"""Bringing a database to the tables of this version."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection, func, insert, inspect, select, text

from oddlens.history.records import HistoryError
from oddlens.history.tables import METADATA, VERSIONS, searched


def _search(connection: Connection) -> None:
    """Version 2 holds what is searched in a column and an index, and the named defects in another one."""
    connection.execute(text("ALTER TABLE oddlens_inspection ADD COLUMN searched TEXT DEFAULT '' NOT NULL"))
    rows = connection.execute(text("SELECT id, source, defect, comment FROM oddlens_inspection"))
    for some in rows.partitions(10_000):
        values = [{"number": number, "searched": searched(*texts)} for number, *texts in some]
        connection.execute(text("UPDATE oddlens_inspection SET searched = :searched WHERE id = :number"), values)
    if connection.dialect.name == "sqlite":
        connection.execute(text("DROP INDEX oddlens_inspection_time"))
        columns = "station, time, id, outcome, score, said, searched"
        connection.execute(text(f"CREATE INDEX oddlens_inspection_search ON oddlens_inspection ({columns})"))
    columns = "station, time, defect, region_name, said, outcome"
    named = "defect IS NOT NULL OR region_name IS NOT NULL"
    connection.execute(text(f"CREATE INDEX oddlens_inspection_named ON oddlens_inspection ({columns}) WHERE {named}"))


STEPS: tuple[Callable[[Connection], None], ...] = (_search,)
"""What makes version 2 of version 1, and so on. A step is never changed once it was released: add another one."""

VERSION = len(STEPS) + 1

_LOCK = 0x0DD1E45  # any number that all of us take, and nobody else


def migrate(connection: Connection) -> None:
    """Create the tables, or bring them to `VERSION`, within the transaction of the connection.

    Raises `HistoryError` where a later version of oddlens wrote them.
    """
    if connection.dialect.name == "postgresql":  # another service may start at the same time
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if not inspect(connection).has_table(VERSIONS.name):
        METADATA.create_all(connection)
        _say(connection, VERSION)
        return
    found = connection.scalar(select(func.max(VERSIONS.c.version))) or 0
    if found > VERSION:
        raise HistoryError(
            f"the history is of version {found}, of a later oddlens (this one knows {VERSION}): upgrade oddlens, or give another "
            "--history"
        )
    for number, step in enumerate(STEPS[found - 1 :], found + 1):
        step(connection)
        _say(connection, number)


def _say(connection: Connection, version: int) -> None:
    connection.execute(insert(VERSIONS), {"version": version, "time": time.time_ns() // 1000})
