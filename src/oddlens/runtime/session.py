"""One graph on onnxruntime: loaded once for all detectors, on as many threads as torch would take."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Protocol
from weakref import WeakValueDictionary

from oddlens.errors import ModelError, UsageError, first_line, printable, shortened
from oddlens.methods.scoring import Numbers


class _Session(Protocol):
    """A session of onnxruntime, which has no types of its own."""

    def run(self, outputs: list[str], given: dict[str, Numbers]) -> list[Numbers]:
        """The outputs of these names."""


_GRAPHS: WeakValueDictionary[tuple[str, str, str], Graph] = WeakValueDictionary()
_LOCK = Lock()

_LEFT_BEHIND: list[_Session | None] = []
"""Sessions of a parent process: their threads are not in this one, so that to end them would take for ever."""


class Graph:
    """A graph. Several threads may run it at once.

    Its session is made at the first use, and again in a forked process, where it has one thread: threads are not forked.
    """

    def __init__(self, path: Path, digest: str, device: str) -> None:
        self._path = path
        self._digest = digest
        self._device = device
        self._session: _Session | None = None
        self._process = os.getpid()
        self._forked = False
        self._lock = Lock()

    def run(self, given: Mapping[str, Numbers], outputs: Sequence[str]) -> dict[str, Numbers]:
        """What it gives, by the names of its outputs, of arrays by the names of its inputs."""
        try:
            return dict(zip(outputs, self._ready().run(list(outputs), dict(given)), strict=True))
        except _runtime_errors() as error:
            raise ModelError(
                f"{printable(str(self._path))} cannot be run ({first_line(error)}): export the graphs again"
            ) from error

    def _ready(self) -> _Session:
        if self._process != os.getpid():
            _LEFT_BEHIND.append(self._session)
            self._session, self._process, self._forked, self._lock = None, os.getpid(), True, Lock()
        with self._lock:
            if self._session is None:
                self._session = _opened(self._path, self._device, 1 if self._forked else thread_count())
            return self._session


def open_graph(path: Path, digest: str, device: str) -> Graph:
    """The graph in a file, shared by all that have it open. digest: SHA-256 of the file. device: "cpu" or "cuda"."""
    key = (os.path.realpath(path), digest, device)
    with _LOCK:
        graph = _GRAPHS.get(key)
        if graph is None:
            graph = _GRAPHS[key] = Graph(path, digest, device)
        return graph


def thread_count() -> int:
    """What OMP_NUM_THREADS says, as for torch, but at most one thread for each processor that this process may use.

    More only wait for one another: with thousands an image takes minutes.
    """
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        return min(max(1, int(os.environ.get("OMP_NUM_THREADS", "").partition(",")[0])), processors)
    except ValueError:
        return processors


def choose_device(device: str) -> str:
    """Where onnxruntime computes, "cpu" or "cuda"; "auto" is the processor. Raises `UsageError` for what is not there."""
    if device in ("auto", "cpu"):
        return "cpu"
    import onnxruntime

    if device == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return device
    raise UsageError(
        f"the device {shortened(device)} cannot be used by runtime 'onnx': give cpu or runtime 'torch', or install "
        "onnxruntime-gpu for cuda"
    )


def _opened(path: Path, device: str, threads: int) -> _Session:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # its errors are raised
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Threads that wait for one another spin, which costs others their processor: see `backbone.threads`.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    providers = ["CPUExecutionProvider"] if device == "cpu" else ["CUDAExecutionProvider", "CPUExecutionProvider"]
    try:
        session: _Session = onnxruntime.InferenceSession(os.fspath(path), options, providers)
    except _runtime_errors() as error:
        raise ModelError(
            f"{printable(str(path))} is no graph that this onnxruntime reads ({first_line(error)}): export the graphs again"
        ) from error
    return session


def _runtime_errors() -> tuple[type[Exception], ...]:
    """What onnxruntime raises: classes of its own, which have no common one, and plain ones."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception)]
    return (*own, RuntimeError, ValueError)
