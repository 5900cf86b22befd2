"""`oddlens train METHOD`: one verb for every method that learns over a frozen model."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from oddlens.cli.command import before_the_first_image
from oddlens.cli.options import (
    DataFolders,
    DeviceName,
    ModelName,
    NamingOptions,
    OverwriteWeights,
    WeightsOut,
    WriteReport,
    one_of,
    say,
    settings_option,
)
from oddlens.cli.settings import Overrides, recipe_overrides
from oddlens.errors import UsageError

if TYPE_CHECKING:
    from oddlens.training.precision import Precision
    from oddlens.training.samples import SampleSet
    from oddlens.training.settings import TrainingSettings


def examples(method: str) -> str:
    """The examples in the help of one method's verb."""
    weights = f"{method}.safetensors"
    return f"""\b
Examples:
  oddlens train {method} --data visa --model openai-vit-l-14-336 --out {weights}
  oddlens detect parts/ --method {method} --model openai-vit-l-14-336 --weights {weights}
"""


def summary(method: str) -> str:
    """The help of one method's verb."""
    return f"""Train {method} on images whose defects are drawn.

    The model stays as it is: oddlens computes its features of each image once and keeps them, for all epochs and for the next
    trainings. As published, the method learns from the test split of a data set that it is not tested on. Start a training that
    was stopped again, and it goes on.

    Writes OUT, OUT.report.json and OUT.report.png; OUT says how it was made ('oddlens weights show OUT').
    """


@dataclass(frozen=True)
class ScheduleOptions:
    """What the method learns from, and how."""

    split: Annotated[str, typer.Option(metavar="NAME", help="The part of the data sets to learn from.")] = "test"
    schedule: Annotated[
        str | None, typer.Option(metavar="NAME", help="One of the method's named ways of training.", show_default=False)
    ] = None
    epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="How often every image is seen.", show_default="as published")
    ] = None
    batch: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Images in a step.", show_default="as published")
    ] = None
    learning_rate: Annotated[
        float | None, typer.Option(metavar="RATE", help="The learning rate of Adam.", show_default="as published")
    ] = None
    mosaic: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=1,
            help="The share of images that mosaics of four replace.",
            show_default="as published",
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="The seed of the first values, the order and the mosaics.",
            show_default="as published",
        ),
    ] = None
    setting: Annotated[list[str] | None, settings_option("the recipe", ", or of the training")] = None


@dataclass(frozen=True)
class FeatureOptions:
    """How the features of the frozen model are computed and cached."""

    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder of the feature cache.", show_default="oddlens' own cache"),
    ] = None
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute features anew in every epoch: slow, the same result.")
    ] = False
    cache_dtype: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="float32, or float16: half the size, rounded.", show_default="float32"),
    ] = None
    precision: Annotated[
        str,
        typer.Option(
            metavar="TYPE",
            help="Numbers of the model: float32, bfloat16, float16, or auto: what is faster here and near enough.",
        ),
    ] = "float32"
    device: DeviceName = "auto"

    def check(self) -> None:
        """Raise `UsageError` where the options contradict each other."""
        if self.no_cache and (self.cache is not None or self.cache_dtype is not None):
            raise UsageError("--no-cache keeps no features: leave --cache and --cache-dtype out")
        one_of("--cache-dtype", self.cache_dtype or "float32", _CACHE_TYPES)


_CACHE_TYPES: tuple[Literal["float32", "float16"], ...] = ("float32", "float16")


def train_method(
    context: typer.Context,
    *,
    data: DataFolders,
    out: WeightsOut,
    model: ModelName = None,
    schedule: ScheduleOptions,
    naming: NamingOptions,
    features: FeatureOptions,
    preview: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw after each epoch what the method finds on a few images.")
    ] = None,
    report: WriteReport = True,
    overwrite: OverwriteWeights = False,
) -> None:
    """Train the method that the verb names."""
    method = str(context.command.name)
    features.check()
    naming.check()
    overrides = recipe_overrides(schedule.setting or [])

    from oddlens.backbone.cards import MINI
    from oddlens.cli.progress import stages
    from oddlens.data.record import SPLITS
    from oddlens.evaluation import open_sources
    from oddlens.io.hashes import cache_folder
    from oddlens.loading.embedded import introduce_embedded
    from oddlens.loading.with_torch import load_fitted
    from oddlens.methods.registry import method_card
    from oddlens.training import trainable_class
    from oddlens.training.images import single_images
    from oddlens.training.loop import Schedule
    from oddlens.training.precision import AUTO, PRECISIONS, choose_precision
    from oddlens.training.processes import ALONE
    from oddlens.training.run import CacheConfig, Reporter, TrainingRun, check_out
    from oddlens.training.samples import gather_samples

    one_of("--precision", features.precision, (AUTO, *PRECISIONS))
    part = one_of("--split", schedule.split, SPLITS)
    check_out(out)
    processes = context.obj or ALONE
    settings, recipe_fields = _settings(method, overrides, schedule)
    sources = open_sources(data)
    sets = gather_samples(sources, part, method, naming.for_datasets(sources))
    _say_samples(sets)
    with before_the_first_image():
        backbone, recipe, notes = load_fitted(
            method_card(method), model, processes.device(features.device), recipe_fields
        )
        if backbone.card.name == MINI.name:
            introduce_embedded()
    say(*notes)
    trainable = trainable_class(method)(backbone, recipe, settings)
    first = single_images(sets[0])[0]
    chosen = processes.from_first(lambda: choose_precision(features.precision, trainable, first.read()[0]))
    _say_precision(chosen)
    numbers = one_of("--cache-dtype", features.cache_dtype or "float32", _CACHE_TYPES)
    cache = None if features.no_cache else CacheConfig(features.cache or cache_folder() / "features", numbers)
    run = TrainingRun(trainable, Schedule(sets, settings), out, chosen, cache, preview, report, processes, overwrite)
    try:
        with stages() as progress:
            run.run(Reporter(say, progress))
    except KeyboardInterrupt:
        say("stopped: the same command goes on from here")
        raise
    print(out)


def _settings(method: str, given: Overrides, schedule: ScheduleOptions) -> tuple[TrainingSettings, Overrides]:
    """The training settings, and those of the given fields that are the recipe's. Seed and mosaic may be 0, which no field may."""
    from oddlens.methods.recipe import make_recipe
    from oddlens.methods.registry import method_card
    from oddlens.training import settings_class

    options = {
        "epochs": schedule.epochs,
        "batch": schedule.batch,
        "learning_rate": schedule.learning_rate,
        "recipe": schedule.schedule,
    }
    kind = settings_class(method)
    own = {each.name for each in fields(kind)}
    chosen = {name: value for name, value in given.items() if name in own}
    chosen |= {name: value for name, value in options.items() if value is not None}
    recipe_fields = {name: value for name, value in given.items() if name not in own}
    make_recipe(method_card(method).recipe, recipe_fields)  # what is wrong is said before images are read
    settings = make_recipe(kind, chosen)
    seed = settings.seed if schedule.seed is None else schedule.seed
    mosaic = settings.mosaic if schedule.mosaic is None else schedule.mosaic
    return replace(settings, seed=seed, mosaic=mosaic), recipe_fields


def _say_precision(chosen: Precision) -> None:
    """What was measured, where "auto" chose."""
    if not chosen.speed:
        return
    speeds = ", ".join(f"{name} {speed:.1f}" for name, speed in chosen.speed.items())
    differences = ", ".join(f"{name} {100 * value:.2g} %" for name, value in chosen.difference.items())
    compared = f"; features of an image differ from those in float32: {differences}" if differences else ""
    say(f"precision {chosen.name}; times as fast as float32 on this device: {speeds}{compared}")


def _say_samples(sets: tuple[SampleSet, ...]) -> None:
    from oddlens.data.problem import folders_left_out, problems_found

    for each in sets:
        sentence = f"{each.name}: {len(each)} images, {each.abnormal} of them abnormal"
        if each.without_mask:
            sentence += f"; {each.without_mask} abnormal ones without a mask are left out"
        if each.unlabelled:
            sentence += f"; {each.unlabelled} of unknown state are left out"
        say(sentence)
        problems, place = each.source.dataset.problems, each.source.dataset.place
        say(*problems_found(each.name, len(problems), place, folders_left_out(problems)))
