"""Runs on workers of Ray against a run in one process: how much Ray costs, what a second worker brings, whether memory stays flat.

    python benchmarks/scale.py [--images N] [--side PIXELS] [--rounds N]

The demo's images, 224 x 224 or enlarged to what a camera gives, under N names, by WinCLIP on the embedded model, with all that
`oddlens detect --out` writes. Of each round, one after the other: a run in one process and one on one worker, each with all of
its processes on one processor; and one on two workers on two processors. Every model has one thread. Aims: one worker takes at
most 1.15 times as long as one process, two workers are at least 1.7 times as fast as it, and memory at the end is that of the
middle of the run.

Seconds are of the clock, with Ray's start and end. Processor time and memory are of all processes of a run, as seen every quarter
of a second; what an image takes is without start and end, from a fifth of the lines to the last one. Then what a run holds for each
image beside the workers, and what follows for a million.
Nobody else may need the processors meanwhile: the first line says how loaded the machine was before.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from threading import Event, Thread

from PIL import Image

from oddlens import load
from oddlens.inference.demo import FOLDER
from oddlens.inference.engine import Drawn
from oddlens.inference.parquet import ParquetSink
from oddlens.inference.predictor import Predictor
from oddlens.inference.ray import sent_parts
from oddlens.inference.records import Record, read_records
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import CsvSink, FolderSink, Sink
from oddlens.inference.task import Task
from oddlens.io.inputs import Input
from oddlens.io.strict_json import checked, parse_json

_LOOK_EVERY = 0.25
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MILLION = 1_000_000


@dataclass(frozen=True)
class Taken:
    """What a run took.

    Attributes:
        wall: Seconds of the clock.
        image: Seconds of the clock for an image, without start and end.
        processor: Seconds of processors for an image, of all its processes, and `driver` of the process that was started.
        half: Bytes that all its processes held when half of the images were done, and `end` when all were.
    """

    wall: float
    image: float
    processor: float
    driver: float
    half: int
    end: int


@dataclass(frozen=True)
class _Seen:
    """A look at a run: the share of lines that were there, the clock, seconds of processors, bytes held."""

    done: float
    clock: float
    processor: float
    driver: float
    held: int


class Watch:
    """Looks at a process and all that it has started, until it is left."""

    def __init__(self, pid: int, done: Callable[[], float]) -> None:
        self._pid, self._done = pid, done
        self._ticks: dict[int, int] = {}
        self._seen: list[_Seen] = []
        self._stop = Event()
        self._thread = Thread(target=self._look)

    def __enter__(self) -> Watch:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def each(self, of: Callable[[_Seen], float]) -> float:
        """How much something grew by from a fifth of the images to the last one, for each of all images together."""
        first = next(seen for seen in self._seen if seen.done >= 0.2)
        last = next(seen for seen in self._seen if seen.done >= self._seen[-1].done)
        return (of(last) - of(first)) / max(1e-9, last.done - first.done)

    def held(self, share: float) -> int:
        """Bytes that were held, at most, in the tenth of the images before this share of them was done."""
        return max((seen.held for seen in self._seen if share - 0.1 <= seen.done <= share), default=0)

    def _look(self) -> None:
        while not self._stop.wait(_LOOK_EVERY):
            parents, ticks, pages = dict[int, int](), dict[int, int](), dict[int, int]()
            for place in Path("/proc").glob("[0-9]*"):
                try:
                    fields = (place / "stat").read_text().rpartition(")")[2].split()
                    shared = (place / "statm").read_text().split()
                except OSError:
                    continue
                pid = int(place.name)
                parents[pid] = int(fields[1])
                ticks[pid] = int(fields[11]) + int(fields[12])
                pages[pid] = int(shared[1]) - int(shared[2])  # what is shared counts for none
            ours = {pid for pid in parents if self._is_ours(pid, parents)}
            self._ticks |= {pid: ticks[pid] for pid in ours}
            self._seen.append(
                _Seen(
                    self._done(),
                    time.perf_counter(),
                    sum(self._ticks.values()) / _TICKS,
                    self._ticks.get(self._pid, 0) / _TICKS,
                    sum(pages[pid] for pid in ours) * _PAGE,
                )
            )

    def _is_ours(self, pid: int, parents: dict[int, int]) -> bool:
        while pid != self._pid:
            if (pid := parents.get(pid, 0)) <= 1:
                return False
        return True


def main() -> None:
    """Time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--side", type=int, default=224, help="of the images, in pixels (default 224: the demo's own)")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    free = sorted(os.sched_getaffinity(0))
    said = f"{given.images} images of {given.side} x {given.side}"
    print(f"load {os.getloadavg()[0]:.1f}, {len(free)} processors, {said}, {given.rounds} rounds", flush=True)
    with tempfile.TemporaryDirectory(prefix="oddlens-scale-") as name:
        folder = Path(name)
        images = _images(folder / "images", given.images, given.side)
        kinds = {"one process": (1, []), "one worker": (1, ["--workers", "1"]), "two workers": (2, ["--workers", "2"])}
        taken: dict[str, list[Taken]] = {kind: [] for kind in kinds}
        for number in range(given.rounds):
            for kind, (processors, workers) in kinds.items():
                out = folder / f"{number}-{kind.replace(' ', '-')}"
                options = ["--engine", "ray", *workers] if workers else []
                taken[kind].append(_run(images, out, options, set(free[:processors]), given.images))
                _print(kind, taken[kind][-1])
        sizes = _sizes(folder / "0-one-worker", given.images)
        ratios = {
            kind: median(each.wall / base.wall for each, base in zip(taken[kind], taken["one process"], strict=True))
            for kind in kinds
        }
        print(f"one worker takes {ratios['one worker']:.3f} times as long as one process (aim: at most 1.15)")
        print(f"two workers are {1 / ratios['two workers']:.2f} times as fast as one process (aim: at least 1.7)")
        print("bytes of an image on disk: " + ", ".join(f"{what} {size:,.0f}" for what, size in sizes.items()))
        _million(taken["one worker"], sum(sizes.values()), folder / "0-one-worker")


def _images(folder: Path, count: int, side: int) -> Path:
    """A folder with the demo's images under so many names, enlarged to so many pixels."""
    folder.mkdir()
    found = sorted(FOLDER.rglob("test/*/*.jpg"))
    if side != 224:
        found = [_enlarged(path, folder.with_name(f"{number}.jpg"), side) for number, path in enumerate(found)]
    for number in range(count):
        (folder / f"{number:06}.jpg").symlink_to(found[number % len(found)])
    return folder


def _enlarged(path: Path, to: Path, side: int) -> Path:
    with Image.open(path) as image:
        image.resize((side, side), Image.Resampling.BICUBIC).save(to, quality=92)
    return to


def _run(images: Path, out: Path, options: Sequence[str], processors: set[int], count: int) -> Taken:
    command = [sys.executable, "-m", "oddlens", "detect", images, "--threshold", "0.5,0.5", *options, "--out", out]
    started = time.perf_counter()
    with (
        (out.with_suffix(".log")).open("wb") as log,
        subprocess.Popen(
            [*map(str, command)],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, processors),
        ) as process,
        Watch(process.pid, lambda: _lines(out) / count) as watch,
    ):
        process.wait()
        wall = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(out.with_suffix(".log").read_text())
    image, processor, driver = (watch.each(of) / count for of in (_clock, _processor, _driver))
    return Taken(wall, image, processor, driver, watch.held(0.5), watch.held(1.0))


def _clock(seen: _Seen) -> float:
    return seen.clock


def _processor(seen: _Seen) -> float:
    return seen.processor


def _driver(seen: _Seen) -> float:
    return seen.driver


def _lines(out: Path) -> int:
    try:
        return (out / "results.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def _print(kind: str, taken: Taken) -> None:
    each = f"{1000 * taken.image:.1f} ms of the clock an image, {1000 * taken.processor:.1f} of processors"
    driver = f"{1000 * taken.driver:.2f} in the process that was started"
    held = f"{taken.half / 1e6:.0f} MB held at half, {taken.end / 1e6:.0f} at the end"
    print(f"{kind}: {taken.wall:.1f} s; {each}, {driver}; {held}", flush=True)


def _sizes(out: Path, count: int) -> dict[str, float]:
    """Bytes of an image in OUT, by folder; "lines": of the tables beside them."""
    folders = {
        each.name: sum(file.stat().st_size for file in each.iterdir()) for each in out.iterdir() if each.is_dir()
    }
    lines = sum(each.stat().st_size for each in out.glob("results.*"))
    return {name: size / count for name, size in {**folders, "lines": lines}.items()}


def _million(taken: Sequence[Taken], size: float, results: Path) -> None:
    """What follows for a million images."""
    held, driver = _beside(results)
    each = median(one.processor - one.driver for one in taken)
    print(
        f"beside the workers a run holds {held:.0f} bytes for each image: {held * _MILLION / 1e9:.1f} GB for a million"
    )
    print(
        f"an image takes {1000 * each:.1f} ms of a worker's processor, and {1000 * driver:.2f} of the one that writes lines"
    )
    print(f"a million images: {size * _MILLION / 1e9:.0f} GB on disk")
    for workers in (1, 8, 64):
        print(f"  {workers:2} workers: {max(each / workers, driver) * _MILLION / 3600:.1f} hours")
    print(f"with {each / driver:.0f} workers the process that writes the lines is full: more bring nothing")


class _Canned:
    """An `Engine` that runs nothing: it takes the list of images as `RayEngine` does, and gives records that it has."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self.held = 0
        self._lines = lines

    def check(self, task: Task) -> None:
        """See `Engine`."""

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
        gc.collect()
        self.held = _resident()
        begin()
        lines = cycle(self._lines)
        for part in sent_parts(images, task, sinks, batch_size, workers=1):
            for item in pickle.loads(pickle.dumps(part)):
                record = checked(parse_json(next(lines)), Record)
                yield Drawn(record | {"path": os.fspath(item)}, lambda _: None)


def _beside(results: Path, count: int = 40_000) -> tuple[float, float]:
    """Bytes that a run holds for each image when it begins on Ray, and seconds of a processor for each that the process takes
    that writes the lines. results: with lines that workers gave. The paths lead nowhere.
    """
    lines = [
        json.dumps({name: value for name, value in record.items() if name != "file"}).encode("ascii")
        for record in read_records(results / "results.jsonl").values()
    ]
    detector, engine = load("winclip"), _Canned(lines)
    with tempfile.TemporaryDirectory(prefix="oddlens-scale-") as name:
        out = Path(name) / "out"
        gc.collect()
        before, started = _resident(), time.process_time()
        task = Task("part", tuple(Path(f"/archive/2026/line-3/{number:08}.png") for number in range(count)))
        sinks = [
            FolderSink(ResultsFolder(out)), CsvSink(out / "results.csv"), ParquetSink(out / "results.parquet"),
        ]  # fmt: skip
        deque(run(detector, task, sinks, engine=engine), maxlen=0)
        return (engine.held - before) / count, (time.process_time() - started) / count


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


if __name__ == "__main__":
    main()
