"""What waiting threads cost on a machine that is busy with something else, and on one that is not.

    python benchmarks/threads.py [--rounds N] [--pictures N] [--burners N]

WinCLIP on the embedded model, images of the demo one by one and in batches of eight. Each line is a process of its own: one
thread; torch's threads as they are without oddlens (torch is imported first); with what oddlens sets (`oddlens.backbone.threads`).
Lines run in turn, without and with burners (busy processes, one for each processor). Ratios are against one thread, round by
round; medians over rounds. Aims: with burners at most 1.5 times the processor time of one thread; without them the wall time of
torch alone. Nobody else may need the processors meanwhile: the first line says how loaded the machine was before.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from statistics import median
from typing import NamedTuple

SETTINGS = {
    "one thread": ("oddlens", {"OMP_NUM_THREADS": "1"}),
    "torch alone": ("torch", {}),
    "oddlens": ("oddlens", {}),
}
"""What is imported first, and OpenMP's settings."""

_NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_BATCHES = {"one by one": 1, "in batches of eight": 8}
_BURNER = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


class Taken(NamedTuple):
    """Milliseconds an image."""

    processor: float
    wall: float


def main() -> None:
    """Time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=32, help="pictures in each process, one by one and in batches")
    parser.add_argument("--burners", type=int, default=os.cpu_count(), help="0: without them only")
    parser.add_argument("--first", help=argparse.SUPPRESS)  # in a process of its own: what to import first
    given = parser.parse_args()
    if given.pictures < (least := max(_BATCHES.values())):
        parser.error(f"the largest batch is of {least} pictures: give --pictures {least} or more")
    if given.first:
        import_module(given.first)
        print(json.dumps(_looked(given.pictures)))
        return
    print(f"load {os.getloadavg()[0]:.1f}, processors {os.cpu_count()}, rounds {given.rounds}")
    print(f"{'ms a picture':34}{'processor':>10}{'wall':>8}{'against one thread: processor':>32}{'wall':>6}")
    for burners in sorted({0, given.burners}):
        with _burning(burners):
            rounds = [{name: _run(name, given.pictures) for name in SETTINGS} for _ in range(given.rounds)]
        for batch in _BATCHES:
            print(f"{batch}, burners: {burners}")
            for name in SETTINGS:
                pairs = [(each[name][batch], each["one thread"][batch]) for each in rounds]
                processor, wall = median(own.processor for own, _ in pairs), median(own.wall for own, _ in pairs)
                costs, slower = (
                    median(a.processor / b.processor for a, b in pairs),
                    median(a.wall / b.wall for a, b in pairs),
                )
                print(f"  {name:32}{processor:10.1f}{wall:8.1f}{costs:32.2f}{slower:6.2f}")


@contextmanager
def _burning(count: int) -> Iterator[None]:
    """That many busy processes beside this one; they end with it, however it ends."""
    burners = [subprocess.Popen([sys.executable, "-c", _BURNER]) for _ in range(count)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def _run(name: str, pictures: int) -> dict[str, Taken]:
    """What each batch size takes under a setting, in a process of its own."""
    first, settings = SETTINGS[name]
    plain = {key: value for key, value in os.environ.items() if key not in _NAMES}
    command = [sys.executable, __file__, "--first", first, "--pictures", str(pictures)]
    done = subprocess.run(command, env=plain | settings, check=True, stdout=subprocess.PIPE)
    return {batch: Taken(*times) for batch, times in json.loads(done.stdout).items()}


def _looked(count: int) -> dict[str, Taken]:
    """What each batch size takes in this process, warm."""
    import oddlens
    from oddlens.data import open_dataset
    from oddlens.inference.demo import FOLDER

    paths = [record.image for record in open_dataset(FOLDER).select(split="test")][:16]
    detector = oddlens.load("winclip", device="cpu", runtime="torch")
    taken = {}
    for batch, size in _BATCHES.items():
        groups = [paths[start : start + size] for start in range(0, len(paths), size)]
        detector.detect(groups[0])
        times = count // size
        processor, wall = time.process_time(), time.perf_counter()
        for number in range(times):
            detector.detect(groups[number % len(groups)])
        each = 1000 / (times * size)
        taken[batch] = Taken(each * (time.process_time() - processor), each * (time.perf_counter() - wall))
    return taken


if __name__ == "__main__":
    main()
