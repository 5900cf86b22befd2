"""The history: every inspection, what people said of it, and who changed what, in SQLite or PostgreSQL."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVarTuple, get_args

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Row,
    Select,
    create_engine,
    event,
    func,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from oddlens.errors import UsageError, first_line, printable
from oddlens.service.history.filters import Filter, Page, Place, parts, to_number, to_time
from oddlens.service.history.migrations import migrate
from oddlens.service.history.pictures import Pictures
from oddlens.service.history.records import AuditEntry, FeedbackEntry, HistoryError, Inspection, NewInspection, Outcome
from oddlens.service.history.rows import WHOLE, Prepared, inspection_of
from oddlens.service.history.tables import AUDIT, FEEDBACK, INSPECTIONS, NAMED, as_text, searched

_Columns = TypeVarTuple("_Columns")

_BUSY_S = 30
_ROW = INSPECTIONS.c
_MOST_AT_ONCE = 100


@dataclass
class _Waiting:
    """An inspection that waits to be written."""

    prepared: Prepared
    added: Inspection | None = None
    error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        return self.added is not None or self.error is not None


class HourCount(NamedTuple):
    """How many inspections of an hour had which outcome. hour: its beginning."""

    hour: datetime
    counts: Mapping[str, int]


class History:
    """What was inspected. All of its methods may be called from any thread, and wait for the disk.

    Each of them raises `HistoryError` where the database cannot be reached; the next call tries again.

    Attributes:
        pictures: The files that its rows name.
        name: What the database is called, without a password.
    """

    def __init__(self, url: URL, pictures: Pictures) -> None:
        self.pictures = pictures
        self.name = printable(url.database or "" if url.drivername == "sqlite" else url.render_as_string())
        self._file = Path(url.database or "") if url.drivername == "sqlite" else None
        self._known: tuple[int, int] | None = None
        self._engine = _engine(url)
        self._waiting: deque[_Waiting] = deque()
        self._adding = threading.Lock()
        self._writes = threading.RLock() if self._file else nullcontext()  # SQLite has one writer

    @classmethod
    def open(cls, place: str | os.PathLike[str], pictures: Path) -> History:
        """Open a history, which is made where there is none, and brought to this version where it is older.

        Args:
            place: A file for SQLite, or the URL of a database: "postgresql://user:password@host/name".
            pictures: The folder of its pictures.

        Raises:
            UsageError: The URL is of no database that can be used here.
            HistoryError: The database cannot be opened, or a later version of oddlens wrote it.
        """
        found = cls(_url(place), Pictures(pictures))
        try:
            if found._file is not None:
                found._file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HistoryError(
                f"the history {found.name} cannot be made ({error.strerror}): give another --history"
            ) from error
        found._prepare()
        return found

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    def add(self, new: NewInspection) -> Inspection:
        """Keep an inspection. It is on the disk when this returns.

        With a key that the station has already: the earlier inspection.
        """
        mine = _Waiting(Prepared.of(new))
        self._waiting.append(mine)
        while not mine.is_done:
            with self._adding:  # who comes first writes for all who wait: the disk is waited for once
                if not mine.is_done:
                    self._add_waiting()
        if mine.error is not None:
            raise mine.error
        assert mine.added is not None
        return mine.added

    def _add_waiting(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
        try:
            with self._connection(writes=True) as connection:
                added = [each.prepared.add(connection) for each in batch]
        except BaseException as error:
            for each in batch:
                each.error = HistoryError(str(error)) if isinstance(error, HistoryError) else error
        else:
            for each, inspection in zip(batch, added, strict=True):
                each.added = inspection

    @staticmethod
    def _get(connection: Connection, number: int) -> Inspection:
        return inspection_of(connection.execute(WHOLE.where(_ROW.id == number)).mappings().one())

    def get(self, number: int) -> Inspection | None:
        """The inspection with a number; None: there is none."""
        with self._connection() as connection:
            row = connection.execute(WHOLE.where(_ROW.id == number)).mappings().one_or_none()
        return None if row is None else inspection_of(row)

    def find(self, which: Filter, cursor: str | None = None, limit: int = 50) -> Page:
        """A page of inspections.

        Args:
            which: Which, in which order.
            cursor: `Page.next` of the page before; None: the first page.
            limit: At most so many.

        Raises:
            UsageError: The cursor is none, or of another order.
        """
        with self._connection() as connection:
            total = connection.scalar(select(func.count()).select_from(INSPECTIONS).where(*which.conditions())) or 0
            items, after = _page(connection, which, cursor, limit)
        return Page(items, after, total)

    def each(self, which: Filter) -> Iterator[Inspection]:
        """All inspections of a filter, in order, some hundreds held at a time."""
        cursor = None
        while True:
            with self._connection() as connection:
                items, cursor = _page(connection, which, cursor, 500)
            yield from items
            if cursor is None:
                return

    def count(self, which: Filter) -> Mapping[str, int]:
        """How many inspections have which outcome."""
        wanted = select(_ROW.outcome, func.count()).where(*which.conditions()).group_by(_ROW.outcome)
        return _counts(self._rows(wanted))

    def count_by_hour(self, station: str, since: datetime) -> list[HourCount]:
        """How many inspections of each hour, in UTC, had which outcome; hours without any are left out."""
        hour = _ROW.time // 3_600_000_000
        found: dict[int, list[tuple[str, int]]] = {}
        wanted = select(hour, _ROW.outcome, func.count()).where(_ROW.station == station, _ROW.time >= to_number(since))
        for row in self._rows(wanted.group_by(hour, _ROW.outcome).order_by(hour)):
            number, outcome, count = row
            found.setdefault(number, []).append((outcome, count))
        return [HourCount(to_time(number * 3_600_000_000), _counts(counts)) for number, counts in found.items()]

    def scores(self, station: str, limit: int = 10_000) -> list[tuple[int, float, str | None, str | None]]:
        """(number, score, verdict, what was said) of a station's newest inspections that have a score, the newest first."""
        wanted = select(_ROW.id, _ROW.score, _ROW.outcome, _ROW.said)
        wanted = wanted.where(_ROW.station == station, _ROW.score.is_not(None))
        rows = self._rows(wanted.order_by(_ROW.time.desc(), _ROW.id.desc()).limit(limit))
        return [(number, score, _verdict(outcome), said) for number, score, outcome, said in rows]

    def trend(
        self, station: str, since: datetime | None = None, limit: int = 10_000
    ) -> list[tuple[datetime, float, str | None]]:
        """(time, score, verdict) of a station's newest inspections that have a score, the oldest first."""
        wanted = select(_ROW.time, _ROW.score, _ROW.outcome).where(_ROW.station == station, _ROW.score.is_not(None))
        if since is not None:
            wanted = wanted.where(_ROW.time >= to_number(since))
        rows = self._rows(wanted.order_by(_ROW.time.desc(), _ROW.id.desc()).limit(limit))
        return [(to_time(time), score, _verdict(outcome)) for time, score, outcome in reversed(rows)]

    def defects(self, station: str, since: datetime | None = None) -> list[tuple[str, int]]:
        """How many inspections show a defect of each name, the most frequent first.

        The name is what a person said, else, of a part that was stopped, what its hottest region may be. A part that a person
        called good shows none.
        """
        name = func.coalesce(_ROW.defect, _ROW.region_name)
        wanted = select(name, func.count()).where(
            _ROW.station == station, NAMED, func.coalesce(_ROW.said, "") != "good",
            _ROW.outcome.in_(("ng", "review")) | _ROW.defect.is_not(None),
        )  # fmt: skip
        if since is not None:
            wanted = wanted.where(_ROW.time >= to_number(since))
        return [
            (each, count)
            for each, count in map(tuple, self._rows(wanted.group_by(name).order_by(func.count().desc(), name)))
        ]

    def latest(self, station: str, limit: int = 10) -> list[Inspection]:
        """A station's last inspections, the newest first."""
        wanted = WHOLE.where(_ROW.station == station).order_by(_ROW.time.desc(), _ROW.id.desc()).limit(limit)
        return [inspection_of(row._mapping) for row in self._rows(wanted)]

    def known(self, station: str, digest: str, origin: str) -> bool:
        """Whether the station inspected this content, from this origin, before."""
        wanted = select(_ROW.id).where(_ROW.digest == digest, _ROW.station == station, _ROW.origin == origin)
        return bool(self._rows(wanted.limit(1)))

    def add_feedback(self, entry: FeedbackEntry) -> Inspection:
        """Keep what a person says of an inspection; returns it. Raises `UsageError` where there is no such inspection."""
        said = {name: as_text(getattr(entry, name)) for name in ("said", "defect", "comment", "reviewer")}
        here = _ROW.id == entry.inspection_id
        with self._connection(writes=True) as connection:
            source = connection.scalar(select(_ROW.source).where(here).with_for_update())
            if source is None:
                raise UsageError(f"there is no result {entry.inspection_id}: it may be removed by now")
            words = searched(source, said["defect"], said["comment"])
            connection.execute(update(INSPECTIONS).where(here).values(said | {"searched": words}))
            entered = {"inspection_id": entry.inspection_id, "time": to_number(entry.time)}
            connection.execute(insert(FEEDBACK), said | entered)
            return self._get(connection, entry.inspection_id)

    def feedback(self, number: int) -> list[FeedbackEntry]:
        """All that was said of an inspection, in order."""
        wanted = select(FEEDBACK).where(FEEDBACK.c.inspection_id == number).order_by(FEEDBACK.c.id)
        return [
            FeedbackEntry(**{k: v for k, v in row._mapping.items() if k != "id"} | {"time": to_time(row.time)})
            for row in self._rows(wanted)
        ]

    def marked(self) -> set[str]:
        """The digests of the images that a person said something of, and of their maps."""
        rows = self._rows(select(_ROW.digest, _ROW.map_digest).where(_ROW.said.is_not(None)))
        return {digest for row in rows for digest in row if digest is not None}

    def add_audit(self, entry: AuditEntry) -> None:
        """Keep who changed what."""
        values = {
            "time": to_number(entry.time), "station": entry.station, "who": as_text(entry.who), "what": as_text(entry.what),
            "before": json.dumps(entry.before), "after": json.dumps(entry.after),
        }  # fmt: skip
        with self._connection(writes=True) as connection:
            connection.execute(insert(AUDIT), values)

    def audit(self, station: str, limit: int = 100) -> list[AuditEntry]:
        """The last changes of a station, the newest first."""
        wanted = select(AUDIT).where(AUDIT.c.station == station).order_by(AUDIT.c.id.desc()).limit(limit)
        return [
            AuditEntry(
                time=to_time(row.time), station=row.station, who=row.who, what=row.what,
                before=json.loads(row.before), after=json.loads(row.after),
            )
            for row in self._rows(wanted)
        ]  # fmt: skip

    def _rows(self, wanted: Select[*_Columns]) -> list[Row[*_Columns]]:
        with self._connection() as connection:
            return list(connection.execute(wanted).all())

    @contextmanager
    def _connection(self, writes: bool = False) -> Iterator[Connection]:
        """A connection within one transaction, which is committed at the end. writes: whether anything is written."""
        self._find_again()
        with (
            self._errors("written" if writes else "read"),
            self._writes if writes else nullcontext(),
            self._engine.connect().execution_options(writes=writes) as connection,
            connection.begin(),
        ):
            yield connection

    def _prepare(self) -> None:
        """Create or migrate the tables."""
        with (
            self._errors("opened"),
            self._writes,
            self._engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
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

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            reason = first_line(getattr(error, "orig", None) or error)
            raise HistoryError(
                f"the history {self.name} cannot be {what} ({reason}): check the disk or the database server; the next call tries "
                "again"
            ) from error


def _url(place: str | os.PathLike[str]) -> URL:
    """The database that a file or a URL means. Raises `UsageError` for one of another kind."""
    text = os.fspath(place)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise UsageError(
            "the history is no URL of a database: give a file, or postgresql://user:password@host/name"
        ) from error
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database not in (None, "", ":memory:"):
        return url
    raise UsageError(
        f"the history cannot be kept in {url.drivername}: give a file, or postgresql://user:password@host/name"
    )


def _engine(url: URL) -> Engine:
    if url.drivername != "sqlite":
        try:
            return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 5})
        except ModuleNotFoundError as error:
            raise UsageError(
                "a history in PostgreSQL needs psycopg, which is not installed: run pip install 'oddlens[postgres]'"
            ) from error
    engine = create_engine(url, connect_args={"timeout": _BUSY_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None  # transactions are begun below
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql(
            "BEGIN IMMEDIATE" if writes else "BEGIN"
        )  # a reader that turns writer may meet another one

    return engine


def _page(connection: Connection, which: Filter, cursor: str | None, limit: int) -> tuple[list[Inspection], str | None]:
    """The inspections behind a cursor, and the next cursor. Their order is found in the narrow rows alone."""
    place = None if cursor is None else Place.of(cursor, which.sort)
    places: list[Place] = []
    for number, part in enumerate(parts(which.sort)):
        if len(places) <= limit and (place is None or place.part <= number):
            behind = place if place is not None and place.part == number else None
            wanted = part.behind(behind).where(*which.conditions()).limit(limit + 1 - len(places))
            places += [Place(number, value, of) for value, of in connection.execute(wanted)]
    shown = places[:limit]
    rows = connection.execute(WHOLE.where(_ROW.id.in_([each.number for each in shown]))).mappings()
    found = {row["id"]: inspection_of(row) for row in rows}
    after = shown[-1].cursor(which.sort) if shown and len(places) > limit else None
    return [found[each.number] for each in shown], after


def _verdict(outcome: str) -> str | None:
    return None if outcome == "none" else outcome


def _counts(found: Iterable[tuple[str, int]]) -> dict[str, int]:
    """All outcomes with their counts."""
    return dict.fromkeys(get_args(Outcome), 0) | dict(found)
