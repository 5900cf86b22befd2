"""Filters, orders and pages, alike in SQLite and in PostgreSQL."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from oddlens.errors import UsageError
from oddlens.history.filters import Filter, Place, to_number, to_time
from oddlens.history.history import History
from oddlens.history.records import FeedbackEntry, Inspection
from tests.history.given import NOON, found, new


@pytest.fixture(scope="module")
def many(new_place: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """200 inspections of two stations, some at the same time or with the same score, some failed."""
    history = History.open(new_place(), tmp_path_factory.mktemp("pictures"))
    rng = random.Random(0)
    for number in range(200):
        minutes = rng.randrange(100)
        station = "line-4" if rng.random() < 0.2 else "line-3"
        source = rng.choice(["Überprüfung_1%.png", "nut.png", "bolt.png"])
        if rng.random() < 0.1:
            history.add(new(minutes, station=station, source=source, error="It is damaged.", map_digest=None))
            continue
        score = rng.randrange(10) / 10
        verdict = "ng" if score > 0.5 else "review" if score > 0.4 else "ok"
        added = history.add(new(minutes, found(score, verdict), station=station, source=source, audit=number % 7 == 0))
        if rng.random() < 0.3:
            said = rng.choice(["good", "bad", "unsure"])
            entry = FeedbackEntry(inspection_id=added.id, said=said, comment=rng.choice([None, "Staub"]), time=NOON)  # type: ignore[arg-type]
            history.add_feedback(entry)
    yield history
    history.close()


ORDERS: dict[str, Callable[[Inspection], Any]] = {
    "newest": lambda each: (-to_number(each.time), -each.id),
    "oldest": lambda each: (to_number(each.time), each.id),
    "score": lambda each: (each.score is None, -to_number(each.time) if each.score is None else -each.score, -each.id),
    "score_up": lambda each: (
        each.score is None,
        -to_number(each.time) if each.score is None else each.score,
        -each.id if each.score is None else each.id,
    ),
}


@pytest.mark.parametrize("sort", ORDERS)
def test_pages_give_each_once_in_order(many: History, sort: str) -> None:
    found: list[Inspection] = []
    cursor = None
    while True:
        page = many.find(Filter(sort=sort), cursor, 17)
        found += page.items
        assert page.total == 200
        cursor = page.next
        if cursor is None:
            break
    assert len(found) == len({each.id for each in found}) == 200
    assert found == sorted(found, key=ORDERS[sort])
    assert list(many.each(Filter(sort=sort))) == found
    assert many.find(Filter(sort=sort), limit=200).next is None


CONDITIONS: dict[str, tuple[dict[str, Any], Callable[[Inspection], bool]]] = {
    "station": ({"station": "line-4"}, lambda each: each.station == "line-4"),
    "verdict": ({"verdict": {"ng", "failed"}}, lambda each: each.outcome in ("ng", "failed")),
    "since": ({"since": NOON + timedelta(minutes=50)}, lambda each: each.time >= NOON + timedelta(minutes=50)),
    "until": ({"until": NOON + timedelta(minutes=50)}, lambda each: each.time < NOON + timedelta(minutes=50)),
    "scores": ({"min_score": 0.3, "max_score": 0.6}, lambda each: each.score is not None and 0.3 <= each.score <= 0.6),
    "text": ({"text": "überPRÜFUNG"}, lambda each: each.source.startswith("Überprüfung")),
    "text of wildcards": ({"text": "_1%"}, lambda each: each.source.startswith("Überprüfung")),
    "comment": ({"text": "staub"}, lambda each: each.comment is not None),
    "said": ({"said": {"good"}}, lambda each: each.said == "good"),
    "nothing said": ({"said": {"none", "bad"}}, lambda each: each.said in (None, "bad")),
    "audit": ({"audit": True}, lambda each: each.audit),
    "origin": ({"origin": "camera"}, lambda each: False),
    "all": (
        {"station": "line-3", "verdict": {"ng"}, "said": {"none"}, "text": "nut", "sort": "score_up"},
        lambda each: (each.station, each.outcome, each.said, each.source) == ("line-3", "ng", None, "nut.png"),
    ),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions(many: History, name: str) -> None:
    given, holds = CONDITIONS[name]
    wanted = {each.id for each in many.each(Filter()) if holds(each)}
    assert bool(wanted) == (name != "origin")
    page = many.find(Filter(**given), limit=300)
    assert {each.id for each in page.items} == wanted
    assert page.total == len(wanted) == sum(many.count(Filter(**given)).values())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"verdict": {"bad"}}, "there is no verdict 'bad'"),
        ({"said": {"right"}}, "there is no mark 'right'"),
        ({"sort": "newer"}, r"there is no order 'newer', did you mean 'newest'\?"),
        ({"origin": "mail"}, "there is no origin 'mail'"),
    ],
)
def test_what_there_is_not(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Filter(**given)


@pytest.mark.parametrize(
    "cursor", ["", "x", "W10=", "bm90aGluZw==", "WyJuZXdlc3QiLCA3LCAxLCAxXQ==", "ÄÖ", "W1sxXSwgMSwgMSwgMV0="]
)
def test_a_cursor_that_is_none(history: History, cursor: str) -> None:
    with pytest.raises(UsageError, match="begin with the first one"):
        history.find(Filter(), cursor)


def test_a_cursor_of_another_order() -> None:
    cursor = Place(1, 0.1 + 0.2, 7).cursor("score")
    assert Place.of(cursor, "score") == (1, 0.1 + 0.2, 7)
    with pytest.raises(UsageError, match="of another order"):
        Place.of(cursor, "newest")


def test_times_as_numbers() -> None:
    time = NOON.replace(year=2262, microsecond=999_999)
    assert to_time(to_number(time)) == time
