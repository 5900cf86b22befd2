"""`oddlens benchmark`: methods x data sets x shots, with tables and a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import before_the_first_image, loading
from oddlens.cli.engine import EngineOptions
from oddlens.cli.options import (
    METHOD_NAMES,
    DataFolders,
    DeviceName,
    ModelName,
    NamingOptions,
    PreparationOptions,
    RuntimeName,
    say,
    settings_option,
)
from oddlens.cli.settings import overrides_by_method
from oddlens.errors import UsageError
from oddlens.methods.registry import method_card, method_cards

if TYPE_CHECKING:
    from oddlens.evaluation.runner import Evaluation

EXAMPLES = """\b
Examples:
  oddlens benchmark --data mvtec visa --shots 0,1,4 --out results/
  oddlens benchmark --data mvtec/bottle --shots 4 --picks other/picks --out results/
  oddlens benchmark --data magnetic_tile --shots 8 --tiles 2x2 --out results/
  oddlens benchmark --data camvid --method winclip vl4ad --set vl4ad.classes=camvid-ood --shots 0 --out results/
"""


@dataclass(frozen=True)
class MethodOptions:
    """What is measured."""

    method: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME...", help=f"Methods, one or more: {METHOD_NAMES}.", show_default="winclip"),
    ] = None
    model: ModelName = None
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="The learned part of the method that takes one; of several such methods as METHOD=FILE, once for each.",
        ),
    ] = None
    setting: Annotated[
        list[str] | None,
        settings_option("every method's recipe", ", or of one method's as METHOD.FIELD=VALUE"),
    ] = None
    device: DeviceName = "auto"
    runtime: RuntimeName = "auto"

    @property
    def names(self) -> list[str]:
        """The methods, each once, as their cards spell them."""
        named = [part.strip() for word in self.method or ["winclip"] for part in word.split(",") if part.strip()]
        return list(dict.fromkeys(method_card(name).name for name in named))


@dataclass(frozen=True)
class ExampleOptions:
    """Which good examples the methods get."""

    shots: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N...",
            help="Numbers of good examples, such as 0,1,4; 0 is zero-shot.",
            show_default="0,1,4 of methods that take any",
        ),
    ] = None
    seeds: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N...", help="Draws of the good examples; figures are means over them.", show_default="0,1,2"
        ),
    ] = None
    picks: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Good examples as listed: the picks/ of another run, or one list."),
    ] = None
    leave_out_copies: Annotated[
        bool,
        typer.Option(
            "--leave-out-copies",
            help="Leave out test images that are files of normal training images, the same to the byte.",
        ),
    ] = False


@dataclass(frozen=True)
class PixelOptions:
    """How pixels are compared."""

    full_size: Annotated[
        bool | None,
        typer.Option(
            "--full-size/--map-size",
            help="Compare pixels at each image's own size, or at the maps'.",
            show_default="the maps'; of scenes with label files their own",
        ),
    ] = None
    component_sizes: Annotated[
        str | None,
        typer.Option(
            metavar="FOUND,TRUE",
            help="The pixels from which components of scenes count, or a name: anomaly-track, obstacle-track, by-area.",
            show_default="as the data set's makers, else by-area",
        ),
    ] = None
    maps: Annotated[
        bool,
        typer.Option(
            "--maps",
            help="Write OUT/maps (float32 TIFF, raw, in the MVTec evaluator's layout), at the size at which pixels are compared.",
        ),
    ] = False


def benchmark(
    data: DataFolders,
    out: Annotated[Path, typer.Option(metavar="OUT", help="A folder for results.", show_default=False)],
    what: MethodOptions,
    preparing: PreparationOptions,
    examples: ExampleOptions,
    naming: NamingOptions,
    pixels: PixelOptions,
    where: EngineOptions,
    resume: Annotated[bool, typer.Option(help="Go on in OUT, or measure everything again.")] = True,
) -> None:
    """Measure methods on data sets, zero-shot and with good examples.

    Writes OUT/metrics.json, table.md, table.tex, references.bib, scores.jsonl and report.html for the methods and data sets of
    this call. Start a run that was stopped again, and it goes on.

    Exit code: 0, also where a method cannot take a number of examples (the command says so), 1 if the data do not give all figures
    or nothing could be measured, 2 if the call was wrong.
    """
    naming.check()
    shots = _numbers("--shots", examples.shots or ["0,1,4"])
    seeds = _numbers("--seeds", examples.seeds or ["0,1,2"])
    methods = what.names
    files = _weights(methods, what.weights or [])
    overrides = overrides_by_method(what.setting or [], methods, preparing.given)
    workers = where.chosen(what.device)
    evaluation: Evaluation | None = None
    if workers is not None:
        from oddlens.evaluation.on_ray import RayEvaluation

        evaluation = RayEvaluation(workers)

    from oddlens.cli.progress import progress, stages
    from oddlens.cli.table import print_table
    from oddlens.data.problem import folders_left_out, problems_found
    from oddlens.evaluation import (
        Benchmark,
        ListedPicks,
        Plan,
        RulePicks,
        bare_lines,
        open_sources,
        read_sizes,
        skipped_lines,
        summary_table,
        unseen_lines,
        variants,
        write_results,
    )
    from oddlens.evaluation.marks import LACKING, STAR, marks_line
    from oddlens.loading import load

    sources = open_sources(data)
    with before_the_first_image(), loading():
        detectors = tuple(
            load(name, what.model, files.get(name), what.device, runtime=what.runtime, **overrides[name])
            for name in methods
        )
    plan = Plan(
        sources,
        detectors,
        variants(shots, seeds),
        RulePicks() if examples.picks is None else ListedPicks(examples.picks, sources),
        naming.for_datasets(sources),
        full_size=pixels.full_size,
        components=None if pixels.component_sizes is None else read_sizes(pixels.component_sizes),
        maps=pixels.maps,
        report_unsupported=examples.shots is not None,
        leave_out_copies=examples.leave_out_copies,
    )
    for source in sources:
        problems, place = source.dataset.problems, source.dataset.place
        found = problems_found(source.name, len(problems), place, folders_left_out(problems))
        say(*(f"oddlens: {sentence}" for sentence in found))
    run = Benchmark(plan, out)
    with stages() as show:
        run.open(resume=resume, hashed=partial(show, "hashing files"))
    say(*(f"oddlens: {remark}" for remark in run.remarks))
    with progress("images", run.pending) as advance:
        try:
            for job in run.run(advance, evaluation=evaluation):
                say(f"measured {job.source.name} / {job.category}, {job.detector.name}")
        except KeyboardInterrupt:
            say(f"stopped: the same command {'' if resume else 'without --no-resume '}goes on from here")
            raise
    document = write_results(run)
    print_table(*summary_table(document))
    say(f"results: {out}")
    bare = bare_lines(document)
    marks = marks_line(document, STAR + LACKING).strip()  # the lines below say what a dagger means
    say(
        *(
            f"oddlens: {line}"
            for line in ([marks] if marks else []) + unseen_lines(document) + skipped_lines(document) + bare
        )
    )
    if bare or not run.cells or not all(skip.by_nature for skip in run.skipped):
        raise typer.Exit(1)


def _numbers(option: str, words: Sequence[str]) -> list[int]:
    """Numbers that are divided by commas, or are words of their own."""
    text = ",".join(words)
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [-1]
    if min(numbers) < 0:
        raise UsageError(f"{option} {text!r} is not a list of whole numbers from 0 on, for instance 0,1,4")
    return numbers


def _weights(methods: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """Method -> weights file. A file alone is of the one method that takes weights."""
    files: dict[str, str] = {}
    able = [name for name in methods if method_card(name).needs.weights != "no"]
    for text in given:
        name, equals, path = text.partition("=")
        method = name.casefold() if equals else ""
        if method not in methods:
            if method in method_cards():
                raise UsageError(f"--weights {text!r} is of a method that does not run: here run {', '.join(methods)}")
            if len(methods) > 1 and len(able) != 1:
                raise UsageError(
                    f"--weights {text!r} does not say of which method: give METHOD=FILE, for instance {able[0]}={text}"
                    if able
                    else f"none of {', '.join(methods)} takes weights: leave --weights out"
                )
            method, path = (able or methods)[0], text
        if method in files:
            raise UsageError(f"--weights gives {method} two files: give it one")
        files[method] = path
    return files
