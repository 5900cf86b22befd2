"""`oddlens train street-pair`: the small vision-language pair that trials on generated streets stand on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def street_pair(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The model to write; give it as --model afterwards.")],
    work: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where scenes and checkpoints are kept.", show_default="DIR-work"),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of scenes, first weights and order.")] = 0,
    scenes: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Generated scenes.", show_default="as measured")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Optimiser steps; 0: an untrained control.", show_default="as measured"),
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train a small vision-language pair that knows the words of generated streets.

    A stand-in for CLIP in trials of road methods; it knows no real picture. It learns from generic scenes, never from a street. The
    same options give the same model; a stopped run goes on when it is started again.
    """
    from oddlens.backbone.load import choose_device
    from oddlens.cli.progress import stages
    from oddlens.training.street_pair import GenericScenes, StreetPairTraining, train

    measured = StreetPairTraining()
    count = measured.scenes if scenes is None else scenes
    settings = StreetPairTraining(
        seed=seed,
        scenes=count,
        steps=measured.steps if steps is None else steps,
        batch=min(measured.batch, count),
    )
    place = work or out.with_name(out.name + "-work")
    megabytes = GenericScenes(settings, place).nbytes / 1e6
    print(f"{settings.scenes} scenes' features take {megabytes:.0f} MB in {place}", file=sys.stderr)
    with stages() as progress:
        losses = train(settings, out, place, progress, device=choose_device(device))
    told = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
    print(f"losses over the last steps: {told}" if told else "untrained", file=sys.stderr)
    print(out)
