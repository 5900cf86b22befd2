"""A run on Ray: every worker, a process of any machine of a cluster, has a copy of the detector, and draws what it finds.

Paths go to the workers, records come back, in the order of the images; pixels and maps stay where they are computed. All machines
see the same files at the same paths. A worker that dies is started again, and what it had not given back runs again.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from oddlens.errors import Failure, OddlensError, UsageError, counted, first_line, needs_package, printable
from oddlens.inference.engine import Drawn
from oddlens.inference.records import Record
from oddlens.inference.runner import run
from oddlens.inference.sinks import Sink
from oddlens.inference.task import Item, RunInfo, SentImage, Task
from oddlens.io.loader import checked_count
from oddlens.io.remote import RemotePath
from oddlens.io.strict_json import checked, parse_json
from oddlens.io.video import VideoFrame
from oddlens.provenance import versions
from oddlens.telemetry import refuse_rays

if TYPE_CHECKING:
    import pyarrow as pa
    import ray

    from oddlens.detection import Detection
    from oddlens.inference.predictor import Predictor
    from oddlens.io.inputs import Input
    from oddlens.io.pixels import Pixels

PART = 64
"""Images that a worker takes at once, at most: what it has not given back is lost where it is killed."""

_PARTS_OF_A_WORKER = 8
"""Of a run with few images every worker gets so many parts, so that none waits long for the last one."""

_FAULT = "fault"
"""The column of an error for which a worker could not go on."""

_STORE = 1 << 28
"""Bytes of the object store of a Ray that is started here, beside what the detector takes."""


@dataclass(frozen=True)
class Workers:
    """Which workers are asked for.

    Attributes:
        address: Of a cluster ("auto": the one that this machine belongs to); None: Ray is started here, and ends with the run.
            Where this process uses Ray already, that one is taken.
        count: How many; None: as many as there is room for.
        threads: Of each worker. With another number the last bits of the results may be others.
        gpu: Every worker gets a GPU of its own.

    Raises:
        UsageError: A number is none.
    """

    address: str | None = None
    count: int | None = None
    threads: int = 1
    gpu: bool = False

    def __post_init__(self) -> None:
        for name, number in (("count", self.count), ("threads", self.threads)):
            if number is not None:
                checked_count(name, number)

    def room(self, resources: Mapping[str, float]) -> int:
        """How many there is room for on a machine, by what Ray says that it has."""
        room = int(resources.get("CPU", 0)) // self.threads
        return min(room, int(resources.get("GPU", 0))) if self.gpu else room


class RayEngine:
    """Runs images on the workers of a Ray cluster, or on processes of this machine: an `Engine`.

    Raises `UsageError` where Ray is not installed.
    """

    def __init__(self, workers: Workers = Workers()) -> None:
        need_ray("--engine ray")
        self._workers = workers

    def check(self, task: Task) -> None:
        """See `Engine`."""
        for item in task.items:
            if isinstance(item, VideoFrame):
                raise UsageError(
                    f"{printable(os.fspath(item.video.path))} is a video, whose frames are read one after the other: "
                    "run it without --engine ray"
                )
            if not isinstance(item, Path | RemotePath | Failure):
                raise UsageError(
                    f"{printable(os.fspath(item))} is no file that a worker could read: run without an engine"
                )

    def outcomes(
        self,
        predictor: Predictor,
        task: Task,
        images: Sequence[Input],
        sinks: Sequence[Sink],
        batch_size: int,
        begin: Callable[[], None],
    ) -> Iterator[Drawn]:
        """See `Engine`."""
        drawing = [sink for sink in sinks if type(sink).draw is not Sink.draw]
        work = _Work(predictor, task.object_name, [sink.elsewhere() for sink in drawing], batch_size)
        with connected(self._workers, packed(work)) as cluster:
            begin()
            parts = sent_parts(images, task, drawing, _part_size(len(images), batch_size, cluster.workers))
            given = 0
            with closing(cluster.mapped(parts, _Worker)) as rows:
                for row in rows:
                    kept = pickle.loads(row["kept"])
                    yield Drawn(checked(parse_json(row["record"]), Record), partial(_hand_over, drawing, kept))
                    given += 1
            if given < len(images):
                raise OddlensError(f"only {given} of {len(images)} results came from Ray: go on with --resume")


class Worker(ABC):
    """A process that works on parts: has what it was sent, or the error for which it could not be had.

    payload: a reference to what `packed` gives. folder: that relative paths start from.
    """

    columns: tuple[str, ...]
    """Of its rows."""

    def __init__(self, payload: ray.ObjectRef[bytes], folder: str) -> None:
        import ray

        self._fault: OddlensError | None = None
        try:
            try:
                os.chdir(folder)
            except OSError as error:
                raise UsageError(
                    f"{socket.gethostname()} has no folder {printable(folder)}: workers need the same files at the same paths"
                ) from error
            self.work = _unpacked(ray.get(payload))
        except OddlensError as error:
            self._fault = error

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The rows of one part, for Ray; the last one says why it could not go on, where it could not."""
        import pyarrow as pa

        rows: list[dict[str, bytes]] = []
        try:
            if self._fault is not None:
                raise self._fault
            rows.extend(self.rows(pickle.loads(batch["part"][0].as_py())))
        except OddlensError as error:
            rows.append({_FAULT: pickle.dumps(error)})
        return pa.Table.from_pylist(rows, pa.schema([(name, pa.binary()) for name in (*self.columns, _FAULT)]))

    @abstractmethod
    def rows(self, part: object) -> Iterator[dict[str, bytes]]:
        """What it makes of a part."""


@dataclass(frozen=True)
class Cluster:
    """Ray, as this process is connected with it. payload: what every worker gets, in Ray's store of objects."""

    asked: Workers
    workers: int
    payload: ray.ObjectRef[bytes]

    def mapped(self, parts: Sequence[object], worker: type[Worker]) -> Generator[dict[str, bytes], None, None]:
        """The rows that workers make of parts, in the order of the parts.

        Raises what a worker raises, where that is an `OddlensError`.
        """
        import pyarrow as pa
        import ray.data

        _quiet_handlers("ray.data")
        rows = [{"part": pickle.dumps(part)} for part in parts]
        data = ray.data.from_items(rows, override_num_blocks=len(rows))
        data.context.execution_options.preserve_order = True
        data.context.enable_progress_bars = False
        threads = str(self.asked.threads)
        results = data.map_batches(
            worker,
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=min(self.workers, len(rows))),
            fn_constructor_args=(self.payload, str(Path.cwd())),
            num_cpus=self.asked.threads,
            num_gpus=1 if self.asked.gpu else 0,
            runtime_env={"env_vars": {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}},
        )
        for table in results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            assert isinstance(table, pa.Table)
            for row in table.to_pylist():
                if row[_FAULT] is not None:
                    raise pickle.loads(row[_FAULT])  # which a worker of ours has written
                yield row


@contextmanager
def connected(workers: Workers, payload: bytes) -> Iterator[Cluster]:
    """Within, this process is connected with Ray; a Ray that was started for it ends with it.

    payload: what every worker gets, see `packed`.

    Raises:
        UsageError: There is no such cluster, or it has no room for the workers.
    """
    refuse_rays()
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray

    is_ours = not ray.is_initialized()
    try:
        if is_ours:
            _start(workers, len(payload))
        _quiet_handlers("ray")
        room = sum(workers.room(node["Resources"]) for node in _nodes() if node["Alive"])
        if (workers.count or 1) > room:
            what = f"{counted(workers.threads, 'processor')}{' and a GPU' if workers.gpu else ''}"
            raise UsageError(f"there is room in Ray for {room} workers of {what} each: give it more, or ask for fewer")
        yield Cluster(workers, workers.count or room, ray.put(payload))
    finally:
        if is_ours:
            ray.shutdown()


class _Node(TypedDict):
    """What Ray says of a machine of a cluster, as far as it is asked."""

    Alive: bool
    Resources: dict[str, float]


def _nodes() -> list[_Node]:
    import ray

    return checked(ray.nodes(), list[_Node])  # type: ignore[no-untyped-call]


def _start(workers: Workers, size: int) -> None:
    """Start Ray on this machine, or connect with a cluster. size: of what every worker gets, in bytes."""
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with _quiet_terminal():
            if workers.address is not None:
                ray.init(address=workers.address, **quiet)
            else:
                count = workers.count or max(1, _processor_count() // workers.threads)
                store = _STORE + 2 * size
                processors = count * workers.threads
                ray.init("local", num_cpus=processors, include_dashboard=False, object_store_memory=store, **quiet)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        where = "on this machine" if workers.address is None else f"at {printable(workers.address)}"
        raise UsageError(
            f"no Ray can be had {where} ({first_line(error)}): start it, or give another --address"
        ) from error


def packed(work: object) -> bytes:
    """What workers get, with the versions that made it. Raises `UsageError` where it cannot be sent."""
    from ray import cloudpickle

    try:
        content: bytes = cloudpickle.dumps(work)  # type: ignore[no-untyped-call]  # which also takes what stands in a program or a notebook
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        raise UsageError(
            f"this run cannot be sent to workers ({first_line(error)}): run it without an engine"
        ) from error
    return pickle.dumps((_versions(), content))


def _unpacked(payload: bytes) -> object:
    """What `packed` packed. Raises `UsageError` where this process runs other versions, whose results may be others."""
    theirs, content = pickle.loads(payload)
    for name, mine in _versions().items():
        if mine != theirs[name]:
            raise UsageError(
                f"{socket.gethostname()} has {name} {mine}, and not {theirs[name]}: install the same versions on all machines"
            )
    return pickle.loads(content)


def _versions() -> dict[str, str | None]:
    return versions("numpy", "onnxruntime", "opencv-python-headless", "pillow")


@dataclass(frozen=True, eq=False)
class _Work:
    """What every worker of a run gets. sinks: those that draw."""

    predictor: Predictor
    object_name: str
    sinks: Sequence[Sink]
    batch_size: int


class _Worker(Worker):
    """Runs parts of a run, each as a run of its own, whose groups are groups of the whole."""

    columns = ("record", "kept")

    def rows(self, part: object) -> Iterator[dict[str, bytes]]:
        """One an image: its record, and what its sinks kept."""
        work = self.work
        assert isinstance(work, _Work)
        assert isinstance(part, tuple)
        results = _Results(work.sinks)
        outcomes = run(work.predictor, Task(work.object_name, part), [results], batch_size=work.batch_size)
        with closing(outcomes):
            try:
                for _ in outcomes:
                    yield from results.taken()
            finally:
                yield from results.taken()


class _Results(Sink):
    """The sinks of a worker: lets them draw, and gathers records with what the sinks kept."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.needs_image = any(sink.needs_image for sink in sinks)
        self._sinks = sinks
        self._rows: list[dict[str, bytes]] = []
        self._kept: dict[int, dict[int, object]] = {}

    def check(self, run: RunInfo) -> None:
        """See `Sink`."""
        for sink in self._sinks:
            sink.check(run)

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """See `Sink`."""
        record: Record = {}
        for sink in self._sinks:
            record |= sink.draw(number, detection, pixels)
        kept = {place: each for place, sink in enumerate(self._sinks) if (each := sink.kept(number)) is not None}
        if kept:
            self._kept[number] = kept
        return record

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        line = json.dumps(record, allow_nan=False).encode("ascii")
        self._rows.append({"record": line, "kept": pickle.dumps(self._kept.pop(number, {}))})
        return record

    def taken(self) -> list[dict[str, bytes]]:
        """The rows that were not taken yet."""
        rows, self._rows = self._rows, []
        return rows


def need_ray(what: str) -> None:
    """Raise `UsageError` where Ray is not installed. what: needs it, the subject of the sentence."""
    with needs_package("ray", f"{what} needs Ray, which is not installed: run pip install 'oddlens[ray]'"):
        import ray  # noqa: F401
    with needs_package("pyarrow", f"{what} needs pyarrow, which is not installed: run pip install 'oddlens[ray]'"):
        import pyarrow as pa  # noqa: F401


def _processor_count() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _quiet_terminal() -> Iterator[None]:
    """Standard error leads nowhere: what Ray's own library writes there, for a moment, is for its developers."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _quiet_handlers(name: str) -> None:
    """Let a logger of Ray's say only errors in the terminal; its files keep all."""
    for handler in logging.getLogger(name).handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.setLevel(logging.ERROR)


def _part_size(images: int, batch_size: int, workers: int) -> int:
    """Images of a part: whole groups."""
    fair = images // (workers * _PARTS_OF_A_WORKER)
    return max(1, min(PART, fair) // batch_size) * batch_size


def sent_parts(images: Sequence[Input], task: Task, sinks: Sequence[Sink], size: int) -> list[tuple[Item, ...]]:
    """The images as workers get them."""
    failures = {item.source: item for item in task.items if isinstance(item, Failure)}

    def sent(source: str) -> Item:
        names = (name for sink in sinks if (name := sink.drawn_as(source)) is not None)
        return failures.get(source) or SentImage(source, next(names, None))

    return [tuple(sent(each.source) for each in images[n : n + size]) for n in range(0, len(images), size)]


def _hand_over(sinks: Sequence[Sink], kept: Mapping[int, object], number: int) -> None:
    for place, each in kept.items():
        sinks[place].keep(number, each)
