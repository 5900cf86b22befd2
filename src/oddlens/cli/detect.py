"""`oddlens detect`: score images."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.card_options import CardOptionsCommand, card_fields
from oddlens.cli.command import before_the_first_image, loading
from oddlens.cli.engine import EngineOptions
from oddlens.cli.finding import find_good_images, tell_passed_over
from oddlens.cli.naming import names_sink
from oddlens.cli.options import (
    DeviceName,
    JsonLines,
    MarkingOptions,
    MethodName,
    ModelName,
    PreparationOptions,
    ReferenceImages,
    RoiFile,
    RuntimeName,
    WeightsFile,
    method_or_default,
    parse_kinds,
    say,
    settings_option,
    threshold_option,
)
from oddlens.cli.settings import recipe_overrides
from oddlens.cli.thresholds import parse_thresholds
from oddlens.errors import Failure, UsageError, check_name, counted, printable, shortened
from oddlens.inference.kinds import KINDS

if TYPE_CHECKING:
    from oddlens.detector import Detector
    from oddlens.inference.engine import Engine
    from oddlens.inference.results import ResultsFolder
    from oddlens.io.finding import Found

EXAMPLES = """\b
Examples:
  oddlens detect parts/ --object screw
  oddlens detect 'parts/*.png' --object screw --reference good/ --out results/
  oddlens detect boards/ --object "circuit board" --reference good/ --tiles 3x2 --fit pad --out results/
  oddlens detect drive.mp4 --every 10 --method vl4ad --model openai-vit-b-16 --out results/
  oddlens detect frames/ --method vl4ad --model openai-vit-b-16 --ood "caravan, dog, cardboard box" --merge cityscapes7

A method may add options of its own: 'oddlens detect --method vl4ad --help' shows them. 'oddlens methods' lists the methods.
"""


KINDS_HELP = ", ".join(f"{name} ({kind.help})" for name, kind in KINDS.items())

COMMAND = CardOptionsCommand

SOME_NG = 3
"""The exit code with `--fail-on-ng` if an image is NG."""

_SETTINGS = ("max_megapixels", "smooth")
"""What `--set` sets beside fields of the recipe."""


@dataclass(frozen=True)
class DetectorOptions:
    """Which method scores the images, on what, and with which settings."""

    object_name: Annotated[
        str, typer.Option("--object", metavar="NAME", help="What is on the images, in a word or two.")
    ] = "part"
    method: MethodName = None
    model: ModelName = None
    weights: WeightsFile = None
    reference: ReferenceImages = None
    station: Annotated[
        str | None, typer.Option(metavar="DIR", help="A saved detector: brings method, model and references.")
    ] = None
    threshold: Annotated[list[str] | None, threshold_option("from the references")] = None
    roi: RoiFile = None
    defects: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Names of defects, divided by commas: each marked region gets those that fit, as a suggestion.",
            show_default="no names",
        ),
    ] = None
    every: Annotated[int, typer.Option(metavar="N", min=1, help="Take every Nth frame of a video.")] = 1
    setting: Annotated[
        list[str] | None,
        settings_option("the method's recipe", ", max_megapixels of the images, or smooth of videos"),
    ] = None
    device: DeviceName = "auto"
    runtime: RuntimeName = "auto"


@dataclass(frozen=True)
class OutputOptions:
    """What becomes of the results."""

    out: Annotated[Path | None, typer.Option(metavar="OUT", help="A folder for results and what --write names.")] = None
    write: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help=f"What to write into OUT of each image, divided by commas: {KINDS_HELP}; or nothing.",
            show_default=",".join(KINDS),
        ),
    ] = None
    resume: Annotated[
        bool | None,
        typer.Option(
            "--resume/--overwrite",
            help="Go on in OUT with the images that have no result, or remove what is there and start over. Without them a "
            "folder that holds results is refused.",
            show_default=False,
        ),
    ] = None
    audit: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Draw this share of the images at random for audit, 0.02 for instance: look at them to learn what is missed.",
            show_default="none",
        ),
    ] = None
    fail_on_ng: Annotated[
        bool,
        typer.Option("--fail-on-ng", help="Exit with code 3 if an image is NG (and none failed, which is code 1)."),
    ] = False
    as_json: JsonLines = False
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print the settings, and every note of every image.")
    ] = False


def detect(
    context: typer.Context,
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGES",
            help="Files, folders (searched through) or patterns; also videos, by their names.",
            show_default=False,
        ),
    ],
    what: DetectorOptions,
    preparing: PreparationOptions,
    marking: MarkingOptions,
    output: OutputOptions,
    where: EngineOptions,
) -> None:
    """Score images and show where they are anomalous.

    Without --out, the command prints score, verdict and path of each image. Good examples improve the scores a lot: the method
    compares images with them, and two or more of them also give the thresholds. A threshold that you give wins.

    With --out, OUT/results.jsonl gets a line for each image as soon as it is done, and OUT/run.json says what was run.

    Exit code: 0, 1 if images failed (the others are done all the same), 2 if the call was wrong and no image was read, and with
    --fail-on-ng 3 if an image is NG and none failed.
    """
    overrides = recipe_overrides(what.setting or [], {**card_fields(context), **preparing.given})
    run_settings = {name: _number(name, overrides.pop(name)) for name in _SETTINGS if name in overrides}
    if output.resume is not None and output.out is None:
        raise UsageError("--resume and --overwrite need --out: name the folder with the results")
    engine = _engine(where, what.device)
    if engine is not None and output.out is None:
        raise UsageError("--engine ray needs --out: name the folder that workers write to, which all machines see")
    if output.write is not None and output.out is None:
        raise UsageError("--write needs --out: name the folder for what is written")
    written = tuple(KINDS) if output.write is None else parse_kinds(output.write, tuple(KINDS))
    if what.station is not None and preparing.given:
        raise UsageError("--station brings its tiles and fit: leave --tiles, --overlap and --fit out")
    if what.station is not None and (what.model or what.weights or what.reference or overrides or what.method):
        raise UsageError("--station brings method, model, weights, references and settings: leave those options out")
    if what.station is not None and what.roi is not None:
        raise UsageError("--station brings its region of interest: leave --roi out")
    check_name("the object name", what.object_name)
    threshold, pixel_threshold = parse_thresholds(what.threshold or [])
    defects = _defect_names(what.defects)

    from oddlens.inference.audit import AuditSink
    from oddlens.inference.results import ResultsFolder
    from oddlens.io.freed_memory import reuse_freed_memory
    from oddlens.io.images import checked_limit

    reuse_freed_memory()
    max_megapixels = run_settings.get("max_megapixels")
    if max_megapixels is not None:
        checked_limit(max_megapixels, "max_megapixels")
    audit = None if output.audit is None else AuditSink(output.audit)
    results = (
        None
        if output.out is None
        else ResultsFolder(output.out, resume=output.resume is True, overwrite=output.resume is False)
    )
    found = _find(images, results)
    good = None if what.reference is None else find_good_images(what.reference)

    from oddlens.detection import Detection, Marking, RegionOfInterest

    with before_the_first_image():
        roi = None if what.roi is None else RegionOfInterest.read(what.roi)
    marking.marking(Marking(mm_per_pixel=1) if what.station else None)  # a wrong value is said before a model is loaded

    import oddlens
    from oddlens.cli.console import ConsoleSink, Notes
    from oddlens.cli.progress import progress, stages
    from oddlens.cli.streams import stdout_is_gone
    from oddlens.inference.judgement import basis_of
    from oddlens.inference.records import say_counts
    from oddlens.inference.report import NAME as REPORT
    from oddlens.inference.report import ReportSink
    from oddlens.inference.runner import run, settings_of
    from oddlens.inference.sinks import CsvSink, FolderSink, Sink
    from oddlens.inference.smoothing import Smoothing
    from oddlens.inference.task import Task
    from oddlens.inference.times import Times
    from oddlens.io.video import is_video, with_frames

    smoothing = Smoothing(run_settings["smooth"]) if "smooth" in run_settings else None
    if (what.every > 1 or smoothing) and not any(map(is_video, found.paths)):
        raise UsageError("--every and smooth are for videos, and there is none among the images: leave them out")
    if engine is not None and any(map(is_video, found.paths)):
        raise UsageError("there is a video among the images, whose frames run in their order: leave --engine ray out")
    notes = Notes(everything=output.verbose)
    with before_the_first_image():
        if what.station is not None:
            with loading():
                detector = oddlens.open_station(what.station, what.device, runtime=what.runtime)
            detector.max_megapixels = max_megapixels
        else:
            method = method_or_default(what.method, what.model, what.weights, with_references=good is not None)
            with loading():
                detector = oddlens.load(
                    method,
                    what.model,
                    what.weights,
                    what.device,
                    runtime=what.runtime,
                    max_megapixels=max_megapixels,
                    **overrides,
                )
            if good is not None:
                detector.add_references(good)
                detector.check_references()
    if engine is not None and not detector.recipe.is_independent:
        raise UsageError(
            f"with this recipe what {detector.name} finds depends on the images before, which other workers have: "
            "leave --engine ray out"
        )
    if roi is not None:
        detector.roi = roi
    if marking.is_given:
        detector.marking = marking.marking(detector.marking)
    if threshold is not None or pixel_threshold is not None:
        detector.set_thresholds(threshold, pixel_threshold)
    if output.verbose:
        _say_settings(detector)
    if detector.references is not None and what.station is None:
        for source, note in zip(detector.references.sources, detector.references.notes, strict=True):
            notes.add(source, note)
    with stages() as show:
        items = with_frames(
            found.items, what.every, lambda path, done, of: show(f"frames of {path.name}", done, max(done, of))
        )
    _refuse_only_failures(items)
    object_name = what.object_name
    if what.station is not None and not _was_given(context, "object_name"):
        object_name = detector.object_name
    task = Task(object_name, tuple(items), found.passed_over)
    sinks: list[Sink] = []
    if audit is not None:
        sinks.append(audit)
    with before_the_first_image():
        naming = names_sink(detector, defects, object_name)
    if naming is not None:
        sinks.append(naming)
    said: dict[str, list[str]] = {}
    if good is not None and detector.recipe.is_independent and not detector.recipe.alone:
        said["references"] = _doubtful(detector, object_name)
    if what.station is not None:
        from oddlens.cli.line import StationLine

        sinks += StationLine(detector, what.station, object_name, said).sinks
    if results is not None:
        folder = FolderSink(results, written, lambda: basis_of(detector, object_name))
        if results.needs_judging(settings_of(detector, task, [*sinks, folder], smoothing)):
            from oddlens.cli.judge import judge_again

            judge_again(results, detector, object_name, "oddlens detect --resume")
            results = ResultsFolder(results.root, resume=True)
            folder = FolderSink(results, written, lambda: basis_of(detector, object_name))
        report = ReportSink(results.root)
        report.said = said
        sinks += [folder, CsvSink(results.root / "results.csv"), report]
        if engine is not None:
            from oddlens.inference.parquet import NAME as PARQUET
            from oddlens.inference.parquet import ParquetSink

            sinks.append(ParquetSink(results.root / PARQUET))
    lines = output.out is None or output.verbose
    console = ConsoleSink("json" if output.as_json else "lines" if lines else "failures", notes.add)
    outcomes = run(detector, task, [*sinks, console], smoothing=smoothing, times=(times := Times()), engine=engine)
    if detector.references is not None and len(detector.references) == 1 and detector.thresholds.image is None:
        say("oddlens: one good example gives no threshold, and so no verdict: give two or more, or --threshold")
    promise = None
    other_sizes = Counter[tuple[int, int]]()
    try:
        with progress("images", len(items)) as console.advance:
            for outcome in outcomes:  # the sinks have taken it
                if isinstance(outcome, Detection):
                    promise = outcome.thresholds.promise or promise
                    if detector.image_size not in (None, outcome.image_size):
                        other_sizes[outcome.image_size] += 1
                if results is None and stdout_is_gone():  # nobody would see the rest
                    outcomes.close()
    except KeyboardInterrupt:
        if results is not None:
            say("stopped: the same call with --resume goes on from here")
        raise
    finally:
        notes.finish()
        if other_sizes:
            say(_other_sizes(other_sizes, detector.image_size))
    if output.verbose:
        say(f"{times}")
    if results is not None or not output.as_json:
        new = f" ({folder.new} new)" if output.resume else ""
        page = "" if results is None else f": {results.root / REPORT}"
        say(f"{counted(len(items), 'image')}{new}: {say_counts(console.counts)}{page}")
    if audit is not None and audit.ok_count:
        say(
            f"{counted(audit.ok_count, 'image')} called OK, drawn for audit: look, and mark what you see with 'oddlens feedback'"
        )
    for sentence in (*said.get("drift", ()), *said.get("station", ())):
        say(f"oddlens: {sentence}")
    promise = said["promise"][0] if said.get("promise") else promise
    if promise is not None and not output.as_json:
        say(promise)
    if console.counts["failed"]:
        raise typer.Exit(1)
    if output.fail_on_ng and console.counts["ng"]:
        raise typer.Exit(SOME_NG)


def _engine(where: EngineOptions, device: str) -> Engine | None:
    workers = where.chosen(device)
    if workers is None:
        return None
    from oddlens.inference.ray import RayEngine

    return RayEngine(workers)


def _other_sizes(found: Counter[tuple[int, int]], expected: tuple[int, int] | None) -> str:
    """That images are not of the size that the station was made for."""
    assert expected is not None
    sizes = ", ".join(f"{count} of {width} x {height}" for (width, height), count in found.most_common(3))
    more = f" and {len(found) - 3} more sizes" if len(found) > 3 else ""
    return (
        f"oddlens: {counted(sum(found.values()), 'image has', 'images have')} another size than the "
        f"{expected[0]} x {expected[1]} pixels that the station expects ({sizes}{more}): check camera and crop"
    )


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _doubtful(detector: Detector, object_name: str) -> list[str]:
    """What is odd among the references, which is also printed; one sentence, or none."""
    if detector.references is None or len(detector.references) < 3:
        return []
    with before_the_first_image():
        vetting = detector.vet(detector.observe(None, object_name, looks=False))
    if not vetting.flagged:
        return []
    say(f"oddlens: among the references: {vetting.sentence}")
    return [vetting.sentence]


def _defect_names(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    from oddlens.station.defects import defect_names

    return defect_names(text)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{name} cannot be {shortened(value)}: give a number")
    return value


def _find(images: list[str], results: ResultsFolder | None) -> Found:
    """The images, without what an earlier run drew where that lies among them; what is passed over is said.

    Raises `UsageError` where nothing is left, after saying all that is at fault.
    """
    from oddlens.io.finding import Found, find_images

    found = find_images(images)
    if results is not None:
        others = tuple(item for item in found.items if not (isinstance(item, Path) and results.is_output(item)))
        if not others:
            raise UsageError(
                f"there is only what a run drew in {printable(str(results.root))} among the images: "
                "name the images themselves"
            )
        found = Found(others, found.passed_over)
    _refuse_only_failures(found.items)
    tell_passed_over(found)
    return found


def _refuse_only_failures(items: Sequence[object]) -> None:
    """Raise `UsageError` where no name led to an image, after saying all that is at fault."""
    failures = [item for item in items if isinstance(item, Failure)]
    if len(failures) == len(items):
        *first, last = failures
        for failure in first:
            print(f"oddlens: {failure.reason}", file=sys.stderr)
        raise UsageError(last.reason)


def _say_settings(detector: Detector) -> None:
    print(f"method {detector.name}, model {detector.identity.model.name}, runtime {detector.runtime}", file=sys.stderr)
    print(detector.recipe, *detector.notes, sep="\n", file=sys.stderr)
