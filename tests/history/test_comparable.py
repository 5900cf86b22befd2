"""Scores that belong together."""

from __future__ import annotations

from oddlens.history.comparable import scores_document
from oddlens.history.history import History
from tests.history.given import IDENTITY, found, new


def test_scores_of_other_thresholds_count_and_those_of_other_references_do_not(history: History) -> None:
    by_words = IDENTITY | {"method": "winclip"}
    taught = by_words | {"reference_count": 5, "references_sha256": "b", "defects_sha256": "c", "object": "nut"}
    for minutes, (identity, score) in enumerate(
        (
            (by_words, 0.1),
            (taught, 0.2),
            (taught | {"thresholds": {"image": 0.3}, "oddlens": "0.2.0", "marking": {"min_area": 3}}, 0.3),
            (taught | {"object": "bolt"}, 0.4),
        )
    ):
        history.add(new(minutes, found(score), identity=identity))
    document = scores_document(history, "line-3", taught)
    assert document["score"] == [0.3, 0.2]
    assert document["note"] == (
        "Not counted: 2 earlier inspections scored in another way (references, defects, object): the thresholds "
        "are not for such scores."
    )


def test_a_result_of_a_version_that_did_not_say_the_object_counts(history: History) -> None:
    history.add(new(detection=found(0.1)))
    document = scores_document(history, "line-3", IDENTITY | {"object": "nut"})
    assert (document["score"], document["note"]) == ([0.1], None)


def test_of_a_damaged_station_all_scores_are_there(history: History) -> None:
    history.add(new(detection=found(0.1)))
    history.add(new(1, found(0.2), identity=IDENTITY | {"references_sha256": "b"}))
    assert scores_document(history, "line-3", None)["score"] == [0.2, 0.1]
