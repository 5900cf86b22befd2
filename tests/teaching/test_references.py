"""References that join or go by hand, and what becomes of the thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import oddlens
from oddlens.calibration import Accepted, Rates, Readiness
from oddlens.detection import Thresholds
from oddlens.errors import UsageError
from oddlens.io.images import Picture
from oddlens.teaching.references import change_references, remove_references


def pictures(*seeds: int) -> list[Picture]:
    return [
        Picture(np.random.default_rng(seed).integers(100, 140, (48, 48, 3), np.uint8), f"{seed}.png") for seed in seeds
    ]


@pytest.fixture
def detector() -> oddlens.Detector:
    """With four references."""
    return oddlens.load("patch-knn", runtime="onnx").add_references(pictures(0, 1, 2, 3))


def digests(detector: oddlens.Detector) -> tuple[str, ...]:
    assert detector.references is not None
    return detector.references.digests


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"image": 0.27},
            "What was given by hand stays (NG above 0.27). The other thresholds were made anew, by 5 references, each against the "
            "others.",
        ),
        ({"image": 0.27, "pixel": 0.5}, "What was given by hand stays (NG above 0.27, marked above 0.5)."),
    ],
)
def test_what_was_given_by_hand_is_said_to_stay(detector: oddlens.Detector, given: dict[str, float], said: str) -> None:
    detector.calibrate_by(Rates())
    detector.set_thresholds(**given)
    assert change_references(detector, pictures(4)) == ["1 reference added.", said]
    assert detector.thresholds.image == 0.27


def test_thresholds_of_references_are_made_anew_at_their_rates(detector: oddlens.Detector) -> None:
    detector.calibrate_by(Rates(false_alarm_rate=0.25))
    said = change_references(detector, pictures(4, 5))
    assert said == ["2 references added.", "The thresholds were made anew, by 6 references, each against the others."]
    calibration = detector.calibration()
    assert calibration is not None
    assert (len(calibration), calibration.false_alarm_rate) == (6, 0.25)
    assert detector.state == Readiness("learning")
    assert detector.scene is not None
    assert change_references(detector, pictures(4))[0] == "All of them are references already."


def test_a_rate_that_nobody_asked_for_follows_the_number_of_references(detector: oddlens.Detector) -> None:
    detector.calibrate()
    change_references(detector, pictures(*range(4, 20)))
    calibration = detector.calibration()
    assert calibration is not None
    assert (len(calibration), calibration.false_alarm_rate, calibration.rate_given) == (20, 0.05, False)
    change_references(detector, pictures(20), flagged=digests(detector)[:4])  # by some of them
    change_references(detector, pictures(21))
    calibration = detector.calibration()
    assert calibration is not None
    assert (len(calibration), calibration.false_alarm_rate) == (22, 0.05)


def test_a_rate_that_somebody_asked_for_is_kept_as_long_as_the_references_can_promise_it(
    detector: oddlens.Detector,
) -> None:
    detector.calibrate(false_alarm_rate=0.2, review_rate=0.3)  # which is what four allow, too
    change_references(detector, pictures(*range(4, 9)))
    assert detector.rates == Rates(false_alarm_rate=0.2, review_rate=0.3)
    said = change_references(detector, leaving=digests(detector)[:6])
    assert said[-1] == (
        "The thresholds were made anew, by 3 references, each against the others. They are too few for the false-alarm rate of 0.2 "
        "that was asked for: it is what their number allows."
    )
    assert detector.rates == Rates(review_rate=0.3)


def test_thresholds_of_other_images_stay_where_references_join_and_go_where_one_goes(
    detector: oddlens.Detector,
) -> None:
    made = detector.calibrate(pictures(*range(10, 20)), 0.1)
    assert change_references(detector, pictures(4)) == ["1 reference added.", "The thresholds stay."]
    assert detector.calibration() == made
    removed, said = change_references(detector, leaving=digests(detector)[:1])
    assert removed == "1 reference removed."
    assert said == (
        f"The calibration on 10 other good images went with it ({made.thresholds.in_words()}): calibrate the station again for its "
        "promise. The thresholds were made anew, by 4 references, each against the others. They are too few for the false-alarm "
        "rate of 0.1 that was asked for: it is what their number allows."
    )
    after = detector.calibration()
    assert after is not None
    assert (after.kind, len(after)) == ("leave-one-out", 4)
    assert after.false_alarm_rate == 0.2  # four cannot promise the 10 % that was asked for


def test_references_of_which_nobody_knows_the_pixels_make_thresholds_too(detector: oddlens.Detector) -> None:
    assert detector.references is not None
    detector.references = replace(detector.references, digests=())
    said = change_references(detector, pictures(4))
    assert said[-1] == "The thresholds were made anew, by 5 references, each against the others."


def test_those_that_were_flagged_make_no_thresholds(detector: oddlens.Detector) -> None:
    said = change_references(detector, pictures(4), flagged=digests(detector)[:2])
    assert said[-1] == "The thresholds were made anew, by 3 references, each against the others."
    calibration = detector.calibration()
    assert calibration is not None
    assert len(calibration) == 3
    assert len(digests(detector)) == 5


def test_what_is_known_of_the_line_stays_where_one_goes(detector: oddlens.Detector) -> None:
    detector.calibrate()
    detector.state, detector.accepted = Readiness("learning"), Accepted({"0.png": "is darker", "1.png": "is odd"})
    scene = detector.scene
    remove_references(detector, digests(detector)[:1])
    assert detector.state == Readiness("learning")
    assert detector.accepted == Accepted({"1.png": "is odd"})
    assert scene is not None
    assert detector.scene is not None
    assert (detector.scene.references == scene.references[1:]).all()


def test_what_cannot_go_is_refused(detector: oddlens.Detector) -> None:
    with pytest.raises(UsageError, match="there is no reference ffffffffffff"):
        change_references(detector, leaving=["f" * 64])
    with pytest.raises(UsageError, match="the last references cannot go"):
        change_references(detector, leaving=digests(detector))
    assert len(digests(detector)) == 4
    two = change_references(detector, leaving=digests(detector)[:3])
    assert two == ["3 references removed.", "There are too few references for thresholds."]


def test_the_first_ones_make_other_scores_that_no_threshold_was_made_for() -> None:
    detector = oddlens.load("winclip", runtime="onnx")
    detector.calibrate(pictures(*range(10, 20)), 0.2)
    detector.set_thresholds(image=0.3)
    assert change_references(detector, pictures(4)) == [
        "1 reference added.",
        "The thresholds that were given by hand were for other scores, and went.",
        "There are too few references for thresholds.",
    ]
    assert (detector.thresholds, detector.calibration()) == (Thresholds(), None)
    change_references(detector, pictures(5, 6))
    calibration = detector.calibration()
    assert calibration is not None
    assert (calibration.kind, len(calibration)) == ("leave-one-out", 3)
