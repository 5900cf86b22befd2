"""Graphs on OpenVINO, which reads the same files: an extra, for processors of Intel first of all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from oddlens.errors import UsageError, needs_package, shortened
from oddlens.methods.scoring import Numbers
from oddlens.telemetry import without_openvinos

if TYPE_CHECKING:
    from openvino import CompiledModel, Core, InferRequest


class OpenVino:
    """The engine; see `runtime.engine.Engine`."""

    package = "openvino"

    def choose_device(self, device: str) -> str:
        """The processor alone."""
        if device not in ("auto", "cpu"):
            raise UsageError(f"the device {shortened(device)} cannot be used by runtime 'openvino': give cpu")
        _imported()
        return "cpu"

    def open(self, path: Path, device: str, threads: int) -> _Session:
        """Load a graph. It computes in float32, where OpenVINO would choose bfloat16, and keeps nothing on disk."""
        openvino = _imported()
        reader = openvino.frontend.FrontEndManager().load_by_framework("onnx")  # others would try it too, and print
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # the processors belong to others too
        }
        try:
            model = reader.convert(reader.load(os.fspath(path)))
            return _Session(_core(os.getpid()).compile_model(model, "CPU", settings))
        except _failures(openvino) as error:
            raise RuntimeError(_reason(error)) from error

    def errors(self) -> tuple[type[Exception], ...]:
        """Plain ones, into which `open` and `run` turn others."""
        return (RuntimeError, ValueError)


class _Session:
    """A compiled graph, and the requests that run it: one for each thread that does at once."""

    def __init__(self, compiled: CompiledModel) -> None:
        self._compiled = compiled
        self._idle: list[InferRequest] = []

    def run(self, given: Mapping[str, Numbers], outputs: Sequence[str]) -> list[Numbers]:
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            found = request.infer(dict(given), share_inputs=True)
        except RuntimeError as error:
            raise RuntimeError(_reason(error)) from error
        arrays: list[Numbers] = [found[name] for name in outputs]
        self._idle.append(request)
        return arrays


@cache
def _core(process: int) -> Core:
    """OpenVINO itself in this process, kept as long as it lives; a forked one has its own.

    The first compiled graph gives its thread a stack for signals (`sigaltstack`), and the last one takes that memory away,
    whichever thread lets it go: if that is another one, the next signal of the first one ends the process. While this is held no
    graph is the last.
    """
    core: Core = _imported().Core()
    return core


def _failures(openvino: ModuleType) -> tuple[type[Exception], ...]:
    """What its reader of ONNX raises: classes without a common one, and plain ones."""
    known = vars(openvino.frontend).values()
    return RuntimeError, *(each for each in known if isinstance(each, type) and issubclass(each, Exception))


def _reason(error: Exception) -> str:
    """What it says was wrong; lines before that say where in its source."""
    where = ("Exception from ", "Check '", "FrontEnd API failed")
    return next((line for line in str(error).splitlines() if line.strip() and not line.startswith(where)), str(error))


def _imported() -> ModuleType:
    """The package. Raises `UsageError` where it is not installed."""
    sentence = "runtime 'openvino' needs OpenVINO, which is not installed: run pip install 'oddlens[openvino]'"
    with needs_package("openvino", sentence), without_openvinos():
        import openvino
        import openvino.frontend
    package: ModuleType = openvino
    return package
