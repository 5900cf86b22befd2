"""Workers on Ray: processes of this machine or of a cluster, each with a copy of what it was sent, that work on parts of something.

They are actors of Ray itself. Ray Data would map the parts, too, but starts three more processes, which hold 400 MB more
(`benchmarks/scale.py --images 2000` before and after).

A worker that dies is replaced, and the part that it had runs again.
"""

from __future__ import annotations

import os
import pickle
import socket
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypedDict, TypeVar, cast

from oddlens.errors import OddlensError, UsageError, counted, first_line, needs_package, printable
from oddlens.inference.ray_connection import join, quiet_handlers, start
from oddlens.inference.ray_leftovers import end_with_us
from oddlens.io.loader import checked_count, processor_count
from oddlens.io.strict_json import checked
from oddlens.provenance import versions
from oddlens.telemetry import refuse_rays

if TYPE_CHECKING:
    import ray
    from ray.actor import ActorHandle

_Part = TypeVar("_Part")
_Made = TypeVar("_Made")
_Done = tuple[list[_Made], OddlensError | None]
"""What a worker made of a part, and the error for which it could not go on, where it could not."""

_AHEAD = 8
"""So many parts for each worker may be done or at work beyond the first one that is not: results wait for it in memory."""

_DEATHS = 3
"""So many workers may die on one part, or one after the other as they start."""


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
        """How many there is room for on a machine of a cluster, by what Ray says that it has."""
        room = int(resources.get("CPU", 0)) // self.threads
        return min(room, int(resources.get("GPU", 0))) if self.gpu else room


HERE = Workers()
"""One for each processor of this machine."""


class Worker(ABC, Generic[_Part, _Made]):
    """A process that works on parts: has what it was sent, or the error for which it could not be had.

    payload: what `packed` gives. folder: that relative paths start from.
    """

    def __init__(self, payload: bytes, folder: str) -> None:
        self._fault: OddlensError | None = None
        try:
            try:
                os.chdir(folder)
            except OSError as error:
                raise UsageError(
                    f"{socket.gethostname()} has no folder {printable(folder)}: workers need the same files at the same paths"
                ) from error
            self.work = _unpacked(payload)
        except OddlensError as error:
            self._fault = error

    def ready(self) -> None:
        """Comes back when the worker has started."""

    def made(self, part: _Part) -> bytes:
        """What it makes of a part: `_Done`, pickled here, since arrays that Ray unpickles can only be read."""
        return pickle.dumps(self._done(part))

    def _done(self, part: _Part) -> _Done[_Made]:
        made: list[_Made] = []
        try:
            if self._fault is not None:
                raise self._fault
            made.extend(self.make(part))
        except OddlensError as error:
            return made, error
        return made, None

    @abstractmethod
    def make(self, part: _Part) -> Iterator[_Made]:
        """What it makes of a part, one thing after the other."""


@dataclass(frozen=True)
class Cluster:
    """Ray, as this process is connected with it.

    Attributes:
        workers: How many there are.
        payload: What every worker gets, in Ray's store of objects.
        options: Of Ray, for each worker.
    """

    workers: int
    payload: ray.ObjectRef[bytes]
    options: Mapping[str, object]

    def mapped(
        self, parts: Iterable[_Part], most: int, worker: type[Worker[_Part, _Made]], name: Callable[[_Part], str]
    ) -> Generator[_Made, None, None]:
        """What workers make of parts, in the order of the parts.

        Args:
            parts: Asked for one by one as workers become free: workers start meanwhile.
            most: How many parts there are, at most.
            worker: The class of the workers.
            name: What a part is called in sentences.

        Raises:
            OddlensError: What a worker raised, where that is one; or workers died on the same part again and again.
        """
        team = _Team(self, worker, min(self.workers, most), name)
        try:
            yield from team.made(parts)
        finally:
            team.dismiss()


@dataclass(frozen=True)
class _Task(Generic[_Part]):
    """A part, and its number among all."""

    number: int
    part: _Part


class _Team(Generic[_Part, _Made]):
    """Workers, each of which works on one part at a time. Arguments: see `Cluster.mapped`."""

    def __init__(
        self, cluster: Cluster, worker: type[Worker[_Part, _Made]], count: int, name: Callable[[_Part], str]
    ) -> None:
        import ray

        self._class = ray.remote(worker).options(scheduling_strategy="SPREAD", **cluster.options)
        self._payload = cluster.payload
        self._name = name
        self._ahead = _AHEAD * count
        self._idle: list[ActorHandle[object]] = []
        self._busy: dict[ray.ObjectRef[object], tuple[ActorHandle[object], _Task[_Part] | None]] = {}
        self._sent = 0  # tasks, each counted once
        self._again: list[_Task[_Part]] = []  # those whose workers died
        self._deaths = Counter[int | None]()  # on each task; None: as they started, since one started
        for _ in range(count):
            self._start()

    def made(self, parts: Iterable[_Part]) -> Iterator[_Made]:
        """See `Cluster.mapped`."""
        tasks = (_Task(number, part) for number, part in enumerate(parts))
        done: dict[int, _Done[_Made]] = {}
        first = 0  # whose results come next
        while True:
            while self._idle and (task := self._next(tasks, first)) is not None:
                worker = self._idle.pop()
                self._busy[worker.made.remote(task.part)] = worker, task
            if first in done:
                results, fault = done.pop(first)
                yield from results
                if fault is not None:
                    raise fault
                first += 1
            elif self._idle and not any(task for _, task in self._busy.values()):
                return
            else:
                self._wait(done)

    def dismiss(self) -> None:
        """End the workers."""
        import ray

        for worker in (*self._idle, *(worker for worker, _ in self._busy.values())):
            ray.kill(worker)

    def _start(self) -> None:
        worker = cast("ActorHandle[object]", self._class.remote(self._payload, str(Path.cwd())))
        self._busy[worker.ready.remote()] = worker, None

    def _next(self, tasks: Iterator[_Task[_Part]], first: int) -> _Task[_Part] | None:
        """What an idle worker gets; None: nothing, or nothing until the results of `first` are there."""
        if self._again:
            return self._again.pop()
        if self._sent - first >= self._ahead or (task := next(tasks, None)) is None:
            return None
        self._sent += 1
        return task

    def _wait(self, done: dict[int, _Done[_Made]]) -> None:
        """Until one worker has started, is done with its task, or died."""
        import ray

        ((reference, *_), _) = ray.wait([*self._busy])
        worker, task = self._busy.pop(reference)
        number = None if task is None else task.number
        try:
            results = ray.get(reference)
        except ray.exceptions.RayTaskError:  # it raised something that is no error of ours
            raise
        except ray.exceptions.RayError as error:
            self._deaths[number] += 1
            if self._deaths[number] == _DEATHS:
                raise OddlensError(self._dead(task, error)) from error
            if task is not None:
                self._again.append(task)
            self._start()
            return
        self._idle.append(worker)
        if number is None:
            del self._deaths[None]
        else:
            done[number] = pickle.loads(cast("bytes", results))  # of a worker of ours

    def _dead(self, task: _Task[_Part] | None, error: BaseException) -> str:
        when = "as they started" if task is None else f"on {self._name(task.part)}"
        return (
            f"{counted(_DEATHS, 'worker')} died {when} ({first_line(error)}): look into Ray's logs, "
            "then go on with --resume"
        )


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
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(workers.threads))
    each = workers  # as Ray counts
    options: dict[str, object] = {}
    beside = None
    try:
        if is_ours and workers.address is None:
            start(workers.count or max(1, processor_count() // workers.threads), len(payload), threads)
            beside = end_with_us()
            each = replace(workers, threads=1)
        else:
            if is_ours:
                join(str(workers.address))
            options["runtime_env"] = {"env_vars": threads}
        quiet_handlers()
        room = sum(each.room(node["Resources"]) for node in _nodes() if node["Alive"])
        if (workers.count or 1) > room:
            what = f"{counted(workers.threads, 'processor')}{' and a GPU' if workers.gpu else ''}"
            raise UsageError(f"there is room in Ray for {room} workers of {what} each: give it more, or ask for fewer")
        options |= {"num_cpus": each.threads, "num_gpus": 1 if workers.gpu else 0}
        yield Cluster(workers.count or room, ray.put(payload), options)
    finally:
        if is_ours:
            ray.shutdown()
        if beside is not None:
            beside.terminate()
            beside.communicate()


class _Node(TypedDict):
    """What Ray says of a machine of a cluster, as far as it is asked."""

    Alive: bool
    Resources: dict[str, float]


def _nodes() -> list[_Node]:
    import ray

    return checked(ray.nodes(), list[_Node])  # type: ignore[no-untyped-call]


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


def need_ray(what: str) -> None:
    """Raise `UsageError` where Ray is not installed. what: needs it, the subject of the sentence."""
    with needs_package("ray", f"{what} needs Ray, which is not installed: run pip install 'oddlens[ray]'"):
        import ray  # noqa: F401
