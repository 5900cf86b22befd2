"""`oddlens detect`: score images."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.card_options import CardOptionsCommand, card_fields
from oddlens.cli.command import before_the_first_image, loading
from oddlens.cli.detect_options import DetectorOptions, OutputOptions, refuse_contradictions
from oddlens.cli.engine import EngineOptions
from oddlens.cli.finding import find_good_images, find_images_beside, refuse_only_failures
from oddlens.cli.naming import names_sink
from oddlens.cli.options import MarkingOptions, PreparationOptions, method_or_default, parse_kinds, say
from oddlens.cli.settings import Overrides, recipe_overrides
from oddlens.cli.thresholds import parse_thresholds
from oddlens.errors import UsageError, check_name, counted, shortened
from oddlens.inference.kinds import KINDS

if TYPE_CHECKING:
    from oddlens.detector import Detector
    from oddlens.inference.engine import Engine
    from oddlens.inference.results import ResultsFolder
    from oddlens.inference.sinks import FolderSink, Sink
    from oddlens.inference.smoothing import Smoothing
    from oddlens.inference.task import Task
    from oddlens.io.remote import ImagePath

EXAMPLES = """\b
Examples:
  oddlens detect parts/ --object screw
  oddlens detect 'parts/*.png' --object screw --reference good/ --out results/
  oddlens detect boards/ --object "circuit board" --reference good/ --tiles 3x2 --fit pad --out results/
  oddlens detect drive.mp4 --every 10 --method vl4ad --model openai-vit-b-16 --out results/
  oddlens detect frames/ --method vl4ad --model openai-vit-b-16 --ood "caravan, dog, cardboard box" --merge cityscapes7

A method may add options of its own: 'oddlens detect --method vl4ad --help' shows them. 'oddlens methods' lists the methods.
"""


COMMAND = CardOptionsCommand

SOME_NG = 3
"""The exit code with `--fail-on-ng` if an image is NG."""

_SETTINGS = ("max_megapixels", "smooth")
"""What `--set` sets beside fields of the recipe."""


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
    engine = _engine(where, what.device)
    refuse_contradictions(what, preparing, output, engine, overrides)
    written = tuple(KINDS) if output.write is None else parse_kinds(output.write, tuple(KINDS))
    check_name("the object name", what.object_name)
    thresholds = parse_thresholds(what.threshold or [])
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
    found = find_images_beside(images, results)
    good = None if what.reference is None else find_good_images(what.reference)

    from oddlens.detection import Detection, Marking, RegionOfInterest

    with before_the_first_image():
        roi = None if what.roi is None else RegionOfInterest.read(what.roi)
    marking.marking(Marking(mm_per_pixel=1) if what.station else None)  # a wrong value is said before a model is loaded

    from oddlens.cli.console import ConsoleSink, Notes
    from oddlens.cli.progress import progress, stages
    from oddlens.cli.streams import stdout_is_gone
    from oddlens.inference.runner import run
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
    detector = _loaded(what, good, max_megapixels, overrides)
    if engine is not None and not detector.recipe.is_independent:
        raise UsageError(
            f"with this recipe what {detector.name} finds depends on the images before, which other workers have: "
            "leave --engine ray out"
        )
    if roi is not None:
        detector.roi = roi
    if marking.is_given:
        detector.marking = marking.marking(detector.marking)
    if thresholds != (None, None):
        detector.set_thresholds(*thresholds)
    if output.verbose:
        _say_settings(detector)
    if detector.references is not None and what.station is None:
        for source, note in zip(detector.references.sources, detector.references.notes, strict=True):
            notes.add(source, note)
    with stages() as show:
        items = with_frames(
            found.items, what.every, lambda path, done, of: show(f"frames of {path.name}", done, max(done, of))
        )
    refuse_only_failures(items)
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
    said = {"caution": [detector.caution]} if detector.caution else {}
    if good is not None and detector.recipe.is_independent and not detector.recipe.alone:
        said["references"] = _doubtful(detector, object_name)
    if what.station is not None:
        from oddlens.cli.line import StationLine

        sinks += StationLine(detector, what.station, object_name, said).sinks
    folder = None
    if results is not None:
        folder = _folder_of(results, written, detector, task, sinks, smoothing)
        sinks += [folder, *_beside(folder.folder.root, said, parquet=engine is not None)]
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
    if said.get("promise"):
        promise = said["promise"][0]
    if folder is not None or not output.as_json:
        _say_counts(len(items), console.counts, folder, output.resume)
    if audit is not None and audit.ok_count:
        say(
            f"{counted(audit.ok_count, 'image')} called OK, drawn for audit: look, and mark what you see with 'oddlens feedback'"
        )
    for sentence in (*said.get("drift", ()), *said.get("station", ())):
        say(f"oddlens: {sentence}")
    if promise is not None and not output.as_json:
        say(promise)
    if console.counts["failed"]:
        raise typer.Exit(1)
    if output.fail_on_ng and console.counts["ng"]:
        raise typer.Exit(SOME_NG)


def _loaded(
    what: DetectorOptions,
    good: Sequence[ImagePath] | None,
    max_megapixels: float | None,
    overrides: Overrides,
) -> Detector:
    """The station, or the method with its references. What goes wrong is a wrong call: no image was read."""
    import oddlens

    with before_the_first_image():
        if what.station is not None:
            with loading():
                detector = oddlens.open_station(what.station, what.device, runtime=what.runtime)
            detector.max_megapixels = max_megapixels
            return detector
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
        return detector


def _folder_of(
    results: ResultsFolder,
    written: Sequence[str],
    detector: Detector,
    task: Task,
    first: Sequence[Sink],
    smoothing: Smoothing | None,
) -> FolderSink:
    """What writes into the folder of results; what is there from before is judged again where verdicts are others now."""
    from oddlens.cli.judge import judge_again
    from oddlens.inference.judgement import basis_of
    from oddlens.inference.results import ResultsFolder
    from oddlens.inference.runner import settings_of
    from oddlens.inference.sinks import FolderSink

    def opened(results: ResultsFolder) -> FolderSink:
        return FolderSink(results, written, lambda: basis_of(detector, task.object_name))

    folder = opened(results)
    if not results.needs_judging(settings_of(detector, task, [*first, folder], smoothing)):
        return folder
    judge_again(results, detector, task.object_name, "oddlens detect --resume")
    return opened(ResultsFolder(results.root, resume=True))


def _beside(root: Path, said: dict[str, list[str]], parquet: bool) -> list[Sink]:
    """What else is written into the folder of results: a table, the report, and columns where workers share the images."""
    from oddlens.inference.report import ReportSink
    from oddlens.inference.sinks import CsvSink

    report = ReportSink(root)
    report.said = said
    sinks: list[Sink] = [CsvSink(root / "results.csv"), report]
    if parquet:
        from oddlens.inference.parquet import NAME, ParquetSink

        sinks.append(ParquetSink(root / NAME))
    return sinks


def _say_counts(count: int, counts: Counter[str], folder: FolderSink | None, resumed: bool | None) -> None:
    from oddlens.inference.records import say_counts
    from oddlens.inference.report import NAME as REPORT

    new = f" ({folder.new} new)" if folder is not None and resumed else ""
    page = "" if folder is None else f": {folder.folder.root / REPORT}"
    say(f"{counted(count, 'image')}{new}: {say_counts(counts)}{page}")


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


def _say_settings(detector: Detector) -> None:
    print(f"method {detector.name}, model {detector.identity.model.name}, runtime {detector.runtime}", file=sys.stderr)
    print(detector.recipe, *detector.notes, sep="\n", file=sys.stderr)
