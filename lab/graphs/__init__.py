"""The embedded model as graphs, which every installation runs without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from oddlens.backbone.files import MINI_FOLDER
from oddlens.export.folder import write_graphs
from oddlens.export.graphs import torch_method
from oddlens.loading.with_torch import torch_detector

METHODS = ("winclip", "patch-knn")
"""Those that `methods.defaults` chooses for the embedded model."""

EARLIER: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "patch-knn": {"-320": {"image_size": 320, "score_taps": "coarse"}},
}
"""Default recipes of earlier versions, by method and part of the files' names: stations that were made with them go on."""

GRAPHS = MINI_FOLDER / "graphs"


def write_mini_graphs(folder: Path = GRAPHS, report: Callable[[str], None] = lambda what: None) -> list[Path]:
    """Write the graphs of each method, of its default and earlier recipes, into a folder of its name. They replace others."""
    for name in METHODS:
        for kind, recipe in {"": {}, **EARLIER.get(name, {})}.items():
            detector = torch_detector(name, None, None, "cpu", recipe)

            def tell(role: str, name: str = name + kind) -> None:
                report(f"{name}: {role}")

            write_graphs(torch_method(detector.method), folder / name, half=True, kind=kind, report=tell)
    return [folder / name for name in METHODS]
