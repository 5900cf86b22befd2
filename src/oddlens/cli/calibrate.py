"""`oddlens calibrate`: set a station's thresholds by good images, after a look at them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import before_the_first_image, loading
from oddlens.cli.finding import find_good_images, with_progress
from oddlens.cli.labelled import KnownImages, judged_images
from oddlens.cli.options import AsJson, DeviceName, FalseAlarmRate, RuntimeName, StationFolder, say
from oddlens.cli.vetting import SHEET, AcceptNames, LeaveOutNames, images_named, print_vetting, refuse_doubtful
from oddlens.errors import Failure, UsageError, printable

if TYPE_CHECKING:
    from oddlens.calibration import Calibration, DetectionRate, Observations, Vetting
    from oddlens.detection import Thresholds
    from oddlens.detector import Detector
    from oddlens.io.remote import ImagePath
    from oddlens.teaching.calibrating import Earlier, Seen

EXAMPLES = """\b
Examples:
  oddlens calibrate line-3 --good good/
  oddlens calibrate line-3 --good good/ --bad bad/ --false-alarm-rate 0.01
  oddlens calibrate line-3 --from-learning
  oddlens calibrate line-3 --good good/ --leave-out 006.png --accept 014.png
"""


def calibrate(
    station: StationFolder,
    good: Annotated[
        list[str] | None,
        typer.Option("--good", metavar="IMAGES...", help="Good images that are no references.", show_default=False),
    ] = None,
    from_learning: Annotated[
        bool,
        typer.Option("--from-learning", help="The sample of its line that the station kept while it was learning."),
    ] = False,
    bad: Annotated[
        list[str] | None,
        typer.Option(
            "--bad", metavar="IMAGES...", help="Images of known defects, to say how many are found.", show_default=False
        ),
    ] = None,
    false_alarm_rate: FalseAlarmRate = None,
    review_rate: Annotated[
        float | None,
        typer.Option(
            metavar="R",
            help="The share of good images that may go to review besides; 0: none.",
            show_default="what the station has",
        ),
    ] = None,
    accept: AcceptNames = None,
    leave_out: LeaveOutNames = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where to write the contact sheet (.png or .jpg).", show_default=f"STATION/{SHEET}"
        ),
    ] = None,
    device: DeviceName = "auto",
    runtime: RuntimeName = "auto",
    as_json: AsJson = False,
) -> None:
    """Set the thresholds of a station by good images.

    The images are looked at first: a table and a contact sheet show the most doubtful ones. The command stops where one is
    doubtful, until you say --accept NAME (it is good) or --leave-out NAME (it is not). Without --good and --from-learning, the
    references are used, each compared with the others.

    The station gets a new version; 'oddlens station rollback' goes back. Nothing is written where the command stops.

    Exit code: 0, 1 if images could not be read (the thresholds are set by the others), 2 if the call was wrong or an image is
    doubtful.
    """
    if good and from_learning:
        raise UsageError("--good and --from-learning contradict each other: give one of them")
    paths = None if not good else find_good_images(good, "good images")
    known_bad = [] if not bad else find_good_images(bad, "bad images")
    if sheet is not None and sheet.resolve() in _local([*(paths or []), *known_bad]):
        raise UsageError(
            f"the contact sheet {printable(str(sheet))} would overwrite one of the images: give another name"
        )

    from oddlens.data.contact_sheet import check_sheet

    if sheet is not None:
        check_sheet(sheet)

    import oddlens
    from oddlens.calibration import REVIEW_RATE, chosen, vet
    from oddlens.calibration.sheet import write_sheet
    from oddlens.station import locked, read_station, write_station
    from oddlens.teaching.calibrating import calibrate_station, held_against

    with locked(station):
        with before_the_first_image(), loading():
            detector = oddlens.open_station(station, device, runtime=runtime)
        failed: list[Failure] = []
        with before_the_first_image():
            seen = _seen(detector, station, paths, from_learning, leave_out or [], failed)
        vetting = vet(seen.images)
        place = sheet or station / SHEET
        title = f"{detector.object_name}: {seen.what}"
        if not as_json:
            print_vetting(vetting)
        accepted = () if detector.accepted is None else detector.accepted.names
        is_split = seen.images.kind == "split"
        refuse_doubtful(vetting, accept or [], place, accepted=accepted, leave_out=is_split, title=title)
        write_sheet(vetting, place, title)
        earlier = held_against(read_station(station).thresholds_in_force, seen)
        calibration = calibrate_station(detector, station, seen, false_alarm_rate, review_rate)
        in_force = chosen(detector.thresholds, calibration)
        rate = _found(detector, calibration, in_force, known_bad, failed)
        version = write_station(detector.to_state(), station, verb="calibrate", what=f"calibrated on {seen.what}")
    if as_json:
        print(
            json.dumps(
                _document(calibration, in_force, earlier, vetting, rate, place, version.number, failed), indent=2
            )
        )
    else:
        _print(seen.images, calibration, in_force, earlier, rate)
        if is_split and review_rate is None and not calibration.review_rate:
            say(
                f"oddlens: nothing goes to review, as before; --review-rate {REVIEW_RATE} sends {100 * REVIEW_RATE:g} % of good "
                "images there"
            )
        say(f"version {version.number} of {station}; contact sheet: {place}")
    if failed:
        raise typer.Exit(1)


def _print(
    seen: Observations,
    calibration: Calibration,
    in_force: Thresholds,
    earlier: Earlier | None,
    rate: DetectionRate | None,
) -> None:
    from oddlens.calibration import given_beside

    print()
    _print_histogram(seen.scores, in_force)
    print()
    if earlier is not None:
        print(earlier.sentence)
    for sentence in given_beside(calibration, in_force) or [calibration.statement]:
        print(sentence)
    if rate is not None:
        print(_found_sentence(rate))


def _seen(
    detector: Detector,
    station: Path,
    paths: Sequence[ImagePath] | None,
    from_learning: bool,
    leave_out: Sequence[str],
    failed: list[Failure],
) -> Seen:
    """The images to calibrate on, without those that are left out by name. failed: gets those that cannot be read."""
    from oddlens.teaching.calibrating import Seen, check_count, observe_line, observe_references

    def note(failure: Failure) -> None:
        say(f"oddlens: {failure}")
        failed.append(failure)

    if from_learning:
        seen = observe_line(detector, station)
        for sentence in seen.said:
            say(f"oddlens: {sentence}")
    elif paths is None:
        seen = observe_references(detector, station)
    else:
        with with_progress("good images", paths) as images:
            seen = Seen(detector.observe(images, failed=note))
    left_out = images_named("--leave-out", leave_out, (each.source for each in seen.images))
    if left_out and seen.images.kind == "leave-one-out":
        raise UsageError("--leave-out is for --good and --from-learning: make the station anew without that reference")
    kept = seen._replace(images=seen.images.without(left_out))
    if len(seen.images) and not len(kept.images):
        raise UsageError("--leave-out names all of the images: nothing is left to calibrate on")
    check_count(kept, len(left_out))
    return kept


def _found(
    detector: Detector,
    calibration: Calibration,
    in_force: Thresholds,
    bad: Sequence[ImagePath],
    failed: list[Failure],
) -> DetectionRate | None:
    """How many of the known defects are found, without those that the station remembers; None without any."""
    outcomes = list(judged_images(detector, bad, "bad images", KnownImages.of(detector, calibration))) if bad else []
    failed += [each for each in outcomes if isinstance(each, Failure)]
    scores = [each.score for each in outcomes if not isinstance(each, Failure)]
    return calibration.detection_rate(scores, in_force) if scores else None


def _found_sentence(rate: DetectionRate) -> str:
    low, high = (f"{100 * end:.0f}" for end in (rate.low, rate.high))
    return (
        f"{rate.found} of {rate.total} images with known defects are called NG: of defects like these {low} to {high} % are found, "
        "with 95 % confidence. Nothing is known of other kinds."
    )


def _print_histogram(scores: Sequence[float], thresholds: Thresholds, bins: int = 12, width: int = 40) -> None:
    """The scores of the good images, with the thresholds in force among them."""
    marks = {"review": thresholds.review, "NG": thresholds.image}
    ends = [*scores, *(value for value in marks.values() if value is not None)]
    low, high = min(ends), max(ends)
    step = (high - low) / bins or 1.0
    counts = [0] * bins
    for score in scores:
        counts[min(bins - 1, int((score - low) / step))] += 1
    for number, count in enumerate(counts):
        start = low + number * step
        inside = [
            name
            for name, value in marks.items()
            if value is not None and number == min(bins - 1, int((value - low) / step))
        ]
        bar = "#" * math.ceil(width * count / max(counts))
        said = f"  <- {' and '.join(inside)} above" if inside else ""
        print(f"{start:9.4f}  {count:4d}  {bar}{said}")


def _document(
    calibration: Calibration,
    in_force: Thresholds,
    earlier: Earlier | None,
    vetting: Vetting,
    rate: DetectionRate | None,
    sheet: Path,
    version: int,
    failed: Sequence[Failure],
) -> dict[str, object]:
    return {
        "version": version,
        "calibration": calibration.to_dict(),
        "thresholds": in_force.to_dict(),
        "statement": calibration.statement,
        "earlier": None if earlier is None else earlier._asdict(),
        "vetting": vetting.to_dict(),
        "detection_rate": None if rate is None else rate._asdict(),
        "sheet": str(sheet),
        "failed": [each.to_dict() for each in failed],
    }


def _local(paths: Sequence[ImagePath]) -> set[Path]:
    """The files among images, one spelling each."""
    return {path.resolve() for path in paths if isinstance(path, Path)}
