"""Another part and a changed scene on real images, and how soon a drift of scores is noticed.

    python benchmarks/drift.py --data FOLDER [--data FOLDER ...] [--method winclip]

Each category of the data, and the star of the demonstration, has a detector of 4 good images, spread over the names, that knows its
part. Printed are the shares of images that are called another part ("concern"), and of those that are NG: its own further good
images and defects, images of the other categories, and its own good images darkened by 20 %, shifted by a tenth of the width, and
blurred by one per cent of the width. At most --most images of a kind. The last table is of generated scores: after how many images
that are OK a change of so many standard deviations raises an alarm.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

import oddlens
from oddlens.calibration import DriftMonitor
from oddlens.data import open_dataset
from oddlens.detector import Detector
from oddlens.inference.demo import FOLDER as DEMO
from oddlens.io.images import read_image
from oddlens.io.pixels import Pixels

REFERENCES = 4


def darkened(pixels: Pixels) -> Pixels:
    """A fifth less light."""
    return (pixels * 0.8).astype(np.uint8)


def shifted(pixels: Pixels) -> Pixels:
    """To the right by a tenth of the width; what comes in at the left is a reflection."""
    by = max(1, pixels.shape[1] // 10)
    return np.asarray(cv2.copyMakeBorder(pixels, 0, 0, by, 0, cv2.BORDER_REFLECT)[:, : pixels.shape[1]], np.uint8)


def blurred(pixels: Pixels) -> Pixels:
    """By a Gaussian of one per cent of the width."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), max(0.5, pixels.shape[1] / 100)), np.uint8)


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "darkened by 20 %": darkened,
    "shifted": shifted,
    "blurred": blurred,
}


def spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Some of the paths, evenly over all of them."""
    return [paths[number * len(paths) // count] for number in range(min(count, len(paths)))]


def rates(detector: Detector, images: Sequence[Path] | Sequence[Pixels], name: str) -> str:
    """The cells of a kind of images."""
    found = detector.detect(list(images), name)
    concerned = np.mean([each.concern is not None for each in found])
    rejected = np.mean([each.verdict == "ng" for each in found])
    return f"{len(found)} | {100 * concerned:.0f} | {100 * rejected:.0f}"


def delays(shift: float, quiet: int, known: int, streams: int = 100) -> str:
    """The cells of a change of generated scores, after so many images without one."""
    found, early = list[int](), 0
    for seed in range(streams):
        rng = np.random.default_rng(seed)
        monitor = DriftMonitor(rng.normal(size=known).tolist(), seed=seed)
        for score in [*rng.normal(size=quiet), *rng.normal(shift, size=500)]:
            monitor.add(float(score))
        if monitor.alarm is not None and monitor.alarm.image > quiet:
            found.append(monitor.alarm.image - quiet)
        early += monitor.alarm is not None and monitor.alarm.image <= quiet
    middle = f"{np.median(found):.0f}" if found else "-"
    return f"{100 * len(found) / streams:.0f} | {middle} | {100 * early / streams:.0f}"


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--method", default="winclip")
    parser.add_argument("--most", type=int, default=20)
    arguments = parser.parse_args()
    groups: dict[str, tuple[list[Path], list[Path]]] = {}
    for folder in (*arguments.data, DEMO):
        for record in sorted(open_dataset(folder).records, key=lambda each: each.image):
            if folder != DEMO or record.category == "star":
                groups.setdefault(record.category, ([], []))[record.label or 0].append(record.image)
    print("| station | images of | number | concern % | NG % |")
    print("|---|---|---|---|---|")
    for category, (good, bad) in groups.items():
        references = spread(good, REFERENCES)
        own = spread([path for path in good if path not in references], arguments.most)
        name = category.replace("_", " ")
        detector = oddlens.load(arguments.method, device="cpu").add_references(references)
        detector.calibrate(object_name=name)
        kinds: dict[str, Sequence[Path] | Sequence[Pixels]] = {
            "its own, good": own,
            "its own, defective": spread(bad, arguments.most),
        }
        kinds |= {other: spread(groups[other][0], arguments.most) for other in groups if other != category}
        kinds |= {kind: [change(read_image(path).pixels) for path in own] for kind, change in CHANGES.items()}
        for kind, images in kinds.items():
            print(f"| {category} | {kind} | {rates(detector, images, name)} |", flush=True)
    print(
        "\n| scores change by (sd) | after images | calibrated on | noticed within 500 % | median delay | false alarms before % |"
    )
    print("|---|---|---|---|---|---|")
    for shift in (0.5, 1.0, 2.0):
        for quiet, known in ((50, 0), (200, 0), (0, 60), (200, 60)):
            print(f"| {shift:g} | {quiet} | {known} | {delays(shift, quiet, known)} |", flush=True)


if __name__ == "__main__":
    main()
