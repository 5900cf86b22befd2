"""What programs ask of a station: what is doubtful, what is promised, what a change would turn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import oddlens
from oddlens.calibration import Readiness, vet
from oddlens.calibration.conformal import moved_bound
from oddlens.calibration.exchangeability import Exchangeability
from oddlens.errors import OddlensError
from oddlens.teaching.report import DoubtfulError, calibration_document, references_of, refuse_doubtful, turned
from tests.teaching.test_references import pictures


@pytest.fixture(scope="module")
def detector() -> oddlens.Detector:
    """With five references, of which the last one is odd."""
    odd = pictures(9)[0]
    odd.pixels[10:30, 10:30] = 0
    return oddlens.load("patch-knn", runtime="onnx").add_references([*pictures(0, 1, 2, 3), odd])


def test_a_doubtful_image_is_refused_until_somebody_accepts_it(detector: oddlens.Detector) -> None:
    vetting = vet(detector.observe())
    with pytest.raises(DoubtfulError, match=r"9\.png differs most") as doubtful:
        refuse_doubtful(vetting, [])
    first = doubtful.value.vetting[0]
    assert (first["name"], first["flagged"]) == ("9.png", True)
    assert first["reason"] == ", ".join(vetting.flagged[0].reasons)
    refuse_doubtful(vetting, ["9.png"])
    refuse_doubtful(vetting, ["all"])
    refuse_doubtful(vetting, [], known=[vetting.flagged[0].observation.digest])
    with pytest.raises(OddlensError):
        refuse_doubtful(vetting, ["8.png"])


def test_references_say_what_they_score(detector: oddlens.Detector) -> None:
    found = references_of(detector)
    assert [each["source"] for each in found] == ["0.png", "1.png", "2.png", "3.png", "9.png"]
    assert [each["flagged"] for each in found] == [False] * 4 + [True]
    calibration = detector.calibration()
    assert calibration is not None
    assert tuple(each["score"] for each in found) == calibration.scores
    alone = detector.with_references(None).add_references(pictures(0))
    assert [each["score"] for each in references_of(alone)] == [None]
    assert references_of(detector.with_references(None)) == []


def test_references_of_one_name_say_their_own_scores(detector: oddlens.Detector) -> None:
    assert detector.references is not None
    found = references_of(detector.with_references(replace(detector.references, sources=("image 1",) * 5)))
    assert [each["score"] for each in found] == [each["score"] for each in references_of(detector)]


def test_the_bounds_are_those_of_a_moved_threshold(detector: oddlens.Detector, tmp_path: Path) -> None:
    found = calibration_document(detector, tmp_path)
    assert found["bounds"] == [moved_bound(5, rank) for rank in range(6)]
    assert found["learning"] == {"kept": 0, "enough": 60}
    other = detector.with_references(detector.references)
    other.state = Readiness("learning", tested=Exchangeability(5, 60, 0.5, 0.001))
    refuted = calibration_document(other, tmp_path)
    assert "promises no false-alarm rate" in str(refuted["promise"])
    assert (refuted["bounds"], refuted["declared"]) == ([], [])
    nothing = calibration_document(detector.with_references(None), tmp_path)
    assert (nothing["kind"], nothing["scores"], nothing["bounds"]) == (None, [], [])


def test_what_a_change_turns(detector: oddlens.Detector, tmp_path: Path) -> None:
    strict = detector.with_references(detector.references).set_thresholds(image=0.0)
    (image,) = pictures(0)
    (found,) = turned(detector, strict, [(7, image.pixels), (8, tmp_path / "gone.png")])
    assert (found.id, found.now, found.then) == (7, "ok", "ng")
    assert found.score_now == found.score_then
    assert turned(detector, detector, [(7, np.asarray(image.pixels))]) == []
