"""A station's scores over time: columns for a chart, with the thresholds of now and the limits of what is usual."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oddlens.history.history import History
from oddlens.history.trend import trend_document
from tests.history.given import IDENTITY, NOON, found, new


def test_the_oldest_stands_first_and_what_failed_is_left_out(history: History) -> None:
    for minutes, score in ((2, 0.9), (0, 0.1), (1, 0.2)):
        history.add(new(minutes, found(score, "ng" if score > 0.5 else "ok")))
    history.add(new(3, error="nut.png is empty (0 bytes)", map_digest=None))
    history.add(new(4, station="line-4"))
    document = trend_document(history, "line-3")
    assert document["time"] == [f"2026-11-26T12:0{minute}:00.000Z" for minute in range(3)]
    assert (document["score"], document["verdict"]) == ([0.1, 0.2, 0.9], ["ok", "ok", "ng"])
    later = trend_document(history, "line-3", NOON + timedelta(minutes=1))
    assert later["score"] == [0.2, 0.9]


def test_the_thresholds_are_those_of_the_newest_that_was_inspected(history: History) -> None:
    history.add(new(0, found(threshold=0.3, review_threshold=0.2)))
    history.add(new(1, found(threshold=0.6, review_threshold=None)))
    history.add(new(2, error="it is damaged", map_digest=None))
    limits = trend_document(history, "line-3")["limits"]
    assert isinstance(limits, dict)
    assert (limits["image"], limits["review"]) == (0.6, None)


def test_twenty_scores_have_control_limits_of_those_that_are_not_ng(history: History) -> None:
    for minutes in range(20):
        history.add(new(minutes, found(0.1 * (1 + minutes % 3), "ok")))
    for minutes in range(20, 30):
        history.add(new(minutes, found(0.9, "ng")))
    limits = trend_document(history, "line-3")["limits"]
    assert isinstance(limits, dict)
    assert (limits["median"], limits["high"]) == (0.2, pytest.approx(0.2 + 3 * 0.14826))


def test_control_limits_are_of_what_was_scored_as_the_newest_was(history: History) -> None:
    for minutes in range(5):
        history.add(new(minutes, found(0.9, "ok"), identity=IDENTITY | {"references_sha256": "of before"}))
    for minutes in range(5, 25):
        history.add(new(minutes, found(0.1, "ok")))
    document = trend_document(history, "line-3")
    assert len(document["score"]) == 25  # type: ignore[arg-type]
    assert document["limits"]["high"] == pytest.approx(0.1)  # type: ignore[index]
    assert document["note"] == "The lines say nothing of 5 earlier inspections scored in another way (references)."


def test_nothing_has_no_limits(history: History) -> None:
    document = trend_document(history, "line-3")
    assert [document[name] for name in ("time", "score", "verdict")] == [[], [], []]
    limits = document["limits"]
    assert isinstance(limits, dict)
    assert [limits[name] for name in ("image", "review", "median", "high")] == [None] * 4
