"""`oddlens station create`: good examples in, a station out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import before_the_first_image, loading
from oddlens.cli.finding import find_good_images, with_progress
from oddlens.cli.options import (
    AsJson,
    DeviceName,
    FalseAlarmRate,
    MarkingOptions,
    MethodName,
    ModelName,
    PreparationOptions,
    ReferenceImages,
    ReviewRate,
    RoiFile,
    RuntimeName,
    StationFolder,
    WeightsFile,
    method_or_default,
    say,
    settings_option,
)
from oddlens.cli.settings import recipe_overrides
from oddlens.cli.station_page import print_station
from oddlens.cli.vetting import AcceptNames, LeaveOutNames, images_named, refuse_doubtful
from oddlens.errors import UsageError, check_name, counted, printable

if TYPE_CHECKING:
    from oddlens.calibration import Vetting
    from oddlens.detector import Detector
    from oddlens.io.remote import ImagePath

EXAMPLES = """\b
Examples:
  oddlens station create line-3 --object bottle --reference good/
  oddlens station create line-3 --object bottle --reference good/ --calibrate more_good/ --false-alarm-rate 0.05
  oddlens station create boards --object "circuit board" --reference good/ --tiles 3x2 --fit pad
  oddlens detect parts/ --station line-3 --out results/
"""


@dataclass(frozen=True)
class StationOptions:
    """Of what a station is made."""

    object_name: Annotated[
        str,
        typer.Option("--object", metavar="NAME", help="What is on the images, in a word or two.", show_default=False),
    ]
    reference: ReferenceImages = None
    method: MethodName = None
    model: ModelName = None
    weights: WeightsFile = None
    setting: Annotated[list[str] | None, settings_option("the method's recipe")] = None
    roi: RoiFile = None
    device: DeviceName = "auto"
    runtime: RuntimeName = "auto"


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
            help="Calibrate on the references, each compared with the others: also the default where there are two or more.",
        ),
    ] = False
    false_alarm_rate: FalseAlarmRate = None
    review_rate: ReviewRate = None


@dataclass(frozen=True)
class VettingOptions:
    """What is to be done with doubtful good images."""

    accept: AcceptNames = None
    leave_out: LeaveOutNames = None

    def kept(self, *groups: Sequence[ImagePath]) -> Iterator[list[ImagePath]]:
        """The images that are not left out. Raises `UsageError` for a name that is none."""
        known = [str(path) for group in groups for path in group]
        left_out = images_named("--leave-out", self.leave_out or [], known)
        return ([path for path in group if str(path) not in left_out] for group in groups)

    def refuse_doubtful(self, vetted: Sequence[Vetting], sheet: Path) -> None:
        """Raise `UsageError` for a doubtful image that is not accepted, with a contact sheet, or for a name that is none.

        All are asked about at once, by names that tell apart images of the same name in several folders.
        """
        if not vetted:
            return
        from oddlens.calibration import Vetting, short_names

        names = short_names(row.source for each in vetted for row in each.rows)
        rows = (replace(row, name=names[row.source]) for each in vetted for row in each.rows)
        whole = Vetting(vetted[-1].kind, tuple(sorted(rows, key=lambda row: not row.reasons)))
        titles = ["references" if each.kind == "leave-one-out" else "calibration images" for each in vetted]
        refuse_doubtful(whole, self.accept or [], sheet, leave_out=True, title=" and ".join(titles))


def create(
    folder: StationFolder,
    what: StationOptions,
    calibration: CalibrationOptions,
    preparing: PreparationOptions,
    marking: MarkingOptions,
    vetting: VettingOptions,
    as_json: AsJson = False,
) -> None:
    """Make a station of good examples. It is a folder with everything needed to detect, offline, on any machine.

    Take the good examples at different times, not one after the other. Two or more of them also give the thresholds. Other good
    images (--calibrate) give thresholds that promise more.

    The good images are looked at first. The command stops where one is doubtful, until you say --accept NAME (it is good) or
    --leave-out NAME (it is not).

    Exit code: 0, 2 if the call was wrong, an image cannot be used or is doubtful: then there is no station.
    """
    if calibration.calibrate and calibration.calibrate_from_references:
        raise UsageError("--calibrate and --calibrate-from-references contradict each other: give one of them")
    check_name("the object name", what.object_name)
    overrides = recipe_overrides(what.setting or [], preparing.given)
    from oddlens.data.contact_sheet import check_sheet
    from oddlens.detection import RegionOfInterest
    from oddlens.io.paths import exists
    from oddlens.station import locked, refuse_other_files, write_station

    _refuse_station(folder)
    refuse_other_files(folder)
    sheet = folder.with_name(f"{folder.name}-doubtful.png")
    if exists(sheet):
        check_sheet(sheet)
    roi = None if what.roi is None else RegionOfInterest.read(what.roi)
    marked = marking.marking() if marking.is_given else None
    good = find_good_images(what.reference or [])
    others = find_good_images(calibration.calibrate or [], "calibration images")
    good, others = vetting.kept(good, others)

    import oddlens

    with before_the_first_image():
        method = method_or_default(what.method, what.model, what.weights, with_references=bool(good))
        with loading():
            detector = oddlens.load(method, what.model, what.weights, what.device, runtime=what.runtime, **overrides)
        detector.object_name, detector.marking = what.object_name, marked
        if roi is not None:
            detector.roi = roi
        with with_progress("references", good) as images:
            if good:
                detector.add_references(images)
        _calibrate(detector, others, calibration, vetting, sheet)
        state = detector.to_state()
    made_of = counted(len(detector.references or ()), "reference")  # the same image twice is one
    with locked(folder, new=True):
        _refuse_station(folder)
        write_station(state, folder, verb="create", what=f"made of {made_of}" if good else "made without references")
    if state.thresholds_in_force.image is None:
        say(
            "oddlens: the station has no threshold, and so gives no verdict: calibrate it ('oddlens calibrate'), or set one with "
            "'oddlens station set'"
        )
    print_station(folder, as_json=as_json)


def _calibrate(
    detector: Detector, others: Sequence[ImagePath], options: CalibrationOptions, vetting: VettingOptions, sheet: Path
) -> None:
    """Look at the good images, and set the thresholds by them. Raises `UsageError` for doubtful ones that nobody accepted."""
    from oddlens.calibration import REVIEW_RATE
    from oddlens.teaching.calibrating import calibrate_new

    is_asked = options.calibrate_from_references or (options.false_alarm_rate, options.review_rate) != (None, None)
    references = 0 if detector.references is None else len(detector.references)
    can_score = detector.recipe.is_independent and not (references and detector.recipe.alone)
    seen = [detector.observe()] if references > 1 and can_score else []
    if others:
        with with_progress("calibration images", others) as images:
            seen.append(detector.observe(images))
    elif is_asked and not seen:
        detector.calibrate(None, options.false_alarm_rate)  # which says why it cannot
    review_rate = REVIEW_RATE if options.review_rate is None else options.review_rate
    calibrate_new(
        detector, seen, lambda vetted: vetting.refuse_doubtful(vetted, sheet), options.false_alarm_rate, review_rate
    )


def _refuse_station(folder: Path) -> None:
    from oddlens.io.paths import is_file
    from oddlens.station.document import STATION, last_whole_version, read_document

    if is_file(folder / STATION) or last_whole_version(folder) is not None:
        read_document(folder / STATION)  # which says how to mend it
        name = printable(str(folder))
        raise UsageError(
            f"{name} is a station already: 'oddlens station set' changes it, 'oddlens calibrate' calibrates it again; give another "
            "name for a new one"
        )
