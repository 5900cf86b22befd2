"""Graphs on onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.errors import UsageError, shortened
from oddlens.methods.scoring import Numbers

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class OnnxRuntime:
    """The engine; see `runtime.engine.Engine`."""

    package = "onnxruntime"

    def choose_device(self, device: str) -> str:
        """On "cuda" with onnxruntime-gpu."""
        if device in ("auto", "cpu"):
            return "cpu"
        import onnxruntime

        if device == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            return device
        raise UsageError(
            f"the device {shortened(device)} cannot be used by runtime 'onnx': give cpu or runtime 'torch', or install "
            "onnxruntime-gpu for cuda"
        )

    def open(self, path: Path, device: str, threads: int) -> _Session:
        """Load a graph."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # its errors are raised
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        # Threads that wait for one another spin, which costs others their processor: see `backbone.threads`.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        providers = ["CPUExecutionProvider"] if device == "cpu" else ["CUDAExecutionProvider", "CPUExecutionProvider"]
        return _Session(onnxruntime.InferenceSession(os.fspath(path), options, providers))

    def errors(self) -> tuple[type[Exception], ...]:
        """Classes of its own, which have no common one, and plain ones."""
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        own = [each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception)]
        return (*own, RuntimeError, ValueError)


class _Session:
    def __init__(self, session: InferenceSession) -> None:
        self._session = session

    def run(self, given: Mapping[str, Numbers], outputs: Sequence[str]) -> list[Numbers]:
        found: list[Numbers] = self._session.run(list(outputs), dict(given))
        return found
