"""`oddlens station check`: false alarms and misses of a station on labelled images."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import before_the_first_image, loading
from oddlens.cli.finding import find_good_images
from oddlens.cli.options import AsJson, DeviceName, StationFolder, say
from oddlens.cli.progress import progress
from oddlens.cli.table import print_table
from oddlens.errors import Failure, UsageError, printable

if TYPE_CHECKING:
    from oddlens.detector import Detector
    from oddlens.io.images import Picture
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


def check(folder: StationFolder, images: LabelledImages, device: DeviceName = "auto", as_json: AsJson = False) -> None:
    """Count false alarms and misses on labelled images. They are held against what the station promises.

    Images that the station was made of or calibrated on are left out: of them the counts would be too good. The check is kept in
    the station's log.

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
            detector = oddlens.open_station(folder, device)
        calibration = detector.calibration()
    thresholds = chosen(detector.thresholds, calibration)
    if thresholds.image is None:
        raise UsageError(
            f"{printable(str(folder))} has no threshold to be checked: calibrate it ('oddlens calibrate'), or set one with "
            "'oddlens station set'"
        )
    references = detector.references
    known = {} if references is None else dict.fromkeys(references.digests, "references")
    if detector.defects is not None:
        known |= dict.fromkeys(detector.defects.memory.images, "defects that it remembers")
    names = {} if references is None else dict.fromkeys(map(os.path.realpath, references.sources), "references")
    if calibration is not None and calibration.kind == "split":
        names |= dict.fromkeys(map(os.path.realpath, calibration.sources), "calibration images")
    counts = [_verdicts(detector, paths, what, known, names) for paths, what in ((good, "good"), (bad, "bad"))]
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


def _verdicts(
    detector: Detector, paths: Sequence[Path], what: str, known: dict[str, str], names: Mapping[str, str]
) -> Counter[str]:
    """How many images have which verdict, or failed; those that are known are left out, and said.

    known: by the digest of their pixels, gets the new ones. names: those that are known by their paths alone.
    """
    from oddlens.io.inputs import Input, each_input

    counts, left_out, digests = Counter[str](), Counter[str](), dict[str, str]()

    def noted(each: Input) -> Input:
        def read() -> Picture:
            picture = each.read()
            digests[each.source] = picture.digest()
            return picture

        return replace(each, read=read)

    with progress(f"{what} images", len(paths)) as advance:
        inputs = [noted(each) for each in each_input(paths, detector.max_megapixels)]
        for outcome in detector.detect_each(inputs, detector.object_name):
            advance(1)
            if isinstance(outcome, Failure):
                say(f"oddlens: {outcome.reason}")
                counts["failed"] += 1
                continue
            digest = digests[outcome.source]
            where = known.get(digest) or names.get(os.path.realpath(outcome.source))
            known.setdefault(digest, "images of this check")
            if where is not None:
                left_out[where] += 1
            elif outcome.verdict is not None:
                counts[outcome.verdict] += 1
    for where, count in left_out.items():
        say(f"oddlens: {count} of the {what} images {'is' if count == 1 else 'are'} among the {where}: left out")
    return counts


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
