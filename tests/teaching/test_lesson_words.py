"""What a lesson says that it did."""

from __future__ import annotations

import pytest

from oddlens.detection import Thresholds
from oddlens.teaching.lesson_words import moved, what_happened


@pytest.mark.parametrize(
    ("counts", "remade", "has_thresholds", "begins"),
    [
        ((1, 0, 0, 0, 0), False, True, ["1 flagged image joins the references. The thresholds stay."]),
        ((2, 1, 0, 0, 0), False, True, ["2 flagged images join the references. What was flagged", "1 image that was"]),
        ((0, 0, 2, 1, 0), True, True, ["2 images of defective parts are known now, 1 by name.", "Scores are others"]),
        (
            (0, 0, 0, 1, 1),
            True,
            False,
            ["1 known defect names others now.", "1 image of a defective part changed or went."],
        ),
        ((0, 0, 0, 0, 0), False, True, []),
    ],
)
def test_each_thing_that_happened_has_a_sentence(
    counts: tuple[int, int, int, int, int], remade: bool, has_thresholds: bool, begins: list[str]
) -> None:
    said = list(what_happened(*counts, remade, has_thresholds))
    assert len(said) == len(begins)
    assert all(sentence.startswith(begin) for sentence, begin in zip(said, begins, strict=True))


def test_a_threshold_that_moved_is_named_from_what_to_what() -> None:
    assert list(moved(Thresholds(0.3, None, review=0.2), Thresholds(0.25, 5.0, review=None))) == [
        "The threshold was 0.3 and is 0.25 now.",
        "The review threshold was 0.2 and is none now.",
    ]
