"""How false alarms that were counted stand to what the thresholds promise."""

from collections import Counter

import numpy as np
import pytest

from oddlens.calibration import Rates, calibrate_on
from oddlens.detection import Thresholds
from oddlens.station.check import Check


@pytest.mark.parametrize("below", range(5))
def test_a_moved_threshold_is_compared_with_a_promise_where_its_own_sentence_makes_one(below: int) -> None:
    images = [(f"{n}.png", n / 10, np.zeros((1, 1), np.float32)) for n in range(1, 5)]
    calibration = calibrate_on("leave-one-out", images, Rates(), object_name="nut")
    image = 0.45 - below / 10
    check = Check(good=Counter(ok=9), bad=Counter(), thresholds=Thresholds(image=image), calibration=calibration)
    promises = "promises no false-alarm rate" not in calibration.promise_at(image)
    assert promises is (below < 3)
    assert (check.promised is not None) is promises
    assert ("agree with the promise" in check.sentence) is promises


@pytest.mark.parametrize(
    ("alarms", "said"),
    [
        (1, "agree with the promise (4.8 % on average, at most 14 %)."),
        (9, "are more than the 4.8 % promised on average, and within the 14 % that a single calibration may reach."),
        (12, "are more than promised (4.8 % on average, at most 14 %), which may be chance: the interval reaches down to that."),
        (25, "are more than the 14 % that the station promises at most"),
    ],
)  # fmt: skip
def test_a_rate_is_within_a_bound_only_where_it_is(alarms: int, said: str) -> None:
    images = [(f"{n}.png", n / 10, np.zeros((1, 1), np.float32)) for n in range(1, 21)]
    calibration = calibrate_on("split", images, Rates(), object_name="nut")
    check = Check(
        good=Counter(ok=80 - alarms, ng=alarms),
        bad=Counter(),
        thresholds=calibration.thresholds,
        calibration=calibration,
    )
    assert said in check.sentence
