"""`oddlens train vl4ad`: masks of streets, learned on a frozen model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import before_the_first_image
from oddlens.cli.options import DeviceName, ModelName, OverwriteWeights, WeightsOut, WriteReport, one_of, say
from oddlens.cli.settings import Overrides, recipe_overrides
from oddlens.errors import UsageError

if TYPE_CHECKING:
    from oddlens.methods.vl4ad.decoder_shape import DecoderShape
    from oddlens.training.vl4ad import DecoderTraining

EXAMPLES = """\b
Examples:
  oddlens train vl4ad --data cityscapes --classes cityscapes --model laion2b-convnext-large-d-320 --out masks.safetensors
  oddlens train vl4ad --data camvid --classes camvid --size small --short-side 256 --linear --out small.safetensors
  oddlens detect frames/ --method vl4ad --model laion2b-convnext-large-d-320 --weights masks.safetensors --ood "caravan, dog"
"""


@dataclass(frozen=True)
class DecoderOptions:
    """The measures of the mask decoder."""

    size: Annotated[
        str, typer.Option(metavar="SIZE", help="full: as published; small: minutes on a CPU.", show_default=True)
    ] = "full"
    queries: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Masks in a frame.", show_default="by size")
    ] = None
    layers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Layers of the transformer decoder.", show_default="by size")
    ] = None
    linear: Annotated[
        bool, typer.Option("--linear", help="Vision only: a classifier in place of words, the baseline.")
    ] = False


@dataclass(frozen=True)
class StepOptions:
    """What a step of the training takes, and how many there are."""

    iterations: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Steps of the training.", show_default="by size")
    ] = None
    batch: Annotated[int | None, typer.Option(metavar="N", min=1, help="Crops in a step.", show_default="by size")] = (
        None
    )
    crop: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Height and width of a crop, multiples of 32.", show_default="by size"),
    ] = None
    short_side: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=32, help="The shorter side of a frame at the working resolution.", show_default="by size"
        ),
    ] = None
    learning_rate: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="The learning rate of AdamW at the start.", show_default="by size"),
    ] = None
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The seed of the first values and the crops.")] = 0
    start: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights to begin with.", show_default="drawn by the seed")
    ] = None
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="A field of the decoder or the training, or activation of the model; may be repeated.",
        ),
    ] = None


def vl4ad(
    context: typer.Context,
    *,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Road scenes with class labels.", show_default=False)],
    classes: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Words for the classes: a list of oddlens, or a .json or .toml file.",
            show_default=False,
        ),
    ],
    out: WeightsOut,
    model: ModelName = None,
    decoder: DecoderOptions,
    steps: StepOptions,
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Part of the data; may be repeated.", show_default="train and unlabelled"),
    ] = None,
    report: WriteReport = True,
    overwrite: OverwriteWeights = False,
    device: DeviceName = "auto",
) -> None:
    """Train masks for vl4ad on road scenes whose classes are drawn.

    The model stays as it is; a mask decoder learns on it to find the known classes by their words. Pixels without a class do not
    count. The training needs 'oddlens[road]'. Start a training that was stopped again, and it goes on.

    Writes OUT, OUT.report.json and OUT.report.png; OUT says how it was made.
    """
    from oddlens.methods.vl4ad.decoder_shape import check_installed

    check_installed()  # before torch is imported, which takes seconds
    given = recipe_overrides(
        steps.setting or [],
        {
            "iterations": steps.iterations,
            "batch": steps.batch,
            "crop": None if steps.crop is None else _pair(steps.crop),
            "short_side": steps.short_side,
            "learning_rate": steps.learning_rate,
            "queries": decoder.queries,
            "layers": decoder.layers,
            "head": "linear" if decoder.linear else None,
        },
    )
    activation = {name: given.pop(name) for name in ("activation",) if name in given}

    from oddlens.backbone.load import load_backbone
    from oddlens.cli.progress import progress as bar
    from oddlens.cli.progress import stages
    from oddlens.data.open import open_dataset
    from oddlens.data.record import SPLITS
    from oddlens.methods.recipe import make_recipe
    from oddlens.methods.vl4ad.recipe import VL4ADRecipe
    from oddlens.methods.vl4ad.vocabulary import make_vocabulary
    from oddlens.methods.weights import read_weights
    from oddlens.training.processes import ALONE
    from oddlens.training.reporting import Reporter, check_out
    from oddlens.training.vl4ad import DecoderRun
    from oddlens.training.vl4ad_scenes import RecordScenes

    check_out(out)
    processes = context.obj or ALONE
    shape, settings = _settings(decoder.size, given, steps.seed)
    vocabulary = make_vocabulary(classes)
    wanted = [one_of("--split", each, SPLITS) for each in split or ("train", "unlabelled")]
    parts = [each for each in SPLITS if each in wanted]
    chosen = make_recipe(VL4ADRecipe, activation).activation
    scenes = RecordScenes(open_dataset(data), parts)
    without = f"; {scenes.left_out} without a label file are left out" if scenes.left_out else ""
    say(f"{len(scenes)} frames of {', '.join(scenes.classes)}{without}")
    with before_the_first_image():
        learned = None if steps.start is None else read_weights(steps.start)
        backbone = load_backbone(model, device=processes.device(device), activation=chosen)
    if processes.first:
        with bar("hashing images", len(scenes.images)) as advance:
            scenes.images.sha256(advance)
    schedule = DecoderRun(
        backbone,
        scenes,
        vocabulary,
        shape,
        settings,
        out,
        start=learned,
        report=report,
        processes=processes,
        overwrite=overwrite,
    )
    try:
        with stages() as progress:
            schedule.run(Reporter(say, progress))
    except KeyboardInterrupt:
        say("stopped: the same command goes on from here")
        raise
    print(out)


def _settings(size: str, given: Overrides, seed: int) -> tuple[DecoderShape, DecoderTraining]:
    """The measures and settings of a size, with the given fields changed."""
    from oddlens.methods.recipe import make_recipe
    from oddlens.training.vl4ad import SIZES

    shape, settings = SIZES[one_of("--size", size, tuple(SIZES))]
    measures = {each.name for each in fields(shape)}
    of_shape = {name: value for name, value in given.items() if name in measures}
    others = {name: value for name, value in given.items() if name not in measures}
    usual = {name: value for name, value in asdict(settings).items() if name != "seed"}
    changed = make_recipe(type(settings), usual | others)
    return make_recipe(type(shape), asdict(shape) | of_shape), replace(changed, seed=seed)


def _pair(crop: str) -> list[int]:
    sides = crop.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        raise UsageError(f"--crop {crop!r} is not of the form HEIGHTxWIDTH, for instance 512x1024")
    return [int(side) for side in sides]
