"""What drawing an image costs, beside an earlier version: processor time for each megapixel, and the ratio.

    python benchmarks/drawing.py --data FOLDER [--images N] [--before COMMIT] [--rounds N]

FOLDER: any images; N of them, evenly chosen. Each gets a generated map with one hot spot that covers about a tenth of it.
"Marks" is finding the regions, "overlay" the drawing with regions known, "mask" and "preview" are new. The last column is writing
the overlay. The earlier version is checked out into a temporary folder (`git worktree`); both run in turn, each in a process of its
own with one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from oddlens.detection import Detection, Thresholds, ValueRange
from oddlens.io.finding import find_images
from oddlens.io.freed_memory import reuse_freed_memory
from oddlens.io.images import read_image
from oddlens.io.png import write_png

ROOT = Path(__file__).parents[1]
BEFORE = "46e00de"


def main() -> None:
    """Time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder with images")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(_measured(given.data, given.images)))
        return
    taken: dict[str, list[dict[str, float]]] = {"before": [], "now": []}
    with tempfile.TemporaryDirectory() as temporary:
        earlier = Path(temporary) / "before"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", "--quiet", str(earlier), given.before], check=True)
        try:
            for _ in range(given.rounds):
                for name, source in (("before", earlier), ("now", ROOT)):
                    taken[name].append(_worker(source / "src", given.data, given.images))
        finally:
            subprocess.run([*git, "remove", "--force", str(earlier)], check=True)
    steps = ("marks", "overlay", "mask", "preview", "png")
    print("ms of a processor for a megapixel\n" + " " * 10 + "".join(f"{step:>10}" for step in steps))
    for name, rounds in taken.items():
        cells = (
            f"{median(each[step] for each in rounds):10.2f}" if step in rounds[0] else f"{'-':>10}" for step in steps
        )
        print(f"{name:10}" + "".join(cells))
    pairs = list(zip(taken["before"], taken["now"], strict=True))
    both = [median(sum(a[step] for step in steps[:2]) / sum(b[step] for step in steps[:2]) for a, b in pairs)]
    print(f"marks and overlay, before / now: {both[0]:.2f}")


def _worker(source: Path, data: Path, images: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--worker", "--data", str(data), "--images", str(images)]
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _measured(data: Path, images: int) -> dict[str, float]:
    """Milliseconds of the processor for a megapixel, by step; each image's best of five."""
    reuse_freed_memory()
    cv2.setNumThreads(1)
    paths = find_images([data]).paths
    rows, columns = np.mgrid[0:240, 0:240]
    hot = np.exp(-((rows - 90) ** 2 + (columns - 130) ** 2) / 2600)
    anomaly_map = (0.3 + 0.05 * np.random.default_rng(0).random((240, 240)) + 0.6 * hot).astype(np.float32)
    total, megapixels = dict.fromkeys(("marks", "overlay", "png"), 0.0), 0.0
    for path in paths[:: max(1, len(paths) // images)][:images]:
        pixels = read_image(path).pixels
        size = (pixels.shape[1], pixels.shape[0])
        found = Detection(
            0.8,
            anomaly_map,
            size,
            Thresholds(0.5, 0.55, "given"),
            ValueRange(0.3, 0.8, "calibrated on 4 references"),
            str(path),
        )

        overlay = found.overlay_pixels(pixels)
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            steps: dict[str, Callable[[], object]] = {
                "marks": partial(_marks, found),
                "overlay": partial(found.overlay_pixels, pixels),
                "png": partial(write_png, Path(file.name), overlay),
            }
            try:
                from oddlens.visualization.preview import write_preview
            except ImportError:
                pass
            else:
                steps |= {"mask": found.mask, "preview": partial(write_preview, Path(file.name), pixels)}
            for name, step in steps.items():
                total[name] = total.get(name, 0.0) + min(_seconds(step) for _ in range(5))
        megapixels += size[0] * size[1] / 1e6
    return {name: 1000 * seconds / megapixels for name, seconds in total.items()}


def _marks(found: Detection) -> object:
    found.__dict__.pop("regions", None)  # they are found once
    return found.regions


def _seconds(step: Callable[[], object]) -> float:
    started = time.process_time()
    step()
    return time.process_time() - started


if __name__ == "__main__":
    main()
