"""`oddlens calibrate`: set a station's thresholds by good images, after a look at them."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import before_the_first_image, loading
from oddlens.cli.finding import find_good_images, with_progress
from oddlens.cli.labelled import KnownImages, judged_images
from oddlens.cli.options import DeviceName, RuntimeName, say
from oddlens.cli.vetting import SHEET, AcceptNames, image_named, print_vetting, refuse_doubtful
from oddlens.errors import Failure, OddlensWarning, UsageError, counted, printable

if TYPE_CHECKING:
    from oddlens.calibration import Calibration, DetectionRate, Exchangeability, Observations, Vetting
    from oddlens.detector import Detector
    from oddlens.station.learning import LearningSample

EXAMPLES = """\b
Examples:
  oddlens calibrate line-3 --good good/
  oddlens calibrate line-3 --good good/ --bad bad/ --false-alarm-rate 0.01
  oddlens calibrate line-3 --from-learning
  oddlens calibrate line-3 --good good/ --leave-out 006.png --accept 014.png
"""


def calibrate(
    station: Annotated[Path, typer.Argument(metavar="STATION", help="The station.", show_default=False)],
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
    false_alarm_rate: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="The share of good images that may be called NG.",
            show_default="1/(n+1) below 20 images, 0.05 from 20 on, 0.01 from 100 on",
        ),
    ] = None,
    review_rate: Annotated[
        float, typer.Option(metavar="RATE", help="The share of good images that may go to review besides.")
    ] = 0.05,
    accept: AcceptNames = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME...", help="Images that are not to be used, by name.", show_default=False),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where to write the contact sheet (.png or .jpg).", show_default=f"STATION/{SHEET}"
        ),
    ] = None,
    device: DeviceName = "auto",
    runtime: RuntimeName = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as one JSON object.")] = False,
) -> None:
    """Set the thresholds of a station by good images.

    The images are looked at first: a table and a contact sheet show the most doubtful ones. The command stops where one is
    doubtful, until you say --accept NAME (it is good) or --leave-out NAME (it is not). Without --good and --from-learning, the
    references are used, each held against the others.

    The station gets a new version; 'oddlens station rollback' goes back. Nothing is written where the command stops.

    Exit code: 0, 1 if images could not be read (the thresholds are set by the others), 2 if the call was wrong or an image is
    doubtful.
    """
    if good and from_learning:
        raise UsageError("--good and --from-learning contradict each other: give one of them")
    paths = None if not good else find_good_images(good, "good images")
    known_bad = [] if not bad else find_good_images(bad, "bad images")
    if sheet is not None and sheet.resolve() in {path.resolve() for path in [*(paths or []), *known_bad]}:
        raise UsageError(
            f"the contact sheet {printable(str(sheet))} would overwrite one of the images: give another name"
        )

    from oddlens.data.contact_sheet import check_sheet

    if sheet is not None:
        check_sheet(sheet)

    import oddlens
    from oddlens.calibration import Readiness, vet
    from oddlens.calibration.sheet import write_sheet
    from oddlens.station import locked, write_station
    from oddlens.station.learning import LearningSample, scored_by

    with locked(station):
        with before_the_first_image(), loading():
            detector = oddlens.open_station(station, device, runtime=runtime)
        if paths is None and not from_learning:
            _refuse_flagged(detector, station)
        sample = LearningSample(station, scored_by(detector.identity, detector.object_name))
        failed: list[Failure] = []
        with before_the_first_image():
            seen = _seen(detector, station, paths, sample if from_learning else None, leave_out or [], failed)
        vetting = vet(seen)
        place = sheet or station / SHEET
        title = f"{detector.object_name}: {_what(seen, from_learning)}"
        if not as_json:
            print_vetting(vetting)
        accepted = () if detector.accepted is None else detector.accepted.names
        refuse_doubtful(vetting, accept or [], place, accepted=accepted, leave_out=seen.kind == "split", title=title)
        write_sheet(vetting, place, title)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OddlensWarning)  # what is doubtful was said, and accepted
            detector.calibrate(seen, false_alarm_rate, review_rate=review_rate)
        calibration = _calibration(detector)
        tested = _tested(calibration, seen, sample, from_learning)
        detector.state = Readiness(
            "learning" if seen.kind == "leave-one-out" else "ready", len(seen) if from_learning else 0, tested
        )
        calibration = _calibration(detector)  # which says what was tested
        rate = _found(detector, calibration, known_bad, failed)
        version = write_station(
            detector.to_state(), station, verb="calibrate", what=f"calibrated on {_what(seen, from_learning)}"
        )
    if as_json:
        print(json.dumps(_document(calibration, vetting, rate, place, version.number, failed), indent=2))
    else:
        _print(seen, calibration, rate)
        given = detector.thresholds.image
        if given is not None:
            say(
                f"oddlens: the threshold {given:g} that was given by hand stays in force: 'oddlens station set' changes it"
            )
        say(f"version {version.number} of {station}; contact sheet: {place}")
    if failed:
        raise typer.Exit(1)


def _print(seen: Observations, calibration: Calibration, rate: DetectionRate | None) -> None:
    print()
    _print_histogram(seen.scores, calibration)
    print()
    print(calibration.statement)
    if rate is not None:
        print(_found_sentence(rate))


def _calibration(detector: Detector) -> Calibration:
    found = detector.calibration()
    assert found is not None
    return found


def _what(seen: Observations, from_learning: bool) -> str:
    count = len(seen)
    if seen.kind == "leave-one-out":
        return f"{count} references, each against the others"
    return f"{count} images of its line" if from_learning else f"{count} good images"


def _seen(
    detector: Detector,
    station: Path,
    paths: Sequence[Path] | None,
    sample: LearningSample | None,
    leave_out: Sequence[str],
    failed: list[Failure],
) -> Observations:
    """The images to calibrate on, without those that are left out by name. failed: gets those that cannot be read."""
    from oddlens.station.learning import LEAST

    if sample is not None:
        kept_of_line = sample.read()
        if not len(kept_of_line):
            raise UsageError(
                "the station has kept no images of its line yet: run 'oddlens detect IMAGES --station' with it first"
            )
        seen = _good_of_line(detector, station, kept_of_line)
    elif paths is None:
        seen = detector.observe()
    else:

        def note(failure: Failure) -> None:
            say(f"oddlens: {failure}")
            failed.append(failure)

        with with_progress("good images", paths) as images:
            seen = detector.observe(images, failed=note)
    left_out = {image_named("--leave-out", name, (each.source for each in seen)) for name in leave_out}
    if left_out and seen.kind == "leave-one-out":
        raise UsageError("--leave-out is for --good and --from-learning: make the station anew without that reference")
    kept = seen.without(left_out)
    if len(seen) and not len(kept):
        raise UsageError("--leave-out names all of the images: nothing is left to calibrate on")
    if sample is not None and len(kept) < LEAST:
        raise UsageError(
            f"the station has kept {counted(len(kept), 'good image')} of its line, and {LEAST} are the least that it is calibrated "
            "on: run 'oddlens detect' with more of them first"
        )
    return kept


def _good_of_line(detector: Detector, station: Path, sample: Observations) -> Observations:
    """The sample of a line without the station's own references, and without parts that users have marked as bad or unsure."""
    from oddlens.station.feedback import read_feedback

    references = frozenset[str]() if detector.references is None else frozenset(detector.references.digests)
    doubted = frozenset(mark.sha256 for mark in read_feedback(station).last if mark.said != "good")
    for digests, what, many in (
        (references, "a reference of the station", "references of the station"),
        (doubted, "marked as bad or unsure", "marked as bad or unsure"),
    ):
        count = sum(each.digest in digests for each in sample)
        if count:
            say(
                f"oddlens: {counted(count, f'image of the sample is {what}', f'images of the sample are {many}')}: left out"
            )
    return replace(sample, images=tuple(each for each in sample if each.digest not in references | doubted))


def _refuse_flagged(detector: Detector, station: Path) -> None:
    """Raise `UsageError` where references joined because they were flagged: thresholds that they make let defects pass."""
    from oddlens.station.feedback import read_feedback

    joined = read_feedback(station).joining
    count = 0 if detector.references is None else len(joined & set(detector.references.digests))
    if count:
        raise UsageError(
            f"{counted(count, 'reference joined because it was', 'references joined because they were')} flagged, and would make "
            "the thresholds blind: calibrate on other good images (--good), or on the station's own sample of its line "
            "(--from-learning)"
        )


def _tested(
    calibration: Calibration, seen: Observations, sample: LearningSample, from_learning: bool
) -> Exchangeability | None:
    """Whether the images stand for the line: against a sample of it; those of a sample, the earlier against the later half."""
    from oddlens.calibration import compare_observed
    from oddlens.calibration.conformal import rank_for
    from oddlens.inference.line import LEAST_COMPARED

    if from_learning:
        half = len(seen) // 2
        known, later = replace(seen, images=seen.images[:half]), replace(seen, images=seen.images[half:])
        rank = rank_for(half, max(calibration.false_alarm_rate, 1 / (half + 1))) if half else 0
        return compare_observed(known, later, rank) if len(seen) >= LEAST_COMPARED else None
    line = sample.read()
    return compare_observed(seen, line, calibration.rank) if len(line) >= LEAST_COMPARED else None


def _found(
    detector: Detector, calibration: Calibration, bad: Sequence[Path], failed: list[Failure]
) -> DetectionRate | None:
    """How many of the known defects are found, without those that the station remembers; None without any."""
    outcomes = list(judged_images(detector, bad, "bad images", KnownImages.of(detector, calibration))) if bad else []
    failed += [each for each in outcomes if isinstance(each, Failure)]
    scores = [each.score for each in outcomes if not isinstance(each, Failure)]
    return calibration.detection_rate(scores) if scores else None


def _found_sentence(rate: DetectionRate) -> str:
    low, high = (f"{100 * end:.0f}" for end in (rate.low, rate.high))
    return (
        f"{rate.found} of {rate.total} images with known defects are called NG: of defects like these {low} to {high} % are found, "
        "with 95 % confidence. Nothing is known of other kinds."
    )


def _print_histogram(scores: Sequence[float], calibration: Calibration, bins: int = 12, width: int = 40) -> None:
    """The scores of the good images, with the thresholds among them."""
    thresholds = calibration.thresholds
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
    vetting: Vetting,
    rate: DetectionRate | None,
    sheet: Path,
    version: int,
    failed: Sequence[Failure],
) -> dict[str, object]:
    return {
        "version": version,
        "calibration": calibration.to_dict(),
        "thresholds": calibration.thresholds.to_dict(),
        "statement": calibration.statement,
        "vetting": vetting.to_dict(),
        "detection_rate": None if rate is None else rate._asdict(),
        "sheet": str(sheet),
        "failed": [each.to_dict() for each in failed],
    }
