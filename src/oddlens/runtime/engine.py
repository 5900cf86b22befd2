"""What runs graphs: onnxruntime, or OpenVINO. Both read the same files and give the same numbers to 1e-4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, get_args

from oddlens.methods.scoring import Numbers

GraphRuntime = Literal["onnx", "openvino"]
GRAPH_RUNTIMES: tuple[GraphRuntime, ...] = get_args(GraphRuntime)
"""What `runtime` may name for graphs."""


class Session(Protocol):
    """A graph that is loaded. Several threads may run it at once."""

    def run(self, given: Mapping[str, Numbers], outputs: Sequence[str]) -> list[Numbers]:
        """What it gives under these names, of arrays by the names of its inputs; in float32."""


class Engine(Protocol):
    """What loads graphs."""

    package: str
    """The distribution that brings it."""

    def choose_device(self, device: str) -> str:
        """Where it computes: "cpu" or "cuda"; "auto" is the processor. Raises `UsageError` for what is not there."""

    def open(self, path: Path, device: str, threads: int) -> Session:
        """Load a graph. Raises one of `errors`."""

    def errors(self) -> tuple[type[Exception], ...]:
        """What it raises where it cannot read or run a graph."""


def engine(runtime: GraphRuntime) -> Engine:
    """The engine of a runtime; its package is imported when it is first asked for something."""
    if runtime == "openvino":
        from oddlens.runtime.openvino_engine import OpenVino

        return OpenVino()
    from oddlens.runtime.onnx_engine import OnnxRuntime

    return OnnxRuntime()
