"""`oddlens station set`: another threshold, rate, object or region of interest, as a new version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, cast

import typer

from oddlens.cli.command import before_the_first_image, loading
from oddlens.cli.options import (
    REVIEW_RATE_HELP,
    AsJson,
    DeviceName,
    FalseAlarmRate,
    MarkingOptions,
    RoiFile,
    RuntimeName,
    StationFolder,
    say,
    threshold_option,
)
from oddlens.cli.station_page import print_station
from oddlens.cli.thresholds import parse_thresholds
from oddlens.errors import UsageError, check_name

if TYPE_CHECKING:
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
        float | None,
        typer.Option(
            metavar="SCORE",
            help="Review from here to the threshold.",
            show_default="as it is, where it lies below the threshold",
        ),
    ] = None
    false_alarm_rate: FalseAlarmRate = None
    review_rate: Annotated[
        float | None,
        typer.Option("--review-rate", metavar="R", help=REVIEW_RATE_HELP, show_default="the station's own"),
    ] = None
    object_name: Annotated[
        str | None,
        typer.Option(
            "--object",
            metavar="NAME",
            help="What is on the images. Where scores depend on it, calibrate again.",
        ),
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

    from oddlens.station import locked, read_station, write_station
    from oddlens.station.changes import Wanted, changed, check_wanted, differences

    given = {
        "threshold": score,
        "pixel_threshold": pixel,
        "review_threshold": change.review_threshold,
        "false_alarm_rate": change.false_alarm_rate,
        "review_rate": change.review_rate,
        "defects": None if change.defects is None else [change.defects],
    }
    wanted = cast("Wanted", {name: value for name, value in given.items() if value is not None})
    check_wanted(wanted)  # before a model is loaded
    with locked(folder):
        state = read_station(folder)
        said: list[str] = []
        if change.object_name is not None or change.roi is not None:
            with before_the_first_image():
                state, said = _asked_otherwise(folder, state, change, device, runtime)
        state = changed(state, wanted)
        if marking.is_given:
            state = replace(state, marking=marking.marking(state.marking))
        said += differences(read_station(folder), state)
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


def _asked_otherwise(
    folder: StationFolder, state: StationState, change: ChangeOptions, device: str, runtime: str
) -> tuple[StationState, list[str]]:
    """The station with another object or region of interest, and what changed, in words."""
    import oddlens
    from oddlens.detection import RegionOfInterest
    from oddlens.teaching.changing import asked_otherwise

    roi = None if change.roi is None else RegionOfInterest.read(change.roi)
    with loading():
        detector = oddlens.open_station(folder, device, runtime=runtime)
    changed = asked_otherwise(folder, detector, state, object_name=change.object_name, roi=roi)
    if changed.remark is not None:
        say(f"oddlens: {changed.remark}")
    return changed.state, changed.said
