"""What of a station can be changed without a model: thresholds by hand, the rates of calibrated ones, names of defects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypedDict

from oddlens.calibration import Calibration, Rates
from oddlens.detection import Thresholds
from oddlens.errors import UsageError
from oddlens.station.defects import Defects, defect_names
from oddlens.station.state import StationState


class Wanted(TypedDict, total=False):
    """What is to be another one of a station; what is left out stays. review_threshold: None: nothing is sent to review."""

    threshold: float
    review_threshold: float | None
    pixel_threshold: float
    false_alarm_rate: float
    review_rate: float
    defects: Sequence[str]


def check_wanted(wanted: Wanted) -> None:
    """Raise `UsageError` where one contradicts another."""
    if wanted.keys() & {"threshold", "review_threshold"} and wanted.keys() & {"false_alarm_rate", "review_rate"}:
        raise UsageError(
            "thresholds and rates contradict each other: give the threshold, or the rate that it is set for"
        )


def changed(state: StationState, wanted: Wanted) -> StationState:
    """The station with what is wanted. Raises `UsageError` for what cannot be."""
    check_wanted(wanted)
    score, pixel, review = wanted.get("threshold"), wanted.get("pixel_threshold"), wanted.get("review_threshold")
    if score is not None and "review_threshold" not in wanted:
        review = _review_below(state, score)
    if score is not None or pixel is not None or review is not None:
        state = by_hand(state, score, pixel, review)
    if score is None and review is None and "review_threshold" in wanted:
        state = without_review(state)
    if "false_alarm_rate" in wanted or "review_rate" in wanted:
        state = at_rates(state, wanted.get("false_alarm_rate"), wanted.get("review_rate"))
    return named_among(state, wanted["defects"]) if "defects" in wanted else state


def _review_below(state: StationState, score: float) -> float | None:
    """The review threshold that is in force, calibrated or not, where it lies below a new threshold; else none."""
    review = state.thresholds_in_force.review
    return None if review is None or review >= score else review


def without_review(state: StationState) -> StationState:
    """Nothing is sent to review. The threshold stays; a calibrated one keeps its promise."""
    if state.thresholds.image is None and state.calibration_in_force is not None:
        return at_rates(state, None, 0.0)
    return replace(state, thresholds=replace(state.thresholds, review=None))


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
        state = replace(state, calibration=calibration.at(rates))
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


_NAMES = ("threshold", "pixel threshold", "review threshold")


def differences(before: StationState, after: StationState) -> Iterator[str]:
    """What the thresholds, rates and marks are now, and what they were."""
    for name, was, now in zip(_NAMES, _in_force(before), _in_force(after), strict=True):
        if was != now:
            yield f"{name} {now[1]} (was {was[1]})"
    one, other = before.calibration_in_force, after.calibration_in_force
    if one is not None and other is not None:
        for name, old, new in (
            ("false-alarm rate", one.false_alarm_rate, other.false_alarm_rate),
            ("review rate", one.review_rate, other.review_rate),
        ):
            if old != new:
                yield f"{name} {new:.6g} (was {old:.6g})"
    words = [() if state.defects is None else state.defects.words for state in (before, after)]
    if words[0] != words[1]:
        yield f"regions are named among {', '.join(words[1])}" if words[1] else "regions are not named"
    if before.marking != after.marking and after.marking is not None:
        yield after.marking.in_words()


def _in_force(state: StationState) -> Iterator[tuple[float | None, str]]:
    """The thresholds in force, and what is said of them, in the order of `_NAMES`."""
    given, known = state.thresholds, state.thresholds_in_force
    # What an earlier format calibrated, or what was edited, is known when a model ran.
    is_known = state.calibration is None or state.calibration_in_force is not None
    for by_hand, value in ((given.image, known.image), (given.pixel, known.pixel), (given.review, known.review)):
        if value is None:
            yield value, "none" if is_known or given.image is not None else "calibrated"
        else:
            yield value, f"{value:.6g}" if by_hand is not None else f"{value:.6g}, calibrated"
