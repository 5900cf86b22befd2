"""The verdicts of a report are those of `detect` with the same good examples."""

from dataclasses import replace

import pytest

from oddlens.evaluation import Benchmark, Key, Variant
from oddlens.evaluation.cell_results import CellResult, ImageScore
from oddlens.evaluation.verdicts import called, figure, verdict_words

LOW, HIGH = ImageScore("low.png", 0, "good", 0.2), ImageScore("high.png", 1, "two_holes", 0.8)


@pytest.fixture
def cell(finished: Benchmark) -> CellResult:
    """Two images, the threshold between them."""
    known = finished.cells[Key("parts", "bolt", "winclip", Variant(2, 0))]
    return replace(known, scores=(LOW, HIGH), thresholds=known.thresholds | {"calibrated": 0.5, "image": 0.8})


def unseen(cell: CellResult) -> CellResult:
    """The same where the method looked at nothing of either image."""
    return replace(cell, scores=tuple(replace(image, unseen=True) for image in cell.scores))


def test_an_image_is_called_by_its_score(cell: CellResult) -> None:
    assert [called(cell, image) for image in cell.scores] == ["ok", "ng"]
    assert verdict_words(cell, "winclip", ["references"]).endswith(
        ": 0 of 1 normal images called NG, 0 of 1 abnormal ones called OK."
    )
    assert 'class="good">two holes: called NG, 0.8<' in figure(cell, 1, "data:")
    alike = replace(cell, thresholds=cell.thresholds | {"calibrated": 0.8})
    assert 'class="bad">two holes: called OK, 0.8<' in figure(alike, 1, "data:")
    assert "1 of 1 abnormal ones called OK." in verdict_words(alike, "winclip", ["references"])


def test_an_image_that_the_method_looked_at_nothing_of_is_for_review_and_no_wrong_verdict(cell: CellResult) -> None:
    wiped = unseen(replace(cell, thresholds=cell.thresholds | {"calibrated": 0.0}))
    assert [called(wiped, image) for image in wiped.scores] == ["review", "review"]
    assert verdict_words(wiped, "anomalydino", ["references"]).endswith(
        ": 0 of 1 normal images called NG, 0 of 1 abnormal ones called OK. For review: 1 of 1 normal and 1 of 1 abnormal ones; "
        "of 2 images the method looked at nothing."
    )
    assert 'class="">two holes: for review, 0.8<' in figure(wiped, 1, "data:")


def test_without_a_threshold_only_such_images_have_a_verdict(cell: CellResult) -> None:
    bare = replace(cell, thresholds=cell.thresholds | {"calibrated": None})
    assert [called(bare, image) for image in bare.scores] == [None, None]
    assert "For review" not in verdict_words(bare, "winclip", ["references"])
    assert ">normal, 0.2<" in figure(bare, 0, "data:")
    assert [called(bare, image) for image in unseen(bare).scores] == ["review", "review"]
    assert verdict_words(unseen(bare), "anomalydino", ["references"]).endswith(
        "For review: 1 of 1 normal and 1 of 1 abnormal ones; of 2 images the method looked at nothing."
    )


def test_a_review_threshold_that_was_given_by_hand_counts(cell: CellResult) -> None:
    given = replace(cell, settings={**cell.settings, "thresholds": {"image": None, "pixel": None, "review": 0.1}})
    assert [called(given, image) for image in given.scores] == ["review", "ng"]
    assert verdict_words(given, "winclip", ["references"]).endswith(
        "For review: 1 of 1 normal and 0 of 1 abnormal ones."
    )
