"""`oddlens results`: the results of a run for other programs, each a verb by its name."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import Command, Group
from oddlens.cli.options import AsJson, NewFolder, ResultsPath, say
from oddlens.errors import UsageError, counted, printable

if TYPE_CHECKING:
    from oddlens.inference.tools.tool import Given, Tool


class ToolsGroup(Group):
    """The verb "results", whose verbs are tools."""

    kind = "tool"


app = typer.Typer(cls=ToolsGroup, no_args_is_help=True)


@app.callback()
def results() -> None:
    """Give the results of a run to another program."""


Copies = Annotated[
    bool, typer.Option("--copy/--no-copy", help="Copy the images into DIR, or name them where they are.")
]


@app.command("coco", cls=Command, no_args_is_help=True)
def coco(folder: ResultsPath, to: NewFolder, copies: Copies = True, as_json: AsJson = False) -> None:
    """Write COCO's annotations: regions with their exact pixels, for CVAT, Roboflow, pycocotools."""
    from oddlens.inference.tools.coco import Coco

    _give(Coco(copies), folder, to, as_json)


@app.command("fiftyone", cls=Command, no_args_is_help=True)
def fiftyone(
    folder: ResultsPath,
    to: NewFolder,
    copies: Copies = True,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Also make a data set of this name in FiftyOne's database; it needs 'oddlens[fiftyone]'.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write FiftyOne's folder: heat maps, regions with masks, verdicts. It needs neither FiftyOne nor a database."""
    from oddlens.inference.tools.fiftyone import FiftyOne

    _give(FiftyOne(copies, dataset), folder, to, as_json)


@app.command("label-studio", cls=Command, no_args_is_help=True)
def label_studio(
    folder: ResultsPath,
    to: NewFolder,
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder that Label Studio serves local files from.",
            show_default="the one that all images lie in",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where it finds that folder over HTTP.", show_default="it reads local files"),
    ] = None,
    boxes: Annotated[bool, typer.Option("--boxes", help="Regions as rectangles instead of masks.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write tasks for Label Studio, with masks to correct. 'oddlens feedback --label-studio' takes back what people say."""
    from oddlens.inference.tools.label_studio import LabelStudio

    _give(LabelStudio(root, url, boxes), folder, to, as_json)


@app.command("labelme", cls=Command, no_args_is_help=True)
def labelme(folder: ResultsPath, to: NewFolder, copies: Copies = True, as_json: AsJson = False) -> None:
    """Write labelme's files, one beside each image, with the exact pixels of the regions."""
    from oddlens.inference.tools.labelme import Labelme

    _give(Labelme(copies), folder, to, as_json)


@app.command("mlflow", cls=Command, no_args_is_help=True)
def mlflow(
    folder: ResultsPath,
    to: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="MLflow's: http://..., sqlite:///mlflow.db, or a folder of its own.",
            show_default=False,
        ),
    ],
    experiment: Annotated[
        str, typer.Option(metavar="NAME", help="Where the run goes; made where there is none.")
    ] = "oddlens",
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the run.", show_default="MLflow makes one up")
    ] = None,
    station: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A station that becomes the run's model, which MLflow serves.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Log a run: what made the results, figures, the table, the report, and on request a model. It needs 'oddlens[mlflow]'.

    RESULTS may also be the folder of a benchmark: then the figures are its metrics.
    """
    from oddlens.evaluation.mlflow import METRICS, give_benchmark
    from oddlens.inference.tools.mlflow import MLflow
    from oddlens.io.paths import is_file

    if is_file(folder / METRICS) and not is_file(folder / "run.json"):
        if station is not None:
            raise UsageError("a benchmark has no model of its own: leave --station out")
        _say(give_benchmark(folder, to, experiment, name), "result", as_json)
        return
    _give(MLflow(experiment, name, station), folder, to, as_json)


def _give(tool: Tool, folder: Path, to: Path | str, as_json: bool) -> None:
    from oddlens.cli.progress import stages
    from oddlens.inference.kept_images import KeptResults

    with stages() as show, redirect_stdout(sys.stderr):  # what a library of the tool prints (FiftyOne) is for people
        given = tool.give(KeptResults(folder), to, show)
    _say(given, "image", as_json)


def _say(given: Given, what: str, as_json: bool) -> None:
    for sentence in given.said:
        say(f"oddlens: {sentence}")
    if as_json:
        print(json.dumps({"place": given.place, "images": given.images, "said": list(given.said)}, indent=2))
    else:
        print(f"{printable(given.place)}: {counted(given.images, what)}")
