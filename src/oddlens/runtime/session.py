"""One graph on an engine: loaded once for all detectors, on as many threads as torch would take."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from weakref import WeakValueDictionary

from oddlens.errors import ModelError, first_line, printable
from oddlens.io.loader import processor_count
from oddlens.methods.scoring import Numbers
from oddlens.runtime.engine import GraphRuntime, Session, engine

_GRAPHS: WeakValueDictionary[tuple[str, str, str], Graph] = WeakValueDictionary()
_LOCK = Lock()

_LEFT_BEHIND: list[Session | None] = []
"""Sessions of a parent process: their threads are not in this one, so that to end them would take for ever."""


class Graph:
    """A graph. Several threads may run it at once.

    Its session is made at the first use, and again in a forked process, where it has one thread: threads are not forked.

    Attributes:
        path: Where it is loaded from.
    """

    def __init__(self, path: Path, device: str, runtime: GraphRuntime) -> None:
        self.path = path
        self._device = device
        self._engine = engine(runtime)
        self._session: Session | None = None
        self._process = os.getpid()
        self._forked = False
        self._lock = Lock()

    def run(self, given: Mapping[str, Numbers], outputs: Sequence[str]) -> dict[str, Numbers]:
        """What it gives, by the names of its outputs, of arrays by the names of its inputs."""
        session = self._ready()
        try:
            return dict(zip(outputs, session.run(given, outputs), strict=True))
        except self._engine.errors() as error:
            raise ModelError(
                f"{printable(str(self.path))} cannot be run ({first_line(error)}): export the graphs again"
            ) from error

    def _ready(self) -> Session:
        if self._process != os.getpid():
            _LEFT_BEHIND.append(self._session)
            self._session, self._process, self._forked, self._lock = None, os.getpid(), True, Lock()
        with self._lock:
            if self._session is None:
                self._session = self._opened(1 if self._forked else thread_count())
            return self._session

    def _opened(self, threads: int) -> Session:
        try:
            return self._engine.open(self.path, self._device, threads)
        except self._engine.errors() as error:
            raise ModelError(
                f"{printable(str(self.path))} is no graph that this {self._engine.package} reads ({first_line(error)}): export "
                "the graphs again"
            ) from error


def open_graph(path: Path, digest: str, device: str, runtime: GraphRuntime = "onnx") -> Graph:
    """The graph in a file, shared by all that have it open, or a copy of it: each exported station has one of the same model.

    digest: SHA-256 of the file. device: "cpu" or "cuda".
    """
    key = (digest, device, runtime)
    with _LOCK:
        graph = _GRAPHS.get(key)
        if graph is None:
            graph = _GRAPHS[key] = Graph(path, device, runtime)
        graph.path = path  # the copy that was seen last: the first one may be gone when the graph is loaded
        return graph


def thread_count() -> int:
    """What OMP_NUM_THREADS says, as for torch, but at most one thread for each processor that this process may use.

    More only wait for one another: with thousands an image takes minutes.
    """
    processors = processor_count()
    try:
        return min(max(1, int(os.environ.get("OMP_NUM_THREADS", "").partition(",")[0])), processors)
    except ValueError:
        return processors
