"""What of a station can be changed without a model: thresholds by hand, the rates of calibrated ones, names of defects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from oddlens.calibration import Calibration, Rates
from oddlens.detection import Thresholds
from oddlens.errors import UsageError
from oddlens.station.defects import Defects, defect_names
from oddlens.station.state import StationState


def by_hand(state: StationState, score: float | None, pixel: float | None, review: float | None) -> StationState:
    """Thresholds that are given stand in the place of earlier ones; an image threshold brings its own review threshold, or none."""
    earlier = state.thresholds
    return replace(
        state,
        thresholds=Thresholds(
            earlier.image if score is None else score,
            earlier.pixel if pixel is None else pixel,
            "given",
            review if review is not None or score is not None else earlier.review,
        ),
    )


def at_rates(state: StationState, false_alarm_rate: float | None, review_rate: float | None) -> StationState:
    """Calibrated thresholds at other rates; those of images that were given by hand go."""
    calibration, earlier = state.calibration, rates_of(state)
    rates = Rates(
        false_alarm_rate=earlier.false_alarm_rate if false_alarm_rate is None else false_alarm_rate,
        review_rate=earlier.review_rate if review_rate is None else review_rate,
    )
    if isinstance(calibration, Calibration):
        checked = rates.check(len(calibration))
        assert checked.false_alarm_rate is not None
        state = replace(
            state,
            calibration=replace(
                calibration, false_alarm_rate=checked.false_alarm_rate, review_rate=checked.review_rate
            ),
        )
    else:
        count = 0 if state.references is None else len(state.references.sources)
        if count < 2:
            raise UsageError(
                "the station has nothing to set a threshold by: calibrate it on good images ('oddlens calibrate'), or give a "
                "--threshold"
            )
        rates.check(count)
        state = replace(state, calibration=rates)
    pixel = state.thresholds.pixel
    return replace(state, thresholds=Thresholds(None, pixel, None if pixel is None else "given"))


def rates_of(state: StationState) -> Rates:
    """The rates that the station's thresholds are set at."""
    calibration = state.calibration
    return calibration.rates if isinstance(calibration, Calibration) else calibration or Rates()


def named_among(state: StationState, words: Sequence[str]) -> StationState:
    """Regions are named among these words, two or more; () among none. Raises `UsageError` for what is no name."""
    names = defect_names(",".join(words)) if words else ()
    return replace(state, defects=replace(state.defects or Defects(), words=names))


def differences(before: StationState, after: StationState) -> Iterator[str]:
    """What the thresholds, rates and marks are now, and what they were."""
    for name, old, new in (
        ("threshold", before.thresholds.image, after.thresholds.image),
        ("pixel threshold", before.thresholds.pixel, after.thresholds.pixel),
        ("review threshold", before.thresholds.review, after.thresholds.review),
    ):
        if old != new:
            yield f"{name} {_number(new)} (was {_number(old)})"
    one, other = before.calibration_in_force, after.calibration_in_force
    if one is not None and other is not None:
        for name, old, new in (
            ("false-alarm rate", one.false_alarm_rate, other.false_alarm_rate),
            ("review rate", one.review_rate, other.review_rate),
        ):
            if old != new:
                yield f"{name} {_number(new)} (was {_number(old)})"
    words = [() if state.defects is None else state.defects.words for state in (before, after)]
    if words[0] != words[1]:
        yield f"regions are named among {', '.join(words[1])}" if words[1] else "regions are not named"
    if before.marking != after.marking and after.marking is not None:
        yield after.marking.in_words()


def _number(value: float | None) -> str:
    return "calibrated" if value is None else f"{value:.6g}"
