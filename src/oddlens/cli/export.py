"""`oddlens export`: a station as graphs, which run anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.options import AsJson, NewFolder, StationFolder, say
from oddlens.errors import counted, needs_package, printable

if TYPE_CHECKING:
    from oddlens.export.labelled import Labelled

EXAMPLES = """\b
Examples:
  oddlens export line-3 --to line-3-light
  oddlens detect parts/ --station line-3-light
  oddlens export line-3 --to line-3-int8 --precision int8 --data mvtec/bottle
  oddlens export line-3 --to line-3-ov --target openvino
  oddlens validate line-3 line-3-light today/
"""

PrecisionName = Annotated[
    str,
    typer.Option(
        metavar="P",
        help="fp32 gives what torch gives. fp16 stores weights in half the space, int8 computes faster: both make the references "
        "and the thresholds anew and say what that changed.",
    ),
]
TargetName = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="onnxruntime or openvino: what the export is tried on, and what runs it where no --runtime is given. Both read it.",
    ),
]
ObjectList = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME...",
        help="Objects that the export shall know besides the station's own. Then it holds no text tower.",
        show_default="every object",
    ),
]


LabelledData = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="A data set of this object, test images labelled, best with masks: what the export changes on it is measured.",
        show_default=False,
    ),
]


def export(
    folder: StationFolder,
    to: NewFolder,
    precision: PrecisionName = "fp32",
    target: TargetName = "onnxruntime",
    objects: ObjectList = None,
    data: LabelledData = None,
    as_json: AsJson = False,
) -> None:
    """Export a station as ONNX graphs. It runs without PyTorch, from Python, C++ or C#, and every verb takes it as a station.

    Images are generated, and the references and calibration images that are still there are read, to hold the export against
    PyTorch. An export in fp32 that differs by more than 0.0001 anywhere is not left.

    Exit code: 0, 1 if the export does not give what PyTorch gives, 2 if the call was wrong: then there is no export.
    """
    from oddlens.export.precision import checked_precision

    checked_precision(precision)
    with needs_package(
        "torch",
        "exporting needs PyTorch and onnx: run pip install 'oddlens[export]' "
        "(patch-knn and winclip on mini run without an export)",
    ):
        import torch  # noqa: F401

        from oddlens.export.station import export_station
    made = export_station(
        folder,
        to,
        precision=precision,
        target=target,
        objects=objects,
        labelled=data,
        report=lambda what: say(f"oddlens: {what} ..."),
    )
    parity, labelled = made.parity, made.labelled
    for failure in () if labelled is None else labelled.failures:
        say(f"oddlens: {failure}")
    if as_json:
        said = {"folder": str(made.folder), "precision": precision, **parity.to_dict(), "absent": list(made.absent)}
        if labelled is not None:
            said["labelled"] = labelled.to_dict()
        print(json.dumps(said, indent=2))
        return
    for name in made.absent[:3]:
        say(f"oddlens: {name} is not there any more, and was not compared")
    if len(made.absent) > 3:
        say(f"oddlens: nor were {len(made.absent) - 3} more")
    print(f"{printable(str(made.folder))}: {precision}, {len(parity.images)} images compared with PyTorch")
    print(
        f"largest difference: features {parity.features or 0:.1e}, scores {parity.score:.1e}, maps {parity.map:.1e}; "
        f"{parity.flips} verdicts turned"
    )
    (image, pixel), (new_image, new_pixel) = made.thresholds
    if precision != "fp32":
        print(f"thresholds: image {_shown(image)} -> {_shown(new_image)}, pixel {_shown(pixel)} -> {_shown(new_pixel)}")
    if labelled is not None:
        _show_labelled(labelled)


def _show_labelled(labelled: Labelled) -> None:
    """What became of labelled images, and of how many."""
    pixels = labelled.pixel_auroc
    print(
        f"{counted(labelled.images, 'labelled image')}: image AUROC {_both(labelled.image_auroc)}, "
        f"pixel AUROC {'not known, as there are no masks' if pixels is None else _both(pixels)}; "
        f"{labelled.verdict_flips} verdicts turned"
    )
    if labelled.left_out:
        say(f"oddlens: {counted(labelled.left_out, 'labelled image')} left out, of which the station was made")


def _both(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.4f} -> {pair[1]:.4f}"


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
