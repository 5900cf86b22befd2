"""`oddlens benchmark`: methods x data sets x shots, with tables and a report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from oddlens.cli.settings import METHOD_NAMES, ActivationOption, overrides_by_method
from oddlens.errors import UsageError, known_name
from oddlens.methods.registry import method_cards


class ManyValues(TyperCommand):
    """A command some of whose options take all the words up to the next option: --data A B C."""

    options = ("--data", "--method")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each of its words, which is the form that click knows."""
        repeated: list[str] = []
        option, first = None, False
        for word in args:
            if word.startswith("-"):
                option, first = (word, True) if word in self.options else (None, False)
            elif option is not None and not first:
                repeated.append(option)
            repeated.append(word)
            first = first and word == option
        return super().parse_args(ctx, repeated)


EXAMPLES = """\b
Examples:
  oddlens benchmark --data mvtec visa --shots 0,1,4 --out results/
  oddlens benchmark --data mvtec/bottle --shots 4 --picks other/picks --out results/
  oddlens benchmark --data camvid --method winclip vl4ad --set vl4ad.classes=camvid-ood --shots 0 --out results/
"""


def benchmark(
    data: Annotated[
        list[str],
        typer.Option(metavar="DIR...", help="Data sets: folders or listings, one or more.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(metavar="OUT", help="A folder for results.", show_default=False)],
    method: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME...", help=f"Methods, one or more: {METHOD_NAMES}.", show_default="winclip"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A model of 'oddlens models', a hub id or a path.", show_default="the one in oddlens"
        ),
    ] = None,
    activation: ActivationOption = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="The learned part of a method; of one of several as METHOD=FILE, once for each."
        ),
    ] = None,
    shots: Annotated[
        str | None,
        typer.Option(
            metavar="N,N",
            help="Numbers of good examples; 0 is zero-shot.",
            show_default="0,1,4 of methods that take any",
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option(metavar="N,N", help="Draws of the good examples; figures are means over them.")
    ] = "0,1,2",
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="A field of the recipe of every method, or of one as METHOD.FIELD=VALUE; may be repeated.",
        ),
    ] = None,
    picks: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Good examples as listed: the picks/ of another run, or one list."),
    ] = None,
    object_name: Annotated[
        str | None,
        typer.Option(
            "--object", metavar="NAME", help="What is on all pictures.", show_default="the category's name as it is"
        ),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='Object names by category: JSON, {"metal_nut": "metal nut"}.'),
    ] = None,
    full_size: Annotated[
        bool | None,
        typer.Option(
            "--full-size/--map-size",
            help="Compare pixels at each picture's own size, or at the maps'.",
            show_default="the maps'; of scenes with label files their own",
        ),
    ] = None,
    component_sizes: Annotated[
        str | None,
        typer.Option(
            metavar="FOUND,TRUE",
            help="The pixels from which components of scenes count, or a name: anomaly-track, obstacle-track, by-area.",
            show_default="as the data set's makers, else by-area",
        ),
    ] = None,
    maps: Annotated[
        bool, typer.Option("--maps", help="Write OUT/maps (float32 TIFF, raw, in the MVTec evaluator's layout).")
    ] = False,
    resume: Annotated[bool, typer.Option(help="Go on in OUT, or measure everything again.")] = True,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Measure methods on data sets, zero-shot and with good examples.

    Writes OUT/metrics.json, table.md, scores.jsonl and report.html, about what this call names. A run that was stopped goes on
    when it is started again.

    Exit code: 0, 1 if some of it has no figures (and it is said why), 2 if the call was wrong.
    """
    if object_name is not None and names is not None:
        raise UsageError("--object and --names contradict each other: give one of them")
    wanted_shots, wanted_seeds = _numbers("--shots", "0,1,4" if shots is None else shots), _numbers("--seeds", seeds)
    methods = list(dict.fromkeys(known_name("method", name, method_cards()) for name in method or ["winclip"]))
    files = _weights(methods, weights or [])
    overrides = overrides_by_method(setting or [], methods, activation=activation)

    from oddlens.cli.progress import progress
    from oddlens.cli.table import print_table
    from oddlens.errors import printable
    from oddlens.evaluation import (
        Benchmark,
        ListedPicks,
        ObjectNames,
        Plan,
        RulePicks,
        bare_lines,
        open_sources,
        read_names,
        read_sizes,
        skipped_lines,
        summary_table,
        variants,
        write_results,
    )
    from oddlens.loading import load

    sources = open_sources(data)
    plan = Plan(
        sources,
        tuple(load(name, model, files.get(name), device, **overrides[name]) for name in methods),
        variants(wanted_shots, wanted_seeds),
        RulePicks() if picks is None else ListedPicks(picks, sources),
        ObjectNames(object_name) if names is None else read_names(names, sources),
        full_size=full_size,
        components=None if component_sizes is None else read_sizes(component_sizes),
        maps=maps,
        report_unsupported=shots is not None,
    )
    for source in sources:
        if source.dataset.problems:
            print(
                f"oddlens: {source.name} has {len(source.dataset.problems)} problem(s): "
                f"'oddlens data check {printable(str(source.dataset.root))}' tells them",
                file=sys.stderr,
            )
    run = Benchmark(plan, out)
    run.open(resume=resume)
    with progress("pictures", run.pending) as advance:
        for job in run.run(advance):
            print(f"measured {job.source.name} / {job.category}, {job.detector.name}", file=sys.stderr)
    document = write_results(run)
    print_table(*summary_table(document))
    print(f"results: {out}", file=sys.stderr)
    lacking = skipped_lines(document) + bare_lines(document)
    for line in lacking:
        print(f"oddlens: {line}", file=sys.stderr)
    if lacking:
        raise typer.Exit(1)


def _numbers(option: str, text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [-1]
    if min(numbers) < 0:
        raise UsageError(f"{option} {text!r} is not a list of whole numbers from 0 on, for instance 0,1,4")
    return numbers


def _weights(methods: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """Method -> weights file."""
    files: dict[str, str] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if equals and name in methods:
            files[name] = path
        elif len(methods) == 1:
            files[methods[0]] = text
        else:
            raise UsageError(
                f"--weights {text!r} does not say of which method: give METHOD=FILE, for instance {methods[0]}={text}"
            )
    return files
