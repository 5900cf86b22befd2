"""`oddlens station set`: another threshold, rate, object or region of interest, as a new version."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import before_the_first_image, loading
from oddlens.cli.options import (
    AsJson,
    DeviceName,
    MarkingOptions,
    RoiFile,
    RuntimeName,
    StationFolder,
    say,
    threshold_option,
)
from oddlens.cli.station_create import FalseAlarmRate, ReviewRate
from oddlens.cli.station_page import marked, print_station
from oddlens.cli.thresholds import parse_thresholds
from oddlens.errors import OddlensWarning, UsageError, check_name

if TYPE_CHECKING:
    from oddlens.calibration import Rates
    from oddlens.detector import Detector
    from oddlens.station import StationState

EXAMPLES = """\b
Examples:
  oddlens station set line-3 --threshold 0.41
  oddlens station set line-3 --threshold 0.41,0.5 --review-threshold 0.35
  oddlens station set line-3 --false-alarm-rate 0.05
  oddlens station set line-3 --min-area 1.5mm2 --mm-per-pixel 0.05
"""


@dataclass(frozen=True)
class ChangeOptions:
    """What is changed."""

    threshold: Annotated[list[str] | None, threshold_option("as it is")] = None
    review_threshold: Annotated[
        float | None, typer.Option(metavar="SCORE", help="Review from here to the threshold.", show_default="as it is")
    ] = None
    false_alarm_rate: FalseAlarmRate = None
    review_rate: ReviewRate = None
    object_name: Annotated[
        str | None,
        typer.Option("--object", metavar="NAME", help="What is on the images. The station must be calibrated again."),
    ] = None
    roi: RoiFile = None
    defects: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Names of defects, divided by commas, among which regions are named.",
            show_default="as it is",
        ),
    ] = None


def set_station(
    folder: StationFolder,
    change: ChangeOptions,
    marking: MarkingOptions,
    device: DeviceName = "auto",
    runtime: RuntimeName = "auto",
    as_json: AsJson = False,
) -> None:
    """Change thresholds, object, where to look, what is marked. The earlier version stays: 'oddlens station rollback' goes back.

    A threshold given by hand wins over calibrated ones, and says what it promises. --false-alarm-rate and --review-rate go back to
    calibrated ones, at these rates. No model runs, but for --object and --roi.
    """
    if change.object_name is not None:
        check_name("the object name", change.object_name)
    score, pixel = parse_thresholds(change.threshold or [])
    rates_given = (change.false_alarm_rate, change.review_rate) != (None, None)
    by_hand = score is not None or change.review_threshold is not None
    if by_hand and rates_given:
        raise UsageError(
            "thresholds and rates contradict each other: give the threshold, or the rate that it is set for"
        )

    from oddlens.station import locked, read_station, write_station

    with locked(folder):
        state = read_station(folder)
        said: list[str] = []
        if change.object_name is not None or change.roi is not None:
            with before_the_first_image():
                state = _asked_otherwise(folder, state, change, device, runtime, said)
        if score is not None or pixel is not None or change.review_threshold is not None:
            state = _by_hand(state, score, pixel, change.review_threshold)
        if rates_given:
            state = _at_rates(state, change.false_alarm_rate, change.review_rate)
        if change.defects is not None:
            from oddlens.station.defects import Defects, defect_names

            state = replace(state, defects=replace(state.defects or Defects(), words=defect_names(change.defects)))
        if marking.is_given:
            state = replace(state, marking=marking.marking(state.marking))
        said += _differences(read_station(folder), state)
        if not said:
            raise UsageError(
                "nothing is changed: give what is to be another one, for instance --threshold or --false-alarm-rate "
                "('oddlens station set --help' lists all)"
            )
        made = write_station(state, folder, verb="set", what=", ".join(said))
    if as_json:
        print_station(folder, as_json=True)
        return
    print(f"version {made.number}: {made.what}")
    if state.thresholds_in_force.promise:
        print(state.thresholds_in_force.promise)


def _by_hand(state: StationState, score: float | None, pixel: float | None, review: float | None) -> StationState:
    """Thresholds that are given stand in the place of earlier ones; an image threshold brings its own review threshold, or none."""
    from oddlens.detection import Thresholds

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


def _at_rates(state: StationState, false_alarm_rate: float | None, review_rate: float | None) -> StationState:
    """Calibrated thresholds at other rates; those of images that were given by hand go."""
    from oddlens.calibration import Calibration, Rates
    from oddlens.detection import Thresholds

    calibration, earlier = state.calibration, _rates_of(state)
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


def _rates_of(state: StationState) -> Rates:
    """The rates that the station's thresholds are set at."""
    from oddlens.calibration import Calibration, Rates

    calibration = state.calibration
    return calibration.rates if isinstance(calibration, Calibration) else calibration or Rates()


def _asked_otherwise(
    folder: StationFolder, state: StationState, change: ChangeOptions, device: str, runtime: str, said: list[str]
) -> StationState:
    """Another object or region of interest: all scores are others, and the calibration of other good images is worth nothing."""
    import oddlens
    from oddlens.calibration import Accepted, Calibration, Rates, Readiness
    from oddlens.detection import RegionOfInterest

    roi = None if change.roi is None else RegionOfInterest.read(change.roi)
    with loading():
        detector = oddlens.open_station(folder, device, runtime=runtime)
    kept = state.calibration if isinstance(state.calibration, Calibration) else None
    split = kept is not None and kept.kind == "split"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OddlensWarning)  # what becomes of the calibration is said below
        if change.object_name is not None and change.object_name != detector.object_name:
            said.append(f"object {change.object_name} (was {detector.object_name})")
            detector.object_name = change.object_name
            if kept is not None:
                detector.calibrate_by(Rates())
        if roi is not None and roi != detector.roi:
            said.append("another region of interest")
            detector.roi = roi
        if said:
            said += _thresholds_without_flagged(folder, detector, _rates_of(state))
    changed = detector.to_state()
    if split and not isinstance(changed.calibration, Calibration):
        said.append("without the calibration, which was made for other scores")
        references = () if changed.references is None else changed.references.sources
        changed = replace(
            changed, accepted=Accepted.of((), changed.accepted, kept=references), state=Readiness("learning")
        )
        now = (
            "the thresholds are those of its references"
            if changed.leave_one_out is not None
            else "it has no thresholds"
        )
        say(
            f"oddlens: until the station is calibrated again, {now}: give 'oddlens calibrate' other good images (--good), or let "
            "it learn on its line first (--from-learning)"
        )
    return changed


def _thresholds_without_flagged(folder: StationFolder, detector: Detector, rates: Rates) -> Iterator[str]:
    """Thresholds of new scores do not come of references that joined because they were flagged: those would let defects pass."""
    from oddlens.encoding import joined
    from oddlens.station.feedback import read_feedback
    from oddlens.teaching.learn import calibrate_by_some

    references, flagged = detector.references, read_feedback(folder).joining
    if references is None or not flagged & set(references.digests):
        return
    others = [
        references[number : number + 1] for number, digest in enumerate(references.digests) if digest not in flagged
    ]
    if len(others) < 2:
        raise UsageError(
            "nearly all references joined because they were flagged, so that the station would have no thresholds for its new "
            "scores: make a new station ('oddlens station create')"
        )
    calibrate_by_some(detector, joined(others), rates)
    yield f"thresholds by {len(others)} of {len(references)} references (the others were flagged)"


def _differences(before: StationState, after: StationState) -> Iterator[str]:
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
        yield f"regions are named among {', '.join(words[1])}"
    if before.marking != after.marking and after.marking is not None:
        yield marked(after.marking)


def _number(value: float | None) -> str:
    return "calibrated" if value is None else f"{value:.6g}"
