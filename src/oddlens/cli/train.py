"""`oddlens train`: make what learns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from oddlens.cli.benchmark import ManyValues
from oddlens.cli.train_method import EXAMPLES, summary, train_method
from oddlens.cli.train_street_pair import street_pair
from oddlens.cli.train_vl4ad import EXAMPLES as VL4AD_EXAMPLES
from oddlens.cli.train_vl4ad import vl4ad
from oddlens.training import TRAINABLE

app = typer.Typer(no_args_is_help=True)
for method in TRAINABLE:
    app.command(method, cls=ManyValues, no_args_is_help=True, help=summary(method), epilog=EXAMPLES)(train_method)
app.command()(street_pair)
app.command(no_args_is_help=True, epilog=VL4AD_EXAMPLES)(vl4ad)


@app.callback()
def train() -> None:
    """Train what learns."""


@app.command()
def mini(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The model to write; give it as --model afterwards.")],
    work: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where pictures and checkpoints are kept.", show_default="DIR-work"),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Of the pictures, the first weights and the order.")
    ] = 0,
    pictures: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Generated pictures.", show_default="as released")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Optimiser steps; 0: an untrained control.", show_default="as released"),
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train the embedded model on generated defects.

    It never sees a real picture. The same options give the same model; a stopped run goes on when it is started again.
    """
    from oddlens.backbone.load import choose_device
    from oddlens.cli.progress import stages
    from oddlens.training.mini import MiniPictures, MiniTraining
    from oddlens.training.mini import train as train_mini

    released = MiniTraining()
    count = released.pictures if pictures is None else pictures
    settings = MiniTraining(
        seed=seed,
        pictures=count,
        steps=released.steps if steps is None else steps,
        batch=min(released.batch, count),
    )
    place = work or out.with_name(out.name + "-work")
    megabytes = MiniPictures(settings, place).nbytes / 1e6
    print(f"{settings.pictures} pictures' features take {megabytes:.0f} MB in {place}", file=sys.stderr)
    with stages() as progress:
        losses = train_mini(settings, out, place, progress, device=choose_device(device))
    told = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
    print(f"losses over the last steps: {told}" if told else "untrained", file=sys.stderr)
    print(out)
