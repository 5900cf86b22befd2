"""`oddlens train METHOD`: one verb for every method that learns over a frozen model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oddlens.cli.settings import ActivationOption, recipe_overrides
from oddlens.errors import UsageError, choices, printable

if TYPE_CHECKING:
    from oddlens.training.samples import SampleSet

EXAMPLES = """\b
Examples:
  oddlens train anomalyclip --data visa --model openai-vit-l-14-336 --out prompts.safetensors
  oddlens detect parts/ --method anomalyclip --model openai-vit-l-14-336 --weights prompts.safetensors
"""


def summary(method: str) -> str:
    """The help of one method's verb."""
    return f"""Train {method} on pictures whose defects are drawn.

    The model stays as it is: what it sees in a picture is computed once and kept, for all epochs and for the next trainings. As
    published, it learns from the test split of a data set that it is not tested on. A stopped training goes on when it is started
    again.

    Writes OUT, OUT.report.json and OUT.report.png; OUT says how it was made ('oddlens weights show OUT').
    """


def train_method(
    context: typer.Context,
    data: Annotated[
        list[str],
        typer.Option(metavar="DIR...", help="Data sets: folders or listings, one or more.", show_default=False),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The weights to write: a .safetensors file.", show_default=False)
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A model of 'oddlens models', a hub id or a path.", show_default="the one in oddlens"
        ),
    ] = None,
    activation: ActivationOption = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="The part of the data sets to learn from.")] = "test",
    schedule: Annotated[
        str | None, typer.Option(metavar="NAME", help="One of the method's named ways of training.", show_default=False)
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Times every picture is seen.", show_default="as published")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Pictures a step.", show_default="as published")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(metavar="RATE", help="Of Adam.", show_default="as published")
    ] = None,
    mosaic: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="Of pictures replaced by mosaics of four.", show_default="as published"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, help="Of the first values, the order and the mosaics.", show_default="as published"
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field of the recipe or the training; may be repeated."),
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
    preview: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Show after each epoch what is found on a few pictures.")
    ] = None,
    report: Annotated[bool, typer.Option(help="Write the report; it needs 'oddlens[train]'.")] = True,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where features are kept.", show_default="oddlens' own cache"),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute features anew in every epoch: slow, the same result.")
    ] = False,
    cache_dtype: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="float32, or float16: half the size, rounded.", show_default="float32"),
    ] = None,
    precision: Annotated[
        str, typer.Option(metavar="TYPE", help="Of the model: float32, bfloat16, float16; auto: what is faster here.")
    ] = "float32",
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train the method that the verb names."""
    method = str(context.info_name)
    if no_cache and (cache is not None or cache_dtype is not None):
        raise UsageError("--no-cache keeps no features: leave --cache and --cache-dtype out")
    if object_name is not None and names is not None:
        raise UsageError("--object and --names contradict each other: give one of them")
    numbers = _one_of("--cache-dtype", cache_dtype or "float32", ("float32", "float16"))
    overrides = recipe_overrides(setting or [], activation=activation)

    from oddlens.backbone.cache import cache_folder
    from oddlens.cli.progress import stages
    from oddlens.data.record import SPLITS, Split
    from oddlens.evaluation import ObjectNames, open_sources, read_names
    from oddlens.loading import load_fitted
    from oddlens.methods.registry import method_class
    from oddlens.training import trainable_class
    from oddlens.training.loop import Schedule
    from oddlens.training.precision import AUTO, PRECISIONS, choose_precision
    from oddlens.training.run import CacheConfig, Reporter, TrainingRun, check_out
    from oddlens.training.samples import gather_samples

    _one_of("--precision", precision, (AUTO, *PRECISIONS))
    part: Split = _one_of("--split", split, SPLITS)
    check_out(out, report=report)
    options = {"epochs": epochs, "batch": batch, "learning_rate": learning_rate, "recipe": schedule}
    settings, recipe_fields = _settings(method, overrides, options, seed=seed, mosaic=mosaic)
    sources = open_sources(data)
    called = ObjectNames(object_name) if names is None else read_names(names, sources)
    sets = gather_samples(sources, part, method, called)
    _tell_pictures(sets)
    backbone, recipe, notes = load_fitted(method_class(method).recipe_type, model, device, recipe_fields)
    _tell(*notes)
    trainable = trainable_class(method)(backbone, recipe, settings)
    chosen = choose_precision(precision, backbone, trainable.request.image_size)
    if chosen.speed:
        speeds = ", ".join(f"{name} {speed:.1f}" for name, speed in chosen.speed.items())
        _tell(f"precision {chosen.name}; times as fast as float32 on this device: {speeds}")
    kept = None if no_cache else CacheConfig(cache or cache_folder() / "features", numbers)
    run = TrainingRun(trainable, Schedule(sets, settings), out, chosen, kept, preview, report)
    try:
        with stages() as progress:
            run.run(Reporter(_tell, progress))
    except KeyboardInterrupt:
        _tell("stopped: the same command goes on from here")
        raise
    print(out)


def _settings(
    method: str, given: Mapping[str, Any], options: Mapping[str, Any], *, seed: int | None, mosaic: float | None
) -> tuple[Any, dict[str, Any]]:
    """The training settings, and those of the given fields that are the recipe's. Seed and mosaic may be 0, which no field may."""
    from oddlens.methods.recipe import make_recipe
    from oddlens.methods.registry import method_class
    from oddlens.training import settings_class

    kind = settings_class(method)
    own = {each.name for each in fields(kind)}
    chosen = {name: value for name, value in given.items() if name in own}
    chosen |= {name: value for name, value in options.items() if value is not None}
    zeros = {name: value for name, value in (("seed", seed), ("mosaic", mosaic)) if value is not None}
    recipe_fields = {name: value for name, value in given.items() if name not in own}
    make_recipe(method_class(method).recipe_type, recipe_fields)  # what is wrong is told before pictures are read
    return replace(make_recipe(kind, chosen), **zeros), recipe_fields


def _one_of(option: str, value: str, known: tuple[str, ...]) -> Any:
    if value not in known:
        raise UsageError(f"{option} {value!r} is not known{choices(value, known)}")
    return value


def _tell_pictures(sets: tuple[SampleSet, ...]) -> None:
    for each in sets:
        told = f"{each.name}: {len(each)} pictures, {each.abnormal} of them abnormal"
        if each.undrawn:
            told += f"; {each.undrawn} abnormal ones without a mask are left out"
        if each.unlabelled:
            told += f"; {each.unlabelled} of unknown state are left out"
        _tell(told)
        problems, root = len(each.source.dataset.problems), each.source.dataset.root
        if problems:
            _tell(f"{each.name} has {problems} problem(s): 'oddlens data check {root}' tells them")


def _tell(*sentences: str) -> None:
    for sentence in sentences:
        print(printable(sentence), file=sys.stderr)
