"""`oddlens station create`: good examples in, a station out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import before_the_first_image
from oddlens.cli.finding import counted, find_good_images
from oddlens.cli.options import (
    AsJson,
    DeviceName,
    MarkingOptions,
    MethodName,
    ModelName,
    PreparationOptions,
    RoiFile,
    StationFolder,
    WeightsFile,
    method_or_default,
    say,
    settings_option,
)
from oddlens.cli.settings import recipe_overrides
from oddlens.cli.station_page import print_station
from oddlens.errors import UsageError, printable

if TYPE_CHECKING:
    from oddlens.detector import Detector

EXAMPLES = """\b
Examples:
  oddlens station create line-3 --object bottle --reference good/
  oddlens station create line-3 --object bottle --reference good/ --calibrate more_good/ --false-alarm-rate 0.05
  oddlens station create boards --object "circuit board" --reference good/ --tiles 3x2 --fit pad
  oddlens detect parts/ --station line-3 --out results/
"""

FalseAlarmRate = Annotated[
    float | None,
    typer.Option(
        "--false-alarm-rate",
        metavar="R",
        help="The share of good images that may be called NG: 0.05 for 5 %, which needs 19 good images, or 0.01, which needs 99.",
        show_default="1 / (n + 1) below 20 images, then 0.05, from 100 on 0.01",
    ),
]
ReviewRate = Annotated[
    float | None,
    typer.Option(
        "--review-rate",
        metavar="R",
        help="The share of good images that may go to review besides; 0: none.",
        show_default="0.05",
    ),
]


@dataclass(frozen=True)
class StationOptions:
    """Of what a station is made."""

    object_name: Annotated[
        str,
        typer.Option("--object", metavar="NAME", help="What is on the images, in a word or two.", show_default=False),
    ]
    reference: Annotated[
        list[str] | None,
        typer.Option(metavar="IMAGES", help="Good examples: a folder, a file or a pattern; may be repeated."),
    ] = None
    method: MethodName = None
    model: ModelName = None
    weights: WeightsFile = None
    setting: Annotated[list[str] | None, settings_option("the method's recipe")] = None
    roi: RoiFile = None
    device: DeviceName = "auto"


@dataclass(frozen=True)
class CalibrationOptions:
    """How its thresholds are set."""

    calibrate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IMAGES", help="Other good images, which the thresholds are calibrated on; may be repeated."
        ),
    ] = None
    calibrate_from_references: Annotated[
        bool,
        typer.Option(
            "--calibrate-from-references",
            help="Calibrate on the references, each held against the others: also the default where there are two or more.",
        ),
    ] = False
    false_alarm_rate: FalseAlarmRate = None
    review_rate: ReviewRate = None


def create(
    folder: StationFolder,
    what: StationOptions,
    calibration: CalibrationOptions,
    preparing: PreparationOptions,
    marking: MarkingOptions,
    as_json: AsJson = False,
) -> None:
    """Make a station of good examples. It is a folder with everything needed to detect, offline, on any machine.

    Take the good examples at different times, not one after the other. Two or more of them also give the thresholds. Other good
    images (--calibrate) give thresholds that promise more.

    Exit code: 0, 2 if the call was wrong or an image cannot be used: then there is no station.
    """
    if calibration.calibrate and calibration.calibrate_from_references:
        raise UsageError("--calibrate and --calibrate-from-references contradict each other: give one of them")
    overrides = recipe_overrides(what.setting or [], {})
    from oddlens.detection import RegionOfInterest
    from oddlens.station import locked, refuse_other_files, write_station

    _refuse_station(folder)
    refuse_other_files(folder)
    roi = None if what.roi is None else RegionOfInterest.read(what.roi)
    preparation = preparing.preparation()
    marked = marking.marking() if marking.is_given else None
    good = find_good_images(what.reference or [])
    others = find_good_images(calibration.calibrate or [], "calibration images")

    import oddlens

    with before_the_first_image():
        method = method_or_default(what.method, what.model, what.weights, with_references=bool(good))
        detector = oddlens.load(method, what.model, what.weights, what.device, **overrides)
        detector.object_name, detector.marking = what.object_name, marked
        detector.preparation = preparation
        if roi is not None:
            detector.roi = roi
        with counted("references", good) as images:
            if good:
                detector.add_references(images)
        _calibrate(detector, others, calibration)
        state = detector.to_state()
    made_of = f"{len(good)} reference{'' if len(good) == 1 else 's'}"
    with locked(folder, new=True):
        _refuse_station(folder)
        write_station(state, folder, verb="create", what=f"made of {made_of}" if good else "made without references")
    if state.thresholds_in_force.image is None:
        say(
            "oddlens: the station has no threshold, and so gives no verdict: calibrate it ('oddlens calibrate'), or set one with "
            "'oddlens station set'"
        )
    print_station(folder, as_json=as_json)


def _calibrate(detector: Detector, others: Sequence[Path], options: CalibrationOptions) -> None:
    """Calibrate as the options say, and leave the default where they say nothing."""
    from contextlib import nullcontext

    from oddlens.calibration import REVIEW_RATE

    is_asked = options.calibrate_from_references or (options.false_alarm_rate, options.review_rate) != (None, None)
    if not others and not is_asked:
        return
    review_rate = REVIEW_RATE if options.review_rate is None else options.review_rate
    with counted("calibration images", others) if others else nullcontext() as images:
        detector.calibrate(images, options.false_alarm_rate, review_rate=review_rate)


def _refuse_station(folder: Path) -> None:
    from oddlens.io.paths import is_file
    from oddlens.station.document import STATION

    if is_file(folder / STATION):
        name = printable(str(folder))
        raise UsageError(
            f"{name} is a station already: 'oddlens station set' changes it, 'oddlens calibrate' calibrates it again; give another "
            "name for a new one"
        )
