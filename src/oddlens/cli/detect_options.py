"""The options of `oddlens detect`, and which of them contradict one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.options import (
    DeviceName,
    JsonLines,
    MethodName,
    ModelName,
    PreparationOptions,
    ReferenceImages,
    RoiFile,
    RuntimeName,
    WeightsFile,
    settings_option,
    threshold_option,
)
from oddlens.errors import UsageError
from oddlens.inference.kinds import KINDS

if TYPE_CHECKING:
    from oddlens.inference.engine import Engine

KINDS_HELP = ", ".join(f"{name} ({kind.help})" for name, kind in KINDS.items())


@dataclass(frozen=True)
class DetectorOptions:
    """Which method scores the images, on what, and with which settings."""

    object_name: Annotated[
        str, typer.Option("--object", metavar="NAME", help="What is on the images, in a word or two.")
    ] = "part"
    method: MethodName = None
    model: ModelName = None
    weights: WeightsFile = None
    reference: ReferenceImages = None
    station: Annotated[
        str | None, typer.Option(metavar="DIR", help="A saved detector: brings method, model and references.")
    ] = None
    threshold: Annotated[list[str] | None, threshold_option("from the references")] = None
    roi: RoiFile = None
    defects: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Names of defects, divided by commas: each marked region gets those that fit, as a suggestion.",
            show_default="no names",
        ),
    ] = None
    every: Annotated[int, typer.Option(metavar="N", min=1, help="Take every Nth frame of a video.")] = 1
    setting: Annotated[
        list[str] | None,
        settings_option("the method's recipe", ", max_megapixels of the images, or smooth of videos"),
    ] = None
    device: DeviceName = "auto"
    runtime: RuntimeName = "auto"


@dataclass(frozen=True)
class OutputOptions:
    """What becomes of the results."""

    out: Annotated[Path | None, typer.Option(metavar="OUT", help="A folder for results and what --write names.")] = None
    write: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help=f"What to write into OUT of each image, divided by commas: {KINDS_HELP}; or nothing.",
            show_default=",".join(KINDS),
        ),
    ] = None
    resume: Annotated[
        bool | None,
        typer.Option(
            "--resume/--overwrite",
            help="Go on in OUT with the images that have no result, or remove what is there and start over. Without them a "
            "folder that holds results is refused.",
            show_default=False,
        ),
    ] = None
    audit: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Draw this share of the images at random for audit, 0.02 for instance: look at them to learn what is missed.",
            show_default="none",
        ),
    ] = None
    fail_on_ng: Annotated[
        bool,
        typer.Option("--fail-on-ng", help="Exit with code 3 if an image is NG (and none failed, which is code 1)."),
    ] = False
    as_json: JsonLines = False
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print the settings, and every note of every image.")
    ] = False


def refuse_contradictions(
    what: DetectorOptions,
    preparing: PreparationOptions,
    output: OutputOptions,
    engine: Engine | None,
    overrides: Mapping[str, object],
) -> None:
    """Raise `UsageError` for options that contradict one another, or need another one."""
    if output.out is None:
        if output.resume is not None:
            raise UsageError("--resume and --overwrite need --out: name the folder with the results")
        if engine is not None:
            raise UsageError("--engine ray needs --out: name the folder that workers write to, which all machines see")
        if output.write is not None:
            raise UsageError("--write needs --out: name the folder for what is written")
    if what.station is None:
        return
    if preparing.given:
        raise UsageError("--station brings its tiles and fit: leave --tiles, --overlap and --fit out")
    if what.model or what.weights or what.reference or overrides or what.method:
        raise UsageError("--station brings method, model, weights, references and settings: leave those options out")
    if what.roi is not None:
        raise UsageError("--station brings its region of interest: leave --roi out")
