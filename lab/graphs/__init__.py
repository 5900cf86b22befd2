"""The embedded model as graphs, which every installation runs without torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from oddlens.backbone.files import MINI_FOLDER
from oddlens.export.folder import write_graphs
from oddlens.export.graphs import torch_method
from oddlens.loading.with_torch import torch_detector

METHODS = ("winclip", "patch-knn")
"""Those that `methods.defaults` chooses for the embedded model."""

GRAPHS = MINI_FOLDER / "graphs"


def write_mini_graphs(folder: Path = GRAPHS, report: Callable[[str], None] = lambda what: None) -> list[Path]:
    """Write the graphs of each method, under its default recipe, into a folder of its name. They replace those that are there."""
    written = []
    for name in METHODS:
        detector = torch_detector(name, None, None, "cpu", {})

        def tell(role: str, name: str = name) -> None:
            report(f"{name}: {role}")

        write_graphs(torch_method(detector.method), folder / name, half=True, report=tell)
        written.append(folder / name)
    return written
