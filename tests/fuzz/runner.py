"""Runs inputs in worker processes: one that crashes, hangs or eats the memory ends its worker and is a finding; the rest go on."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tests.fuzz.case import FINDING, Case, Outcome, draw, judge, tail_of

KINDS = ("images", "arrays", "listings", "stations", "weights", "caches", "recipes", "names")

MOST_CPU_SECONDS = 30.0
"""An input that takes more processor time hangs, or works on what a file merely claims: what is honest takes milliseconds."""
MOST_SECONDS = 600.0
"""An input that has not ended by then, by the clock, waits for something: a machine that others load makes nothing so slow."""
MOST_BYTES = 1 << 30
"""What an input may add to the memory of its process. The largest honest one here has 30 megapixels, and takes 300 MB."""

_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Input:
    """A kind, a seed and a number: what an input is drawn from."""

    kind: str
    seed: int
    number: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.seed}:{self.number}"


@dataclass(frozen=True)
class Finding:
    """An input that ended otherwise than it may: what it is in words, and how it ended."""

    input: Input
    what: str
    how: str

    def __str__(self) -> str:
        return f"{self.input}: {self.what}\n{self.how}\n"


@dataclass
class Tally:
    """What came of the inputs: how many of each kind ended how, the findings, and the costs of each kind."""

    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    cpu_seconds: Counter[str] = field(default_factory=Counter)
    longest: dict[str, float] = field(default_factory=dict)
    most_bytes: dict[str, int] = field(default_factory=dict)

    def add(self, ended: Ended) -> None:
        """Count one more input."""
        kind = ended.input.kind
        self.ends[kind, ended.outcome.end] += 1
        self.cpu_seconds[kind] += ended.cpu_seconds
        self.longest[kind] = max(self.longest.get(kind, 0), ended.cpu_seconds)
        self.most_bytes[kind] = max(self.most_bytes.get(kind, 0), ended.grown)
        if ended.outcome.end == FINDING:
            self.findings.append(Finding(ended.input, ended.what, ended.outcome.detail))


@dataclass(frozen=True)
class Ended:
    """One input after its run. grown: bytes that it added to the highest memory of its process so far."""

    input: Input
    what: str
    outcome: Outcome
    cpu_seconds: float = 0.0
    grown: int = 0


def case_of(each: Input, world: object, scratch: Path) -> Case:
    """The input itself; its files lie in `scratch`."""
    make: Callable[..., Case] = import_module(f"tests.fuzz.{each.kind}").make
    return make(draw(each.kind, each.seed, each.number), world, scratch)


def run_all(inputs: Sequence[Input], workers: int = 1, nice: int = 0, *, warm: bool = True) -> Iterator[Ended]:
    """Run inputs, each in one of the workers; gives them as they end. Leaving early stops the workers.

    warm: what inputs share is built before the first of them, so that none is charged with it. False: they share nothing.
    """
    waiting = iter(inputs)
    pool: list[_Worker] = []
    root = Path(tempfile.mkdtemp(prefix="oddlens-fuzz-"))
    try:
        for number in range(min(workers, len(inputs))):
            worker = _Worker(root / str(number), nice, warm)
            pool.append(worker)
            worker.give(next(waiting))
        while busy := [worker for worker in pool if worker.current is not None]:
            wait([worker.pipe for worker in busy], timeout=_POLL_SECONDS)
            for worker in busy:
                if (ended := worker.ended()) is not None:
                    yield ended
                    worker.give(next(waiting, None))
    finally:
        for worker in pool:
            worker.stop()
        _remove(root)


class _Worker:
    """A process that runs one input after another, and the watch over it."""

    def __init__(self, home: Path, nice: int, warm: bool) -> None:
        self._home, self._log = home, home.with_suffix(".log")
        self._nice, self._warm = nice, warm
        self.current: Input | None = None
        self._start()

    def _start(self) -> None:
        _remove(self._home)  # of a worker that was ended
        self._home.mkdir()
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(theirs, self._home, self._log, self._nice, self._warm), daemon=True
        )
        self._process.start()
        theirs.close()
        self._ready = False
        self._base = 0

    def give(self, each: Input | None) -> None:
        self.current = each
        self._begun, self._cpu_before = time.monotonic(), _cpu_seconds(self._process.pid)
        if each is not None:
            self.pipe.send(each)

    def ended(self) -> Ended | None:
        """The input that was given, once it has ended or was ended; a worker that it broke is replaced."""
        assert self.current is not None
        try:
            while self.pipe.poll():
                message = self.pipe.recv()
                if isinstance(message, Ended):
                    if message.grown > MOST_BYTES:  # its peak would hide later ones
                        self._replace()
                    return message
                self._ready, self._base = True, message
                self._begun, self._cpu_before = time.monotonic(), _cpu_seconds(self._process.pid)
        except (EOFError, ConnectionResetError) as error:
            self._process.join()
            if not self._ready:
                raise RuntimeError(f"a worker cannot start: {self._log.read_text(errors='replace')[-2000:]}") from error
            return self._broken(f"the process ended with {_name_of_end(self._process.exitcode)}")
        grown = _resident(self._process.pid) - self._base
        if self._ready and grown > 2 * MOST_BYTES:
            return self._broken(f"the memory grew by {grown >> 20} MB")
        if self._ready and time.monotonic() - self._begun > MOST_SECONDS:
            return self._broken(f"it did not end within {MOST_SECONDS:g} s")
        if self._ready and _cpu_seconds(self._process.pid) - self._cpu_before > 2 * MOST_CPU_SECONDS:
            return self._broken(f"it took more than {2 * MOST_CPU_SECONDS:g} s of processor time")
        return None

    def _broken(self, how: str) -> Ended:
        each = self.current
        assert each is not None
        if self._process.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGABRT)  # faulthandler writes where it was
            self._process.join(5)
        said = [
            line
            for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines()
            if line.startswith(" ")
        ]
        self._replace()
        return Ended(each, "its worker was ended", Outcome(FINDING, "\n".join([*reversed(said[:20]), how])))

    def _replace(self) -> None:
        self.stop()
        self._start()

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _work(pipe: Connection, home: Path, log: Path, nice: int, warm: bool) -> None:
    """The worker: inputs come through the pipe, and their ends go back. All its files lie below `home`."""
    os.nice(nice)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when it is over
    stream = log.open("w", encoding="utf-8")
    os.dup2(stream.fileno(), sys.stdout.fileno())
    os.dup2(stream.fileno(), sys.stderr.fileno())
    faulthandler.enable(stream)
    tempfile.tempdir = str(home)
    world = None
    if warm:
        from tests.fuzz.world import World

        world = World(home / "world")
        warm_up(world)
    pipe.send(_peak())
    with suppress(EOFError):  # the parent is gone
        while True:
            each: Input = pipe.recv()
            stream.seek(0)
            stream.truncate()
            pipe.send(run_one(each, world))


def warm_up(world: object) -> None:
    """Build what all inputs of a process share, so that none is charged with it."""
    from tests.fuzz.world import World

    assert isinstance(world, World)
    _ = world.models, world.stations, world.png
    for method in ("winclip", "april-gan", "anomalyclip", "anovl", "vl4ad"):
        world.detector(method).detect(world.pictures[:2])


def run_one(each: Input, world: object) -> Ended:
    """Draw an input, run it in this process, and measure it."""
    scratch = Path(tempfile.mkdtemp(prefix="oddlens-fuzz-input-"))
    what, seconds, grown = "it could not be drawn", 0.0, 0
    try:
        case = case_of(each, world, scratch)
        what = case.what.encode("unicode_escape").decode()[:300]
        started, before = time.process_time(), _peak()
        outcome = judge(case.run)
        seconds, grown = time.process_time() - started, _peak() - before
    except Exception as error:
        outcome = Outcome(FINDING, tail_of(error))
    finally:
        _remove(scratch)
    if outcome.end != FINDING and seconds > MOST_CPU_SECONDS:
        outcome = Outcome(FINDING, f"it took {seconds:.1f} s of processor time")
    if outcome.end != FINDING and grown > MOST_BYTES:
        outcome = Outcome(FINDING, f"the memory grew by {grown >> 20} MB")
    return Ended(each, what, outcome, seconds, grown)


def _remove(scratch: Path) -> None:
    """Take a folder away, also what lies in folders that were closed."""
    for parent, folders, _ in os.walk(scratch):
        for name in folders:
            if not (path := Path(parent, name)).is_symlink():
                path.chmod(0o700)
    shutil.rmtree(scratch, ignore_errors=True)


def _peak() -> int:
    """The most bytes that this process has held so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10


def _resident(pid: int | None) -> int:
    """The bytes that a process holds now; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0


def _cpu_seconds(pid: int | None) -> float:
    """The processor time that a process has taken so far; 0 where the system does not say."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


def _name_of_end(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
