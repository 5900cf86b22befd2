"""The lab's commands: `python -m lab.graphs`, `lab.mini`, `lab.street_pair`, `lab.streets`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer


def run(command: Callable[..., None], name: str) -> None:
    """Run a command as the program `python -m NAME`: a fault of the call is one sentence and exit code 2, as in `oddlens`."""
    from oddlens.errors import OddlensError

    app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
    app.command()(command)
    try:
        app(prog_name=f"python -m {name}")
    except OddlensError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)


def mini(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The model to write; give it as --model afterwards.")],
    work: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder for images and checkpoints.", show_default="DIR-work"),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the images, the first weights and the order.")] = 0,
    pictures: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Generated images.", show_default="as released")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Optimiser steps; 0: an untrained control.", show_default="as released"),
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train the embedded model on generated defects.

    It never sees a real image. The same options give the same model; a stopped run goes on when it is started again.
    """
    from lab.mini.training import MiniPictures, MiniTraining
    from lab.mini.training import train as train_mini
    from oddlens.backbone.load import choose_device
    from oddlens.cli.progress import stages

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
    print(f"{settings.pictures} images' features take {megabytes:.0f} MB in {place}", file=sys.stderr)
    with stages() as progress:
        losses = train_mini(settings, out, place, progress, device=choose_device(device))
    shown = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
    print(f"losses over the last steps: {shown}" if shown else "untrained", file=sys.stderr)
    print(out)


def street_pair(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The model to write; give it as --model afterwards.")],
    work: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder for scenes and checkpoints.", show_default="DIR-work"),
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

    A stand-in for CLIP in trials of road methods; it knows no real image. It learns from generic scenes, never from a street. The
    same options give the same model; a stopped run goes on when it is started again.
    """
    from lab.street_pair.training import GenericScenes, StreetPairTraining, train
    from oddlens.backbone.load import choose_device
    from oddlens.cli.progress import stages

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
    shown = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
    print(f"losses over the last steps: {shown}" if shown else "untrained", file=sys.stderr)
    print(out)


def streets(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write the sets into.")],
    train: Annotated[int, typer.Option(metavar="N", min=1, help="Training frames, all of known things.")] = 400,
    test: Annotated[
        int, typer.Option(metavar="N", min=1, help="Test frames of known things; as many with unknown.")
    ] = 60,
    generic: Annotated[int, typer.Option(metavar="N", min=0, help="Also so many scenes that are no streets.")] = 0,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of all that is drawn.")] = 0,
) -> None:
    """Generate streets with the class of every pixel: known things to learn from, unknown ones to find."""
    from lab.streets import write_streets
    from oddlens.cli.progress import stages

    with stages() as progress:
        folders = write_streets(out, train, test, seed, generic, progress=progress)
    for folder in folders:
        typer.echo(folder)


def graphs(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write them.", show_default="where oddlens has them")
    ] = None,
) -> None:
    """Export the embedded model's default methods to ONNX, as they ship with oddlens. It needs oddlens[export].

    The same versions of torch and of the exporter give the same files; other versions may write the same numbers otherwise.
    """
    from lab.graphs import GRAPHS, write_mini_graphs

    for folder in write_mini_graphs(out or GRAPHS, lambda what: print(what, file=sys.stderr)):
        print(folder)
