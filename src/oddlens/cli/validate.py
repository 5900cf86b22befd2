"""`oddlens validate`: a station and an export of it, side by side."""

from __future__ import annotations

import json
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import before_the_first_image, loading
from oddlens.cli.finding import find_good_images
from oddlens.cli.options import AsJson, StationFolder, say
from oddlens.cli.progress import progress
from oddlens.cli.table import print_table
from oddlens.errors import UsageError, counted, printable

if TYPE_CHECKING:
    from oddlens.detector import Detector
    from oddlens.export.parity import Parity

EXAMPLES = """\b
Examples:
  oddlens validate line-3 line-3-light
  oddlens validate line-3 line-3-light today/ --json
  oddlens validate line-3-light line-3-newer today/
  oddlens validate line-3 line-3-light today/ --runtime openvino
"""

_SHOWN = 20


def validate(
    folder: StationFolder,
    export: Annotated[
        Path, typer.Argument(metavar="EXPORT", help="What 'oddlens export' made of it.", show_default=False)
    ],
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IMAGES]...", help="Images to compare.", show_default="generated ones"),
    ] = None,
    limit: Annotated[
        float, typer.Option(metavar="D", help="The most that scores, maps and features may differ by.", min=0)
    ] = 1e-4,
    runtime: Annotated[
        str,
        typer.Option(metavar="NAME", help="What runs EXPORT: onnx or openvino.", show_default="what it was made for"),
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """Compare a station with an export of it.

    Scores, maps and verdicts are compared, image by image. An old export and a new one can be compared likewise.
    A station that was not exported runs on PyTorch where that is installed.

    Exit code: 0 where all agree, 1 where something differs or an image cannot be read, 2 if the call was wrong.
    """
    paths = find_good_images(images, "images") if images else []

    from oddlens.export.parity import Parity, compare, golden_images

    with before_the_first_image(), loading():
        one, other = _opened(folder), _opened(export, runtime)
        if one.name != other.name:
            raise UsageError(
                f"{printable(str(folder))} runs {one.name} and {printable(str(export))} {other.name}: give an export of the station"
            )
    if _same_graphs(one, other):
        lacking = "" if _has_torch() else ", as PyTorch is not installed"
        say(
            f"oddlens: {printable(str(folder))} and {printable(str(export))} run the same graphs here{lacking}; what is compared "
            "is references, calibration and settings, not the graphs with PyTorch"
        )
    found = Parity(())
    chosen = [(str(path), path) for path in paths] or golden_images()
    with progress("images", len(chosen)) as advance:
        for part in compare(one, other, chosen, one.object_name):
            found += part
            advance(1)
    agree = found.within(limit)
    if as_json:
        print(json.dumps({"agree": agree, "limit": limit, **found.to_dict()}, indent=2))
    else:
        _show(found, limit)
    for failure in found.failures:
        say(f"oddlens: {failure}")
    if not agree:
        raise typer.Exit(1)


def _same_graphs(one: Detector, other: Detector) -> bool:
    """Whether both run graphs, with the same content, on the same runtime."""
    from oddlens.runtime import GraphMethod

    first, second = one.method, other.method
    if not (isinstance(first, GraphMethod) and isinstance(second, GraphMethod)):
        return False
    return one.runtime == other.runtime and first.folder.document["files"] == second.folder.document["files"]


def _opened(folder: Path, runtime: str = "auto") -> Detector:
    """A station. "auto": on torch where that is installed and the station is not exported itself."""
    import oddlens
    from oddlens.runtime import holds_graphs
    from oddlens.station import read_station

    model = read_station(folder).model
    is_export = model is not None and holds_graphs(model)
    if runtime == "auto" and not is_export and _has_torch():
        runtime = "torch"
    return oddlens.open_station(folder, device="cpu", runtime=runtime)


def _has_torch() -> bool:
    with suppress(ModuleNotFoundError):
        return find_spec("torch") is not None
    return False


def _show(found: Parity, limit: float) -> None:
    """The images that differ most, and what they come to."""
    worst = sorted(found.images, key=lambda each: (not each.flipped, -max(each.score, each.map)))
    rows = [
        [
            printable(each.source),
            f"{each.scores[0]:.6f}",
            f"{each.scores[1]:.6f}",
            f"{each.map:.1e}",
            "-" if each.features is None else f"{each.features:.1e}",
            "/".join(verdict or "-" for verdict in each.verdicts),
        ]
        for each in worst[:_SHOWN]
    ]
    print_table(("image", "score", "exported", "map", "features", "verdicts"), rows)
    if len(worst) > _SHOWN:
        print(f"... and {len(worst) - _SHOWN} more, which differ less")
    features = "-" if found.features is None else f"{found.features:.1e}"
    print(
        f"{counted(len(found.images), 'image')}; largest difference: features {features}, scores {found.score:.1e}, "
        f"maps {found.map:.1e} (limit {limit:g}); {found.flips} verdicts differ"
    )
