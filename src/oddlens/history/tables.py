"""The tables, the same in SQLite and PostgreSQL.

Inspections are narrow rows, so that a hundred thousand of them are searched in no time; what only one of them is asked for lies in
`details`. Times are microseconds since 1970 in UTC. JSON is text, in ASCII: a text of PostgreSQL takes no null character.
"""

from __future__ import annotations

from typing import overload

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)  # fmt: skip
from sqlalchemy.sql.schema import SchemaItem

METADATA = MetaData()


@overload
def as_text(text: str) -> str: ...
@overload
def as_text(text: str | None) -> str | None: ...
def as_text(text: str | None) -> str | None:
    """A text that a database takes: null characters and bytes of undecodable names are written as escapes."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def searched(*texts: str | None) -> str:
    """What is searched for words, in upper or lower case of any alphabet, which SQLite does not know."""
    return "\n".join(filter(None, texts)).casefold()


_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # of which SQLite makes its own row number


def _number(of: str) -> Column[int]:
    """A column with the number of a row in another table."""
    return Column(f"{of}_id", _NUMBER, ForeignKey(f"oddlens_{of}.id"), nullable=False)


def _table(name: str, *columns: SchemaItem) -> Table:
    """A table whose rows are numbered. No number is given twice, also after the last row was removed."""
    return Table(
        f"oddlens_{name}", METADATA, Column("id", _NUMBER, primary_key=True), *columns, sqlite_autoincrement=True
    )


VERSIONS = _table("version", Column("version", Integer, nullable=False), Column("time", BigInteger, nullable=False))
"""Which versions the tables had: the highest one counts."""

IDENTITIES = _table(
    "identity", Column("sha256", String(64), nullable=False, unique=True), Column("document", Text, nullable=False)
)

_READ = ("station", "time", "id", "outcome", "score", "said")

INSPECTIONS = _table(
    "inspection",
    Column("station", Text, nullable=False),
    Column("station_version", Integer, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("map_digest", String(64)),
    _number("identity"),
    Column("outcome", Text, nullable=False),
    Column("score", Double),
    Column("error", Text),
    Column("ms", Double, nullable=False),
    Column("audit", Boolean, nullable=False),
    Column("key", Text),
    Column("region_name", Text),  # what the hottest region may be
    Column("said", Text),  # of the last feedback, as the next three
    Column("defect", Text),
    Column("comment", Text),
    Column("reviewer", Text),
    Column("searched", Text, nullable=False, server_default=""),
    UniqueConstraint("station", "key", name="oddlens_inspection_key"),
    # Counts, hours, trends, scores and what is searched are read from one index alone; PostgreSQL's take no long texts.
    Index("oddlens_inspection_time", *_READ).ddl_if(dialect="postgresql"),
    Index("oddlens_inspection_search", *_READ, "searched").ddl_if(dialect="sqlite"),
    Index("oddlens_inspection_score", "station", "score", "id"),
    Index("oddlens_inspection_any_time", "time", "id"),
    Index("oddlens_inspection_digest", "digest", "station", "origin"),
    Index("oddlens_inspection_map", "map_digest"),
)

NAMED = INSPECTIONS.c.defect.is_not(None) | INSPECTIONS.c.region_name.is_not(None)
"""Inspections of which a defect is named: few, so that they have an index of their own."""

Index(
    "oddlens_inspection_named",
    *(INSPECTIONS.c[name] for name in ("station", "time", "defect", "region_name", "said", "outcome")),
    sqlite_where=NAMED,
    postgresql_where=NAMED,
)

DETAILS = Table(
    "oddlens_details",
    METADATA,
    Column("inspection_id", _NUMBER, ForeignKey("oddlens_inspection.id"), primary_key=True, autoincrement=False),
    Column("detection", Text),
    Column("range_low", Double),
    Column("range_high", Double),
    Column("range_label", Text),
)

FEEDBACK = _table(
    "feedback",
    _number("inspection"),
    Column("time", BigInteger, nullable=False),
    Column("said", Text, nullable=False),
    Column("defect", Text),
    Column("comment", Text),
    Column("reviewer", Text),
    Index("oddlens_feedback_inspection", "inspection_id"),
)

AUDIT = _table(
    "audit",
    Column("time", BigInteger, nullable=False),
    Column("station", Text, nullable=False),
    Column("who", Text),
    Column("what", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Index("oddlens_audit_station", "station", "id"),
)
