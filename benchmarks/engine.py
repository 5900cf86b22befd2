"""The engine of `oddlens detect --out` against that of an earlier version, and alone, with a model that takes no time.

    python benchmarks/engine.py --data FOLDER [--pictures N] [--before COMMIT] [--rounds N] [--stub-pictures N]

FOLDER: any pictures; N of them, evenly chosen. The earlier version is checked out into a temporary folder (`git worktree`) and runs
in the same Python, in turn with this one, each run a process of its own with overlays and maps ("all": with whatever this version
writes by default, which is more). Of each: wall and processor time,
seconds until the first line of results.jsonl, and the most memory held. Ratios are taken round by round, medians over rounds.
Aims: at least 1.3 times as fast, the first result no later, the memory no more.

Then this version alone, on JPEGs of 1 megapixel made of those pictures: how many a second it takes with the embedded model, and
with a stub that gives one constant map at once, and where the time went (seconds of threads are not seconds of the clock). Aim: at
least 8 times as many with the stub.

At last the processor time of writing those images as PNG, by Pillow at its fastest level against `oddlens.io.png`.
Nobody else may need the processors meanwhile: the first line says how loaded the machine was before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from oddlens import load
from oddlens.detection import Detection, Thresholds, ValueRange
from oddlens.errors import Failure, OddlensError
from oddlens.inference.predictor import Predictor
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import FolderSink, Sink
from oddlens.inference.task import Task
from oddlens.inference.times import Times
from oddlens.io.finding import find_images
from oddlens.io.images import Picture, read_image
from oddlens.io.inputs import Images, each_input
from oddlens.io.loader import BATCH_SIZE, load_each
from oddlens.io.pixels import Pixels
from oddlens.io.png import write_png
from oddlens.provenance import Identity, ModelIdentity

ROOT = Path(__file__).parents[1]
BEFORE = "da756ed"
_LOOK_EVERY = 0.005
_SIDE = 1024


@dataclass(frozen=True)
class Taken:
    """What a run took: seconds, seconds of processors, seconds until its first result, bytes at its largest."""

    wall: float
    processor: float
    first: float
    memory: int


def main() -> None:
    """Time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder with pictures")
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT")
    parser.add_argument("--rounds", type=int, default=3, help="0: this version alone")
    parser.add_argument("--stub-pictures", type=int, default=400, help="0: the earlier version alone")
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, processors {os.cpu_count()}, rounds {given.rounds}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = _chosen(given.data, given.pictures)
        if given.rounds:
            (folder / "pictures").mkdir()
            for number, path in enumerate(paths):
                (folder / "pictures" / f"{number:05d}{path.suffix}").symlink_to(path.resolve())
            _compare(folder, len(paths), given.before, given.rounds)
        if given.stub_pictures:
            jpegs = _jpegs(folder / "jpegs", paths, given.stub_pictures)
            _alone(folder, jpegs)
            _png(folder / "written.png", [read_image(path).pixels for path in jpegs[:16]])


def _chosen(data: Path, count: int) -> list[Path]:
    """Pictures that can be read, evenly over a folder."""
    found = [path for path in find_images([data]).paths if isinstance(path, Path)]
    good: list[Path] = []
    for path in found[:: max(1, len(found) // count)]:
        try:
            read_image(path)
        except OddlensError:
            continue
        good.append(path)
    return good[:count]


def _compare(folder: Path, count: int, before: str, rounds: int) -> None:
    taken: dict[str, list[Taken]] = {"before": [], "now": [], "all": []}
    with _checked_out(before, folder / "before") as earlier:
        calls = {
            "before": (earlier / "src", ()),
            "now": (ROOT / "src", ("--write", "overlays,maps")),
            "all": (ROOT / "src", ()),
        }
        for source, options in calls.values():  # whatever is read or compiled once
            _detect(source, folder / "pictures", folder / "out", options)
        for number in range(rounds):
            for name in list(calls) if number % 2 == 0 else list(calls)[::-1]:
                source, options = calls[name]
                taken[name].append(_detect(source, folder / "pictures", folder / "out", options))
    print(f"\n{count} pictures, overlays and maps\n{'':10}{'wall':>9}{'processor':>11}{'first':>9}{'memory':>10}")
    for name, runs in taken.items():
        wall, processor, first, memory = (
            median(getattr(each, what) for each in runs) for what in ("wall", "processor", "first", "memory")
        )
        print(f"{name:10}{wall:7.1f} s{processor:9.1f} s{first:7.2f} s{memory / 1e6:7.0f} MB")
    pairs = list(zip(taken["before"], taken["now"], strict=True))
    print(
        f"{'ratio':10}{median(a.wall / b.wall for a, b in pairs):7.2f} x"
        f"{median(a.processor / b.processor for a, b in pairs):9.2f} x"
        f"{median(a.first / b.first for a, b in pairs):7.2f} x{median(a.memory / b.memory for a, b in pairs):8.2f} x"
        "   before / now: more is better",
        flush=True,
    )


@contextmanager
def _checked_out(commit: str, folder: Path) -> Iterator[Path]:
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--detach", "--quiet", str(folder), commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def _detect(source: Path, pictures: Path, out: Path, options: Sequence[str]) -> Taken:
    """A run of the command line in a process of its own."""
    shutil.rmtree(out, ignore_errors=True)
    lines = out / "results.jsonl"
    command = [sys.executable, "-m", "oddlens", "detect", str(pictures), "--out", str(out), *options]
    environment = os.environ | {"PYTHONPATH": str(source), "PYTHONWARNINGS": "ignore"}
    environment["PYTHONPYCACHEPREFIX"] = str(
        out.parent / "compiled"
    )  # as an installed package: each module is compiled once
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        first = None
        while True:
            if first is None and lines.exists() and lines.stat().st_size:
                first = time.perf_counter() - started
            pid, status, usage = os.wait4(process.pid, os.WNOHANG if first is None else 0)
            if pid:
                break
            time.sleep(_LOOK_EVERY)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or first is None:
        raise SystemExit(f"{' '.join(command)} with {source} ended with {process.returncode}")
    return Taken(wall, usage.ru_utime + usage.ru_stime, first, 1024 * usage.ru_maxrss)


def _jpegs(folder: Path, paths: list[Path], count: int) -> list[Path]:
    """Pictures of 1 megapixel, as cameras write them."""
    folder.mkdir()
    distinct = min(count, 64)
    for number in range(distinct):
        picture = Image.fromarray(read_image(paths[number * len(paths) // distinct]).pixels)
        picture.resize((_SIDE, _SIDE)).save(folder / f"{number:05d}.jpg", quality=90)
    for number in range(distinct, count):
        shutil.copy(folder / f"{number % distinct:05d}.jpg", folder / f"{number:05d}.jpg")
    return sorted(folder.iterdir())


class Stub:
    """A predictor that reads its images, and finds the same in each at once."""

    identity = Identity(method="stub", recipe={}, model=ModelIdentity(name="stub", sha256="", fingerprint=""))
    thresholds = Thresholds()
    object_name = "part"
    max_megapixels: float | None = None

    def detect_each(
        self, images: Images, object_name: str = "part", batch_size: int = BATCH_SIZE
    ) -> Iterator[Detection | Failure]:
        """See `Predictor`."""
        rows, columns = np.mgrid[:240, :240] / 240
        anomaly_map = np.exp(-((rows - 0.5) ** 2 + (columns - 0.4) ** 2) * 20).astype(np.float32)
        with closing(load_each(each_input(images), _small, group=batch_size)) as outcomes:
            for each in outcomes:
                if isinstance(each, Failure):
                    yield each
                else:
                    scale = ValueRange(0.0, 1.0, "fixed range 0 to 1")
                    yield Detection(0.5, anomaly_map, each.size, self.thresholds, scale, each.source)


@dataclass(frozen=True)
class _Small:
    """What a model would get."""

    size: tuple[int, int]
    source: str
    pixel_count: int


def _small(picture: Picture) -> _Small:
    small = Image.fromarray(picture.pixels).resize((240, 240), Image.Resampling.BICUBIC)
    return _Small(picture.size, picture.source, small.width * small.height)


def _alone(folder: Path, paths: list[Path]) -> None:
    detector = load("winclip")
    fewer = paths[: max(BATCH_SIZE, len(paths) // 8)]
    _rate(detector, fewer[:BATCH_SIZE], [], Times())  # whatever is made once
    print(
        f"\nJPEGs of 1 megapixel, a second\n{'':34}{'reading':>9}{'predicting':>12}{'drawing':>9}{'waiting':>9}{'writing':>9}"
    )
    rates: dict[str, float] = {}
    lines: tuple[tuple[str, Predictor, list[Path], bool], ...] = (
        ("mini", detector, fewer, False),
        ("stub", Stub(), paths, False),
        ("mini, overlays and maps", detector, fewer, True),
        ("stub, overlays and maps", Stub(), paths, True),
    )
    for number, (name, predictor, images, draws) in enumerate(lines):
        sinks: list[Sink] = [FolderSink(ResultsFolder(folder / f"alone-{number}"))] if draws else []
        times = Times()
        rates[name] = _rate(predictor, images, sinks, times)
        parts = (times.reading, times.predicting, times.drawing, times.waiting, times.writing)
        print(
            f"{name:26}{rates[name]:8.1f}" + "".join(f"{1000 * part / len(images):9.1f}" for part in parts), flush=True
        )
    print(f"{'stub / mini':26}{rates['stub'] / rates['mini']:8.1f} x   (the columns: milliseconds an image)")


def _png(place: Path, images: list[Pixels]) -> None:
    taken = [0.0, 0.0]
    for pixels in images:
        pillow = Image.fromarray(pixels)
        writers: tuple[Callable[[], object], ...] = (
            lambda image=pillow: image.save(place, compress_level=1),  # type: ignore[misc]
            lambda image=pixels: write_png(place, image),  # type: ignore[misc]
        )
        for number, write in enumerate(writers):
            started = time.process_time()
            write()
            taken[number] += time.process_time() - started
    theirs, ours = (1000 * each / len(images) for each in taken)
    print(
        f"\nPNG of 1 megapixel: Pillow {theirs:.1f} ms, oddlens.io.png {ours:.1f} ms of a processor: {theirs / ours:.1f} x"
    )


def _rate(predictor: Predictor, paths: list[Path], sinks: list[Sink], times: Times) -> float:
    started = time.perf_counter()
    deque(run(predictor, Task("part", tuple(paths)), sinks, times=times), maxlen=0)
    return len(paths) / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
