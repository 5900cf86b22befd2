"""`oddlens feedback`: mark the results of a station."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.options import ResultsPath, StationFolder, say
from oddlens.errors import UsageError, as_argument, check_name, counted, printable

if TYPE_CHECKING:
    from oddlens.data.shapes import RunsDocument
    from oddlens.inference.records import Record
    from oddlens.inference.results import ResultsFolder
    from oddlens.inference.run_document import RunDocument
    from oddlens.station.feedback import Mark, Said

EXAMPLES = """\b
Examples:
  oddlens feedback line-3 results/ --good parts/014.png parts/021.png
  oddlens feedback line-3 results/ --bad parts/007.png --defect scratch --reviewer Ada
  oddlens feedback line-3 results/ --label-studio export.json
  oddlens station learn line-3
"""


def feedback(
    station: StationFolder,
    results: ResultsPath,
    good: Annotated[
        list[str] | None,
        typer.Option("--good", metavar="FILE...", help="Images of good parts.", show_default=False),
    ] = None,
    bad: Annotated[
        list[str] | None,
        typer.Option("--bad", metavar="FILE...", help="Images of defective parts.", show_default=False),
    ] = None,
    unsure: Annotated[
        list[str] | None,
        typer.Option("--unsure", metavar="FILE...", help="Images that you cannot tell.", show_default=False),
    ] = None,
    defect: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the defect on the --bad images is called.")
    ] = None,
    label_studio: Annotated[
        Path | None,
        typer.Option(
            "--label-studio",
            metavar="FILE",
            help="What people said in Label Studio of the tasks of 'oddlens results label-studio': its export in the format JSON.",
        ),
    ] = None,
    comment: Annotated[str | None, typer.Option(metavar="TEXT", help="A remark, kept with each mark.")] = None,
    reviewer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who says so.", show_default="of an export: whom it names"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each mark as a JSON object.")] = False,
) -> None:
    """Say of results whether the parts are good or bad.

    STATION/feedback.jsonl gets a line for each image: what you say, the verdict and the score. Nothing else changes: 'oddlens
    station learn' makes a new version of the station of what is marked. Mark an image again to take it back: its last mark counts.

    Exit code: 0, or 2 if an image is not among the results or has changed since; then nothing is marked.
    """
    from oddlens.inference.results import ResultsFolder
    from oddlens.station import read_station
    from oddlens.station.defects import check_defect_name
    from oddlens.station.feedback import add_feedback, estimates, read_feedback
    from oddlens.station.folder import FEEDBACK

    given: dict[Said, list[str]] = {"good": good or [], "bad": bad or [], "unsure": unsure or []}
    if not any(given.values()) and label_studio is None:
        raise UsageError(
            "no image is marked: give --good, --bad or --unsure, each with files of the run, or --label-studio"
        )
    if defect is not None:
        defect = check_defect_name(defect)
        if not bad:
            raise UsageError("--defect says what is wrong with the --bad images: give some")
    if reviewer is not None:
        check_name("the reviewer's name", reviewer)
    version = read_station(station).version
    folder = ResultsFolder(results, resume=True)
    if not folder.done:
        raise UsageError(
            f"{printable(str(results))} holds no results: give the folder that 'oddlens detect --out' wrote"
        )
    judged = folder.document.get("judged")
    if isinstance(judged, Mapping) and not str(judged.get("by")).startswith("the station "):
        raise UsageError(
            f"{printable(str(results))} was judged by thresholds given by hand, and marks are of the station's verdicts: "
            f"'oddlens judge {as_argument(results)} --station {as_argument(station)}' goes back to them"
        )
    _refuse_other_station(folder.document, station, results)
    make = partial(_mark, folder, 0 if version is None else version.number, comment)
    marks = [
        make(path, said, defect if said == "bad" else None, reviewer)
        for said, names in given.items()
        for path in _found(names, folder)
    ]
    if label_studio is not None:
        marks += _exported(folder, label_studio, make, reviewer)
    _refuse_contradictions(marks)
    add_feedback(station, marks)
    if as_json:
        for mark in marks:
            print(json.dumps(mark.to_dict()))
        return
    for mark in marks:
        was = (mark.verdict or "-").upper()
        print(f"{mark.said:6}  {was:6} {mark.judged:6}  {_shown(mark)}")
    last = read_feedback(station).last
    for sentence in estimates(last).sentences:
        print(sentence)
    are = counted(len(last), "image is", "images are")
    say(
        f"oddlens: {are} marked in {printable(str(station / FEEDBACK))}: 'oddlens station show' and the service's page Teach count "
        "them, 'oddlens station learn' learns of them"
    )


def _refuse_other_station(document: RunDocument, station: Path, results: Path) -> None:
    """Raise `UsageError` for results that no version of the station scored: marks of them would be of other verdicts."""
    from oddlens.errors import OddlensError
    from oddlens.inference.judgement import other_scores
    from oddlens.station import read_station, versions

    names: list[str] = []
    earlier = [each.number for each in versions(station)[:-1]]
    for number in (None, *reversed(earlier)):
        try:
            found = other_scores(document, read_station(station, number))
        except OddlensError:  # an earlier version that is damaged
            continue
        if not found:
            return
        names = names or found
    raise UsageError(
        f"{printable(str(results))} was not scored by the station {printable(str(station))}, which would score these images in "
        f"another way ({', '.join(names)}): mark results of 'oddlens detect --station {as_argument(station)}'"
    )


def _found(names: Sequence[str], folder: ResultsFolder) -> Sequence[Path]:
    """The images that are named: by path, or as the results call them. Raises `UsageError` where one is not there."""
    from oddlens.calibration import named
    from oddlens.io.finding import find_images
    from oddlens.io.paths import exists

    if not names:
        return ()
    known = [os.path.normpath(folder.root.absolute() / key) for key in folder.done]
    of_results = [[] if exists(name) else named(name, known) for name in names]
    found = find_images(meant[0] if len(meant) == 1 else name for name, meant in zip(names, of_results, strict=True))
    if found.failures:
        raise UsageError(found.failures[0].reason)
    paths = [path for path in found.paths if isinstance(path, Path)]
    for path in found.paths:
        if not isinstance(path, Path):
            raise UsageError(
                f"{printable(str(path))} is an address, and a station learns from files: copy the image, and detect it there"
            )
    return paths


def _mark(
    folder: ResultsFolder,
    version: int,
    comment: str | None,
    path: Path,
    said: Said,
    defect: str | None,
    reviewer: str | None,
    mask: RunsDocument | None = None,
) -> Mark:
    """A mark of an image. Raises `UsageError` where it has no result, or is another one than it was."""
    from oddlens.inference.records import verdict_of
    from oddlens.io.images import read_image
    from oddlens.station import utc_now
    from oddlens.station.feedback import Mark

    record = _record(folder, path)
    return Mark(
        time=utc_now(),
        image=str(Path.cwd() / path),  # learning may happen elsewhere
        sha256=read_image(path).digest(),
        said=said,
        verdict=verdict_of(record),
        score=float(record["score"]),
        audit=record.get("audit") is True,
        defect=defect,
        comment=comment,
        reviewer=reviewer,
        version=version,
        mask=mask,
    )


def _exported(folder: ResultsFolder, export: Path, make: Callable[..., Mark], reviewer: str | None) -> list[Mark]:
    """The marks that an export of Label Studio has. What does not count is said."""
    from oddlens.data.shapes import runs_document
    from oddlens.inference.tools.label_studio_export import read_export
    from oddlens.station.defects import check_defect_name

    sizes = {key: (record["image_size"][0], record["image_size"][1]) for key, record in folder.done.items()}
    found = read_export(export, sizes)
    for sentence in found.passed_over:
        say(f"oddlens: {sentence}")
    marks = []
    for each in found.labelled:
        name = None if each.defect is None else check_defect_name(each.defect)
        mask = None if each.mask is None else runs_document(each.mask)
        path = Path(os.path.normpath(folder.root.absolute() / each.key))
        marks.append(make(path, each.said, name, reviewer or each.reviewer, mask))
    return marks


def _record(folder: ResultsFolder, path: Path) -> Record:
    file = folder.file_of(path)
    record = folder.known(file)
    if record is not None:
        return record
    shown, where = printable(str(path)), printable(str(folder.root))
    if file is not None and file["path"] in folder.done:
        raise UsageError(f"{shown} has changed since {where} was made of it: run 'oddlens detect --resume' first")
    raise UsageError(f"{where} has no result of {shown}: name images of that run")


def _refuse_contradictions(marks: Sequence[Mark]) -> None:
    seen: dict[str, Mark] = {}
    for mark in marks:
        other = seen.setdefault(mark.sha256, mark)
        if other.said != mark.said:
            raise UsageError(f"{_shown(mark)} is marked both {other.said} and {mark.said}: give it one mark")


def _shown(mark: Mark) -> str:
    """The path of an image from here, if there is a way."""
    try:
        return printable(os.path.relpath(mark.image))
    except ValueError:  # it lies on another drive
        return printable(mark.image)
