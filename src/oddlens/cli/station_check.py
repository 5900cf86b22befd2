"""`oddlens station check`: false alarms and misses of a station on labelled images."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import before_the_first_image, loading
from oddlens.cli.finding import find_good_images
from oddlens.cli.labelled import KnownImages, judged_images
from oddlens.cli.options import AsJson, DeviceName, RuntimeName, StationFolder
from oddlens.cli.table import print_table
from oddlens.errors import Failure, UsageError, printable

if TYPE_CHECKING:
    from oddlens.detector import Detector
    from oddlens.io.remote import ImagePath
    from oddlens.station import Check

EXAMPLES = """\b
Examples:
  oddlens station check line-3 --good today/good/
  oddlens station check line-3 --good today/good/ --bad today/bad/ --json
"""


@dataclass(frozen=True)
class LabelledImages:
    """Images of which it is known what they are."""

    good: Annotated[
        list[str],
        typer.Option(
            metavar="IMAGES...", help="Good images, new ones: a folder, a file or a pattern.", show_default=False
        ),
    ]
    bad: Annotated[
        list[str] | None, typer.Option(metavar="IMAGES...", help="Images with defects, likewise.", show_default=False)
    ] = None


def check(
    folder: StationFolder,
    images: LabelledImages,
    device: DeviceName = "auto",
    runtime: RuntimeName = "auto",
    as_json: AsJson = False,
) -> None:
    """Count false alarms and misses on labelled images. They are compared with what the station promises.

    Images that the station was made of or calibrated on, or that its weights were trained on, are left out: of them the counts
    would be too good. The check is kept in the station's log.

    Exit code: 0 where the false alarms agree with the promise or nothing is promised, 1 where they do not or images failed, 2 if
    the call was wrong.
    """
    good = find_good_images(images.good, "good images")
    bad = find_good_images(images.bad or [], "bad images")

    import oddlens
    from oddlens.calibration import chosen
    from oddlens.station import Check, Version, add_to_log, utc_now, versions

    with before_the_first_image():
        with loading():
            detector = oddlens.open_station(folder, device, runtime=runtime)
        calibration = detector.calibration()
    thresholds = chosen(detector.thresholds, calibration)
    if thresholds.image is None:
        raise UsageError(
            f"{printable(str(folder))} has no threshold to be checked: calibrate it ('oddlens calibrate'), or set one with "
            "'oddlens station set'"
        )
    known = KnownImages.of(detector, calibration)
    counts = [_verdicts(detector, paths, what, known) for paths, what in ((good, "good images"), (bad, "bad images"))]
    made = Check(good=counts[0], bad=counts[1], thresholds=thresholds, calibration=calibration)
    if made.false_alarms is None:
        raise UsageError("no good image is left to count: give good images that the station does not know")
    number = versions(folder)[-1].number
    add_to_log(folder, Version(number=number, time=utc_now(), verb="check", what="; ".join(_said(made))))
    if as_json:
        print(json.dumps({"station": str(folder), "version": number, **made.to_dict()}, indent=2))
    else:
        _show(made)
    if made.keeps_promise is False or counts[0]["failed"] or counts[1]["failed"]:
        raise typer.Exit(1)


def _verdicts(detector: Detector, paths: Sequence[ImagePath], what: str, known: KnownImages) -> Counter[str]:
    """How many images have which verdict, or failed."""
    outcomes = judged_images(detector, paths, what, known)
    verdicts = ("failed" if isinstance(each, Failure) else each.verdict for each in outcomes)
    return Counter(each for each in verdicts if each is not None)


def _said(check: Check) -> Iterator[str]:
    """The counts in words."""
    for share, what in (
        (check.false_alarms, "good images NG (false alarms)"),
        (check.sent_to_review, "good images to review"),
        (check.missed, "bad images OK (missed)"),
    ):
        if share is not None:
            low, high = share.interval
            yield (
                f"{share.count} of {share.total} {what}: {100 * share.rate:.1f} % "
                f"(95 % interval {100 * low:.1f} to {100 * high:.1f} %)"
            )


def _show(check: Check) -> None:
    head = ("images", "number", "OK", "review", "NG", "failed")
    rows = [
        [name, str(sum(counts.values())), *(str(counts[each]) for each in ("ok", "review", "ng", "failed"))]
        for name, counts in (("good", check.good), ("bad", check.bad))
        if counts
    ]
    print_table(head, rows)
    print()
    for line in _said(check):
        print(line)
    print(check.sentence)
    if check.compared is not None:
        print(check.compared.sentence)
