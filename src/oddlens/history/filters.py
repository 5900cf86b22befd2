"""Which inspections, in which order, and a page of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, get_args

from sqlalchemy import ColumnElement, Select, false, literal, or_, select, tuple_

from oddlens.errors import UsageError, choices, shortened
from oddlens.history.records import Inspection, Origin, Outcome
from oddlens.history.tables import INSPECTIONS, as_text, searched
from oddlens.io.strict_json import checked, parse_json
from oddlens.station.feedback import Said

Sort = Literal["newest", "oldest", "score", "score_up"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_number(time: datetime) -> int:
    """A time as the tables hold it: microseconds since 1970 in UTC."""
    return (time - _EPOCH) // _MICROSECOND


def to_time(number: int) -> datetime:
    """The time that `to_number` gave."""
    return _EPOCH + number * _MICROSECOND


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which inspections, and in which order. What is None or empty filters nothing.

    Attributes:
        station: Its name.
        verdict: Any of these outcomes.
        since: From then on.
        until: Before then.
        min_score: This score or a higher one.
        max_score: This score or a lower one.
        text: In the source, the comment or the defect, in upper or lower case.
        said: Any of these; "none": nobody said anything.
        audit: Whether they were drawn for audit.
        origin: How they came.
        sort: "score": the highest first, "score_up": the lowest; those without a score come last, the newest first.

    Raises:
        UsageError: There is no such verdict, origin, order or thing to say.
    """

    station: str | None = None
    verdict: Set[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    min_score: float | None = None
    max_score: float | None = None
    text: str | None = None
    said: Set[str] = frozenset()
    audit: bool | None = None
    origin: str | None = None
    sort: str = "newest"

    def __post_init__(self) -> None:
        named = [("verdict", each, get_args(Outcome)) for each in self.verdict]
        named += [("mark", each, (*get_args(Said), "none")) for each in self.said]
        named += [] if self.origin is None else [("origin", self.origin, get_args(Origin))]
        for kind, name, known in (*named, ("order", self.sort, get_args(Sort))):
            if name not in known:
                raise UsageError(f"there is no {kind} {shortened(name)}{choices(name, known)}")

    def conditions(self) -> list[ColumnElement[bool]]:
        """As conditions on rows of `INSPECTIONS`."""
        row = INSPECTIONS.c
        found: list[ColumnElement[bool]] = []
        if self.station is not None:
            found.append(row.station == as_text(self.station))
        if self.verdict:
            found.append(row.outcome.in_(sorted(self.verdict)))
        if self.since is not None:
            found.append(row.time >= to_number(self.since))
        if self.until is not None:
            found.append(row.time < to_number(self.until))
        if self.min_score is not None:
            found.append(row.score >= self.min_score)
        if self.max_score is not None:
            found.append(row.score <= self.max_score)
        if self.text:
            found.append(row.searched.contains(searched(as_text(self.text)), autoescape=True))
        if self.said:
            words = row.said.in_(sorted(self.said - {"none"}))
            found.append(or_(words, row.said.is_(None) if "none" in self.said else false()))
        if self.audit is not None:
            found.append(row.audit.is_(self.audit))
        if self.origin is not None:
            found.append(row.origin == self.origin)
        return found


class Page(NamedTuple):
    """Some inspections of a filter. next: the cursor of the next page, None: there is none. total: how many there are in all."""

    items: list[Inspection]
    next: str | None
    total: int


class Place(NamedTuple):
    """A place in the order of a filter: behind the row with this value and number, in one of the order's parts."""

    part: int
    value: float
    number: int

    def cursor(self, sort: str) -> str:
        """As a client holds it."""
        return base64.urlsafe_b64encode(json.dumps([sort, *self]).encode("ascii")).decode("ascii")

    @classmethod
    def of(cls, cursor: str, sort: str) -> Place:
        """The place that `cursor` described. Raises `UsageError` for anything else."""
        try:
            found = checked(parse_json(base64.b64decode(cursor, b"-_", validate=True)), list[object])
            for value, kind in zip(found, (str, int, float, int), strict=True):
                checked(value, kind)
        except ValueError as error:
            raise UsageError("there is no such page: begin with the first one") from error
        if any(isinstance(each, int) and abs(each) >= 2**63 for each in found):
            raise UsageError("there is no such page: begin with the first one")
        if found[0] != sort or found[1] not in range(len(_PARTS[sort])):
            raise UsageError("this page is of another order: begin with the first one")
        return cls(*found[1:])  # type: ignore[arg-type]  # each of them was looked at


class Part(NamedTuple):
    """A part of an order: the rows that it has, None for all, the name of the column that sorts them, and whether it goes down."""

    rows: ColumnElement[bool] | None
    column: str
    down: bool

    def behind(self, place: Place | None) -> Select[float, int]:
        """The values and numbers of the rows behind a place, in order. place: None is the beginning."""
        column, number = INSPECTIONS.c[self.column], INSPECTIONS.c.id
        rows = select(column, number).order_by(*(each.desc() if self.down else each.asc() for each in (column, number)))
        if self.rows is not None:
            rows = rows.where(self.rows)
        if place is not None:
            here, there = tuple_(column, number), tuple_(literal(place.value), literal(place.number))
            rows = rows.where(here < there if self.down else here > there)
        return rows


_SCORED, _NOT_SCORED = INSPECTIONS.c.score.is_not(None), INSPECTIONS.c.score.is_(None)
_PARTS: dict[str, tuple[Part, ...]] = {
    "newest": (Part(None, "time", True),),
    "oldest": (Part(None, "time", False),),
    "score": (Part(_SCORED, "score", True), Part(_NOT_SCORED, "time", True)),
    "score_up": (Part(_SCORED, "score", False), Part(_NOT_SCORED, "time", True)),
}


def parts(sort: str) -> tuple[Part, ...]:
    """The parts of an order, one behind the other."""
    return _PARTS[sort]
