"""Test images and good examples of which a method looked at nothing."""

import warnings

import pytest

from oddlens.errors import OddlensWarning
from oddlens.evaluation.cell_results import ImageScore
from oddlens.evaluation.unseen import noted_not_warned, unseen_notes


def test_the_note_counts_them_and_names_the_first() -> None:
    scores = [ImageScore(f"test/{number}.png", 0, "good", 0.0, unseen=number > 0) for number in range(3)]
    (note,) = unseen_notes(scores, (), "no mask")
    assert note == (
        "the mask of the background leaves nothing of 2 of 3 test images (test/1.png, and 1 more), so that what they score says "
        "nothing: give no mask"
    )
    assert list(unseen_notes(scores[:1], (), "no mask")) == []


def test_good_examples_have_a_note_of_their_own() -> None:
    seen = [ImageScore("test/0.png", 0, "good", 0.0)]
    assert list(unseen_notes(seen, ("train/1.png", "train/2.png"), "no mask")) == [
        "the mask of the background leaves nothing of the reference train/1.png and 1 more reference, so that thresholds of the "
        "references promise nothing: give no mask"
    ]


def test_only_the_warning_of_such_images_is_left_out() -> None:
    @noted_not_warned()
    def warn() -> None:
        for sentence in ("the mask of the background leaves nothing of 1 image", "something else"):
            warnings.warn(sentence, OddlensWarning, stacklevel=1)

    with pytest.warns(OddlensWarning) as heard:
        warn()
    assert [str(each.message) for each in heard] == ["something else"]
