"""The history: every inspection, what people said of it, and who changed what, in SQLite or PostgreSQL."""

from __future__ import annotations

import json
import os
import statistics
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVarTuple, get_args

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from oddlens.errors import UsageError
from oddlens.history.database import Database
from oddlens.history.filters import Filter, Page, Place, parts, to_number, to_time
from oddlens.history.pictures import Pictures
from oddlens.history.records import AuditEntry, FeedbackEntry, HistoryError, Inspection, NewInspection, Outcome
from oddlens.history.rows import WHOLE, Prepared, inspection_of
from oddlens.history.tables import AUDIT, FEEDBACK, IDENTITIES, INSPECTIONS, NAMED, as_text, searched

_Columns = TypeVarTuple("_Columns")

_ROW = INSPECTIONS.c
_MOST_AT_ONCE = 100
_HOUR = 3_600_000_000


@dataclass
class _Waiting:
    """An inspection that waits to be written."""

    prepared: Prepared
    added: Inspection | None = None
    error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        return self.added is not None or self.error is not None


LEAST_LIMITED = 20
"""Scores from which on a control limit is drawn, as control charts usually begin with 20 to 25.

Of normal scores the next one then exceeds the limit in 1 % of the cases on average, and on 95 of 100 lines in at most 5 %; with
five scores that would be 7 and 36 %, with two 12 and 56 %.
"""


class History:
    """What was inspected. All of its methods may be called from any thread, and wait for the disk.

    Each of them raises `HistoryError` where the database cannot be reached; the next call tries again.

    Attributes:
        pictures: The files that its rows name.
        name: What the database is called, without a password.
    """

    def __init__(self, database: Database, pictures: Pictures) -> None:
        self.pictures, self.name = pictures, database.name
        self._database, self._connection = database, database.connected
        self._waiting: deque[_Waiting] = deque()
        self._adding = threading.Lock()

    @classmethod
    def open(cls, place: str | os.PathLike[str], pictures: Path) -> History:
        """Open a history. place: see `Database`, which says what it raises. pictures: the folder of its pictures."""
        return cls(Database(place), Pictures(pictures))

    def close(self) -> None:
        """Close the database."""
        self._database.close()

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
        if not _may_be_held(number):
            return None
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

    def today(self, station: str) -> Mapping[str, int]:
        """How many of a station's inspections of today, where the program runs, have which outcome."""
        midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        return self.count(Filter(station=station, since=midnight))

    def count_by_hour(self, station: str, since: datetime | None = None) -> list[tuple[datetime, dict[str, int]]]:
        """Of each hour, its beginning and how many inspections had which outcome; hours without any are left out."""
        hour = _ROW.time // _HOUR
        found: dict[int, dict[str, int]] = {}
        wanted = select(hour, _ROW.outcome, func.count()).where(*Filter(station=station, since=since).conditions())
        for number, outcome, count in self._rows(wanted.group_by(hour, _ROW.outcome).order_by(hour)):
            found.setdefault(number, _counts([]))[outcome] = count
        return [(to_time(number * _HOUR), counts) for number, counts in found.items()]

    def scores(self, station: str, limit: int = 10_000) -> list[tuple[int, float, str | None, str | None, int]]:
        """(number, score, verdict, what was said, what scored it) of a station's newest inspections that have a score.

        The newest first. What scored it is a number that `identities` takes.
        """
        wanted = select(_ROW.id, _ROW.score, _ROW.outcome, _ROW.said, _ROW.identity_id)
        rows = self._rows(_newest(wanted, station, None, limit))
        return [(number, score, _verdict(outcome), said, by) for number, score, outcome, said, by in rows]

    def trend(
        self, station: str, since: datetime | None = None, limit: int = 10_000
    ) -> list[tuple[datetime, float, str | None, int]]:
        """(time, score, verdict, what scored it) of a station's newest inspections that have a score, the oldest first."""
        rows = self._rows(_newest(select(_ROW.time, _ROW.score, _ROW.outcome, _ROW.identity_id), station, since, limit))
        return [(to_time(time), score, _verdict(outcome), by) for time, score, outcome, by in reversed(rows)]

    def identities(self, numbers: Collection[int]) -> dict[int, dict[str, object]]:
        """`Inspection.identity` by number."""
        rows = self._rows(select(IDENTITIES.c.id, IDENTITIES.c.document).where(IDENTITIES.c.id.in_(numbers)))
        return {number: json.loads(document) for number, document in rows}

    def defects(self, station: str, since: datetime | None = None) -> list[tuple[str, int]]:
        """How many inspections show a defect of each name, the most frequent first.

        The name is what a person said, else, of a part that was stopped, what its hottest region may be. A part that a person
        called good shows none.
        """
        name, count = func.coalesce(_ROW.defect, _ROW.region_name), func.count()
        shows = (
            NAMED,
            func.coalesce(_ROW.said, "") != "good",
            _ROW.outcome.in_(("ng", "review")) | _ROW.defect.is_not(None),
        )
        wanted = select(name, count).where(*Filter(station=station, since=since).conditions(), *shows)
        return [(each, many) for each, many in self._rows(wanted.group_by(name).order_by(count.desc(), name))]

    def latest(self, station: str, limit: int = 10) -> list[Inspection]:
        """A station's last inspections, the newest first."""
        with self._connection() as connection:
            return _page(connection, Filter(station=station), None, limit)[0]

    def last_images(self, station: str, limit: int) -> list[tuple[int, Path]]:
        """Of a station's last inspections the numbers and files of those whose image is kept, without those that failed."""
        latest = [each for each in self.latest(station, limit) if each.detection is not None]
        found = ((each.id, self.pictures.path(each.digest)) for each in latest)
        return [(number, path) for number, path in found if path is not None]

    def known(self, station: str, digest: str, origin: str) -> bool:
        """Whether the station inspected this content, from this origin, before."""
        wanted = select(_ROW.id).where(_ROW.digest == digest, _ROW.station == as_text(station), _ROW.origin == origin)
        return bool(self._rows(wanted.limit(1)))

    def called(self, station: str, digest: str) -> tuple[str, datetime] | None:
        """What an image was called when the station inspected it first, and when that was; None: that is not kept."""
        here = (_ROW.digest == as_text(digest), _ROW.station == as_text(station))
        rows = self._rows(select(_ROW.source, _ROW.time).where(*here).order_by(_ROW.id).limit(1))
        return (rows[0].source, to_time(rows[0].time)) if rows else None

    def add_feedback(self, entry: FeedbackEntry) -> Inspection:
        """Keep what a person says of an inspection; returns it. Raises `UsageError` where there is no such inspection."""
        said = {name: as_text(getattr(entry, name)) for name in ("said", "defect", "comment", "reviewer")}
        here = _ROW.id == entry.inspection_id
        with self._connection(writes=True) as connection:
            known = _may_be_held(entry.inspection_id)
            source = connection.scalar(select(_ROW.source).where(here).with_for_update()) if known else None
            if source is None:
                raise UsageError(f"there is no result {entry.inspection_id}: it may be removed by now")
            words = searched(source, said["defect"], said["comment"])
            connection.execute(update(INSPECTIONS).where(here).values(said | {"searched": words}))
            entered = {"inspection_id": entry.inspection_id, "time": to_number(entry.time)}
            connection.execute(insert(FEEDBACK), said | entered)
            return self._get(connection, entry.inspection_id)

    def feedback(self, number: int) -> list[FeedbackEntry]:
        """All that was said of an inspection, in order."""
        if not _may_be_held(number):
            return []
        columns = (each for each in FEEDBACK.c if each.name != "id")
        rows = self._rows(select(*columns).where(FEEDBACK.c.inspection_id == number).order_by(FEEDBACK.c.id))
        return [FeedbackEntry(**dict(row._mapping) | {"time": to_time(row._mapping["time"])}) for row in rows]

    def marked(self) -> set[str]:
        """The digests of the images that a person said something of, and of their maps."""
        rows = self._rows(select(_ROW.digest, _ROW.map_digest).where(_ROW.said.is_not(None)))
        return {digest for row in rows for digest in row if digest is not None}

    def add_audit(self, entry: AuditEntry) -> None:
        """Keep who changed what."""
        texts = {name: as_text(getattr(entry, name)) for name in ("station", "who", "what")}
        values = {name: json.dumps(getattr(entry, name)) for name in ("before", "after")}
        with self._connection(writes=True) as connection:
            connection.execute(insert(AUDIT), {"time": to_number(entry.time), **texts, **values})

    def audit(self, station: str, limit: int = 100) -> list[AuditEntry]:
        """The last changes of a station, the newest first."""
        columns = (each for each in AUDIT.c if each.name != "id")
        rows = self._rows(
            select(*columns).where(AUDIT.c.station == as_text(station)).order_by(AUDIT.c.id.desc()).limit(limit)
        )
        return [
            AuditEntry(
                **dict(row._mapping)
                | {"time": to_time(row._mapping["time"])}
                | {name: json.loads(row._mapping[name]) for name in ("before", "after")}
            )
            for row in rows
        ]

    def _rows(self, wanted: Select[*_Columns]) -> list[Row[*_Columns]]:
        with self._connection() as connection:
            return list(connection.execute(wanted).all())


def _may_be_held(number: int) -> bool:
    """Whether a database can hold an inspection of this number at all."""
    return abs(number) < 2**63


def control_limits(scores: Sequence[float]) -> dict[str, float | None]:
    """median: of the scores; high: three standard deviations above it, by the median absolute deviation, so that no outlier moves
    them. None where there are fewer than `LEAST_LIMITED` scores. least: that number.
    """
    if len(scores) < LEAST_LIMITED:
        return {"median": None, "high": None, "least": LEAST_LIMITED}
    median = statistics.median(scores)
    high = median + 3 * 1.4826 * statistics.median(abs(each - median) for each in scores)
    return {"median": median, "high": high, "least": LEAST_LIMITED}


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


def _newest(wanted: Select[*_Columns], station: str, since: datetime | None, limit: int) -> Select[*_Columns]:
    """Of a station's newest inspections that have a score."""
    wanted = wanted.where(*Filter(station=station, since=since).conditions(), _ROW.score.is_not(None))
    return wanted.order_by(_ROW.time.desc(), _ROW.id.desc()).limit(limit)


def _verdict(outcome: str) -> str | None:
    return None if outcome == "none" else outcome


def _counts(found: Iterable[tuple[str, int]]) -> dict[str, int]:
    """All outcomes with their counts."""
    return dict.fromkeys(get_args(Outcome), 0) | dict(found)
