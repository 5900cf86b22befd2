"""`oddlens train vl4ad`: masks of streets, learned on a frozen model."""

from __future__ import annotations

import sys
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oddlens.cli.settings import ActivationOption, recipe_overrides
from oddlens.errors import UsageError, choices, printable

if TYPE_CHECKING:
    from oddlens.methods.vl4ad.decoder_shape import DecoderShape
    from oddlens.training.vl4ad import DecoderTraining

EXAMPLES = """\b
Examples:
  oddlens train vl4ad --data cityscapes --classes cityscapes --model laion2b-convnext-large-d-320 --out masks.safetensors
  oddlens train vl4ad --data camvid --classes camvid --size small --short-side 256 --linear --out small.safetensors
  oddlens detect frames/ --method vl4ad --model laion2b-convnext-large-d-320 --weights masks.safetensors --ood "caravan, dog"
"""


def vl4ad(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Road scenes with class labels.", show_default=False)],
    classes: Annotated[
        str,
        typer.Option(
            metavar="LIST", help="Words for the classes: a list of ours, or a .json or .toml.", show_default=False
        ),
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
    size: Annotated[
        str, typer.Option(metavar="SIZE", help="full: as published; small: minutes on a CPU.", show_default=True)
    ] = "full",
    iterations: Annotated[int | None, typer.Option(metavar="N", min=1, help="Steps.", show_default="by size")] = None,
    batch: Annotated[int | None, typer.Option(metavar="N", min=1, help="Views a step.", show_default="by size")] = None,
    crop: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Height and width of a view, multiples of 32.", show_default="by size"),
    ] = None,
    short_side: Annotated[
        int | None,
        typer.Option(metavar="N", min=32, help="Of frames at the working resolution.", show_default="by size"),
    ] = None,
    queries: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Masks a frame.", show_default="by size")
    ] = None,
    layers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Of the transformer decoder.", show_default="by size")
    ] = None,
    linear: Annotated[
        bool, typer.Option("--linear", help="Vision only: a classifier in place of words, the baseline.")
    ] = False,
    learning_rate: Annotated[
        float | None, typer.Option(metavar="RATE", help="Of AdamW, at the start.", show_default="by size")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the first values and the views.")] = 0,
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Part of the data; may be repeated.", show_default="train and unlabelled"),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights to begin with.", show_default="drawn by the seed")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field of the decoder or the training; may be repeated."),
    ] = None,
    report: Annotated[bool, typer.Option(help="Write the report; it needs 'oddlens[train]'.")] = True,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train masks for vl4ad on road scenes whose classes are drawn.

    The model stays as it is; a mask decoder learns on it to find the known classes by their words. Pixels without a class are left
    out. It needs 'oddlens[road]'. A stopped training goes on when it is started again.

    Writes OUT, OUT.report.json and OUT.report.png; OUT says how it was made.
    """
    options = {"iterations": iterations, "batch": batch, "short_side": short_side, "learning_rate": learning_rate}
    measures = {"queries": queries, "layers": layers, "head": "linear" if linear else None}
    given = recipe_overrides(setting or []) | {
        name: value for name, value in (options | measures).items() if value is not None
    }
    if crop is not None:
        given["crop"] = _pair(crop)

    from oddlens.backbone.load import load_backbone
    from oddlens.cli.progress import stages
    from oddlens.data.open import open_dataset
    from oddlens.data.record import SPLITS
    from oddlens.methods.recipe import make_recipe
    from oddlens.methods.vl4ad.decoder_shape import check_installed
    from oddlens.methods.vl4ad.recipe import VL4ADRecipe
    from oddlens.methods.vl4ad.vocabulary import make_vocabulary
    from oddlens.methods.weights import read_weights
    from oddlens.training.reporting import Reporter, check_out
    from oddlens.training.vl4ad import DecoderCourse
    from oddlens.training.vl4ad_scenes import RecordScenes

    check_installed()
    check_out(out, report=report)
    shape, settings = _settings(size, given, seed)
    vocabulary = make_vocabulary(classes)
    parts = [each for each in SPLITS if each in (split or ("train", "unlabelled"))]
    if unknown := [each for each in split or () if each not in SPLITS]:
        raise UsageError(f"--split {unknown[0]!r} is not known{choices(unknown[0], SPLITS)}")
    chosen = None if activation is None else make_recipe(VL4ADRecipe, {"activation": activation}).activation
    scenes = RecordScenes(open_dataset(data), parts)
    _tell(f"{len(scenes)} frames of {', '.join(scenes.classes)}")
    learned = None if start is None else read_weights(start)
    schedule = DecoderCourse(
        load_backbone(model, device=device, activation=chosen),
        scenes,
        vocabulary,
        shape,
        settings,
        out,
        start=learned,
        report=report,
    )
    try:
        with stages() as progress:
            schedule.run(Reporter(_tell, progress))
    except KeyboardInterrupt:
        _tell("stopped: the same command goes on from here")
        raise
    print(out)


def _settings(size: str, given: dict[str, Any], seed: int) -> tuple[DecoderShape, DecoderTraining]:
    """The measures and settings of a size, with the given fields changed."""
    from oddlens.methods.recipe import make_recipe
    from oddlens.training.vl4ad import SIZES

    if size not in SIZES:
        raise UsageError(f"--size {size!r} is not known{choices(size, SIZES)}")
    shape, settings = SIZES[size]
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


def _tell(*sentences: str) -> None:
    for sentence in sentences:
        print(printable(sentence), file=sys.stderr)
