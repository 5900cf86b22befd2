"""`oddlens detect`: look at pictures."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.settings import METHOD_NAMES, ActivationOption, recipe_overrides
from oddlens.errors import UsageError, printable

if TYPE_CHECKING:
    from oddlens.detector import Detector
    from oddlens.inference.results import Record, ResultsFolder
    from oddlens.io.finding import Found

EXAMPLES = """\b
Examples:
  oddlens detect parts/ --object screw
  oddlens detect 'parts/*.png' --object screw --reference good/ --out results/
  oddlens detect drive.mp4 --every 10 --method vl4ad --model openai-vit-b-16 --out results/
  oddlens detect frames/ --method vl4ad --model openai-vit-b-16 --ood "caravan, dog, cardboard box" --merge cityscapes7
"""


def detect(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURES",
            help="Files, folders (searched through) or patterns; also videos, by their names.",
            show_default=False,
        ),
    ],
    object_name: Annotated[
        str, typer.Option("--object", metavar="NAME", help="What is on the pictures, in a word or two.")
    ] = "part",
    method: Annotated[str, typer.Option(metavar="NAME", help=f"How to look: {METHOD_NAMES}.")] = "winclip",
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A model of 'oddlens models', a hub id or a path.", show_default="the one in oddlens"
        ),
    ] = None,
    activation: ActivationOption = None,
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="The learned part of a method that is trained.")
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(metavar="PICTURES", help="Good examples: a folder, a file or a pattern; may be repeated."),
    ] = None,
    station: Annotated[
        str | None, typer.Option(metavar="DIR", help="A saved detector: brings method, model and references.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="OUT", help="A folder for results, overlays, maps and labels.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(metavar="SCORE", help="A picture is anomalous from this score on.")
    ] = None,
    pixel_threshold: Annotated[
        float | None, typer.Option(metavar="HEAT", help="A region is marked from this heat on.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field of the method's recipe; may be repeated."),
    ] = None,
    adapt: Annotated[
        bool | None,
        typer.Option(
            "--adapt/--no-adapt", help="Adapt to every picture, of methods that can.", show_default="the method's"
        ),
    ] = None,
    views: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="How many views of a picture give its score, of methods with several.",
            show_default="the method's",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What is known, of methods that see by words: a list's name, or a .json or .toml file.",
            show_default="the method's",
        ),
    ] = None,
    ood: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS",
            help="Words for the unknown, divided by commas; 'default' for ours, or a .json or .toml file.",
            show_default="none",
        ),
    ] = None,
    merge: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Which classes count as one: a merge's name, or a file.", show_default="none"
        ),
    ] = None,
    every: Annotated[int, typer.Option(metavar="N", min=1, help="Look at every Nth frame of a video.")] = 1,
    smooth: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Maps and scores of a video become exponential means, in which a frame counts this much (0 to 1).",
            show_default="off",
        ),
    ] = None,
    max_megapixels: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            help="Larger pictures are refused.",
            show_default="128, or ODDLENS_MAX_MEGAPIXELS in the environment",
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")] = "auto",
    overlays: Annotated[bool, typer.Option(help="Write OUT/overlays/*.png.")] = True,
    maps: Annotated[bool, typer.Option(help="Write OUT/maps/*.tiff (float32, raw).")] = True,
    labels: Annotated[
        bool, typer.Option(help="Write OUT/labels/*.png (class numbers, coloured), of methods that know classes.")
    ] = True,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in OUT: only pictures without a result are looked at.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew in OUT: earlier results and pictures of them are removed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a picture.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell the settings, and every note of every picture.")
    ] = False,
) -> None:
    """Score pictures and show where they are odd.

    Without --out, score, verdict and path of each picture are printed. Good examples make it far better: pictures are compared
    with them, and from two of them on they give the thresholds, too; a threshold that is given wins.

    With --out, OUT/results.jsonl gets a line a picture as it is done, OUT/run.json tells what was run.

    Exit code: 0, 1 if pictures failed (the others are done all the same), 2 if the call was wrong.
    """
    if (resume or overwrite) and out is None:
        raise UsageError("--resume and --overwrite need --out: name the folder with the results")
    if resume and overwrite:
        raise UsageError("--resume and --overwrite contradict each other: give one of them")
    overrides = recipe_overrides(
        setting or [], adapt=adapt, views=views, classes=classes, ood=ood, merge=merge, activation=activation
    )
    if station is not None and (model or weights or reference or overrides or method != "winclip"):
        raise UsageError("--station brings method, model, weights, references and settings: leave those options out")
    for option, value in (("--threshold", threshold), ("--pixel-threshold", pixel_threshold)):
        if value is not None and not math.isfinite(value):
            raise UsageError(f"{option} {value} is no threshold: give a finite number")

    from oddlens.inference.results import ResultsFolder
    from oddlens.io.images import checked_limit

    if max_megapixels is not None:
        checked_limit(max_megapixels, "--max-megapixels")
    results = None if out is None else ResultsFolder(out, resume=resume, overwrite=overwrite)
    found = _find(images, results)
    good = None if reference is None else _find_all(reference)

    import oddlens
    from oddlens.cli.progress import progress, stages
    from oddlens.inference.runner import DetectionRun, Task
    from oddlens.inference.smoothing import Smoothing
    from oddlens.io.video import is_video, with_frames

    smoothing = None if smooth is None else Smoothing(smooth)
    if (every > 1 or smoothing) and not any(map(is_video, found.paths)):
        raise UsageError("--every and --smooth are for videos, and there is none among the pictures: leave them out")
    notes = _Notes(everything=verbose)
    if station is not None:
        detector = oddlens.open_station(station, device)
        detector.max_megapixels = max_megapixels
    else:
        detector = oddlens.load(method, model, weights, device, max_megapixels=max_megapixels, **overrides)
        if good is not None:
            detector.add_references(good)
    if threshold is not None or pixel_threshold is not None:
        detector.set_thresholds(threshold, pixel_threshold)
    if verbose:
        _tell_settings(detector)
    if detector.references is not None and station is None:
        for source, note in zip(detector.references.sources, detector.references.notes, strict=True):
            notes.tell(source, note)
    with stages() as tell:
        items = with_frames(
            found.items, every, lambda path, done, of: tell(f"frames of {path.name}", done, max(done, of))
        )
    task = Task(object_name, tuple(items), found.passed_over)
    run = DetectionRun(detector, task, results, overlays=overlays, maps=maps, labels=labels, smoothing=smoothing)
    if detector.references is not None and len(detector.references) == 1 and detector.thresholds.image is None:
        print(
            "oddlens: one good example gives no threshold, and so no verdict: give two or more, or --threshold",
            file=sys.stderr,
        )
    failed = 0
    try:
        with progress("pictures", len(run)) as advance:
            for record in run:
                failed += "error" in record
                _tell(record, as_json=as_json, for_people=not as_json and (out is None or verbose))
                notes.tell(record["path"], record.get("note"))
                advance(1)
    except KeyboardInterrupt:
        if results is not None:
            print("stopped: the same call with --resume goes on from here", file=sys.stderr)
        raise
    finally:
        notes.tell_rest()
    if results is not None:
        print(f"{_pictures(len(run))}, {failed} failed: {printable(str(results.lines))}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


def _pictures(count: int) -> str:
    return f"{count} picture{'' if count == 1 else 's'}"


def _find(images: list[str], results: ResultsFolder | None) -> Found:
    """What is to be looked at, without what an earlier run drew where that lies among it; what is passed over is said.

    Raises `UsageError` where nothing is left, after telling all that is at fault.
    """
    from oddlens.io.finding import Found, find_images

    found = find_images(images)
    if results is not None:
        others = tuple(item for item in found.items if not (isinstance(item, Path) and results.is_output(item)))
        if not others:
            raise UsageError(
                f"there is only what a run drew in {printable(str(results.root))} among the pictures: "
                "name the pictures themselves"
            )
        found = Found(others, found.passed_over)
    if not found.paths:
        *first, last = found.failures
        for failure in first:
            print(f"oddlens: {failure.reason}", file=sys.stderr)
        raise UsageError(last.reason)
    _say_passed_over(found, "")
    return found


def _find_all(reference: list[str]) -> list[Path]:
    """The good examples: all of them, one that is named twice too (the detector says so), or a `UsageError`."""
    from oddlens.io.finding import find_images

    each = [find_images([name]) for name in reference]
    for found in each:
        if found.failures:
            raise UsageError(found.failures[0].reason)
        _say_passed_over(found, "among the references ")
    return [path for found in each for path in found.paths]


def _say_passed_over(found: Found, where: str) -> None:
    from oddlens.io.finding import say_passed_over

    if said := say_passed_over(found.passed_over):
        print(f"oddlens: {where}{said}", file=sys.stderr)


class _Notes:
    """What was noticed of pictures, on stderr: of the pictures with one note the first few, the others as a number at the end."""

    MOST = 3

    def __init__(self, *, everything: bool) -> None:
        self._everything = everything
        self._told: Counter[str] = Counter()

    def tell(self, path: str, note: str | None) -> None:
        """Tell the note of a picture."""
        if note is None:
            return
        self._told[note] += 1
        if self._everything or self._told[note] <= self.MOST:
            print(f"{printable(path)}: {note}", file=sys.stderr)

    def tell_rest(self) -> None:
        """Tell how many more pictures have a note."""
        for note, count in self._told.items():
            if not self._everything and count > self.MOST:
                print(f"the same of {_pictures(count - self.MOST)} more: {note}", file=sys.stderr)


def _tell_settings(detector: Detector) -> None:
    print(f"method {detector.name}, model {detector.method.backbone.card.name}", file=sys.stderr)
    print(detector.recipe, *detector.notes, sep="\n", file=sys.stderr)


def _tell(record: Record, *, as_json: bool, for_people: bool) -> None:
    """What was found goes to stdout, what went wrong to stderr."""
    if as_json:
        print(json.dumps(record), flush=True)
    if "error" in record:
        print(f"oddlens: {record['error']}", file=sys.stderr)
    elif for_people:
        verdict = {True: "anomalous", False: "normal", None: "-"}[record["is_anomalous"]]
        print(f"{record['score']:.4f}  {verdict:9}  {printable(record['path'])}", flush=True)
