"""`oddlens train`: make what learns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Train what learns.", no_args_is_help=True)


@app.callback()
def train() -> None:
    """Train what learns: a method's learned part, or the embedded model."""


@app.command()
def mini(
    out: Annotated[Path, typer.Option(help="Folder for the model: give it as --model afterwards.", show_default=False)],
    work: Annotated[
        Path | None,
        typer.Option(help="Folder for pictures and checkpoints; a stopped run goes on.", show_default="OUT-work"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the pictures, the first weights and the order.")] = 0,
    pictures: Annotated[int | None, typer.Option(help="Generated pictures.", show_default="as released")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Optimiser steps; 0 gives an untrained control.", show_default="as released")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train the embedded model on generated defects: deterministic by seed, resumable. It never sees a real picture."""
    from oddlens.backbone.load import choose_device
    from oddlens.cli.progress import stages
    from oddlens.training.mini import MiniPictures, MiniTraining
    from oddlens.training.mini import train as train_mini

    released = MiniTraining()
    settings = MiniTraining(
        seed=seed,
        pictures=released.pictures if pictures is None else pictures,
        steps=released.steps if steps is None else steps,
    )
    place = work or out.with_name(out.name + "-work")
    megabytes = MiniPictures(settings, place).nbytes / 1e6
    print(f"{settings.pictures} pictures' features take {megabytes:.0f} MB in {place}", file=sys.stderr)
    with stages() as progress:
        losses = train_mini(settings, out, place, progress, device=choose_device(device))
    told = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
    print(f"losses over the last steps: {told}" if told else "untrained", file=sys.stderr)
    print(out)
