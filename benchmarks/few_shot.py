"""Few-shot methods side by side on the embedded model: image AUROC, pixel AUROC and AUPRO with 1, 4 and 16 references.

    python benchmarks/few_shot.py --data FOLDER [--data FOLDER ...] [--method winclip --method patch-knn,recipe=plain ...]

References are good images of train: the first ones by name, and those of three draws (`evaluation.picks`, seeds 0 to 2); a
figure is the mean over the four. Where a category has no more images than are wanted there is one pick; where it has fewer, no
row. Without --method all methods of the registry run that take references and need no weights. Two methods run as one by the
name winclip+patch-knn, with two references or more. A method may have recipe fields behind commas. Each image runs through the
towers once a method. Masks are brought to the map's size by the authors' rule. --time prints the milliseconds an image instead,
one by one with four references: resized, through the towers, scored; not decoded. On a machine that does other work too only
the processors' milliseconds mean something.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import oddlens
from oddlens.cli.settings import recipe_overrides
from oddlens.data import Record, open_dataset, read_mask, resize_mask
from oddlens.data.named import NamedDataset
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.encoding import EncodedBatch, joined
from oddlens.evaluation.picks import RulePicks
from oddlens.io.images import read_image
from oddlens.methods.registry import method_cards
from oddlens.metrics import image_metrics, pixel_metrics

SEEDS = (0, 1, 2)
TIMED = 20


class Figures(NamedTuple):
    """Fractions."""

    image_auroc: float
    pixel_auroc: float
    pixel_aupro: float

    def __str__(self) -> str:
        return " / ".join(f"{100 * value:.1f}" for value in self)


def loaded(method: str) -> Detector:
    """A detector for "NAME[,FIELD=VALUE...]"."""
    name, *settings = method.split(",")
    return oddlens.load(name, device="cpu", **recipe_overrides(settings))


def picks(source: NamedDataset, category: str, shots: int) -> Iterator[tuple[Record, ...]]:
    """The references of each pick."""
    first = tuple(sorted(source.dataset.select(category=category, split="train", label=0), key=lambda each: each.image))
    if len(first) < shots:
        return
    yield first[:shots]
    if len(first) > shots:
        for seed in SEEDS:
            yield RulePicks().of(source, category, seed)[:shots]


def figures(records: Sequence[Record], detections: Sequence[Detection]) -> Figures:
    """Of one category with one pick."""
    maps = [detection.anomaly_map for detection in detections]
    masks = [
        resize_mask(read_mask(record), (each.shape[0], each.shape[1])) if record.mask else np.zeros(each.shape, bool)
        for record, each in zip(records, maps, strict=True)
    ]
    pixels = pixel_metrics(masks, maps)
    image = image_metrics([record.label or 0 for record in records], [detection.score for detection in detections])
    return Figures(image.auroc, pixels.auroc, pixels.aupro)


def measured(detector: Detector, source: NamedDataset, category: str, shots: Sequence[int]) -> dict[int, Figures]:
    """The mean figures of a category by the number of references."""
    records, least = list(source.dataset.select(category=category, split="test")), detector.method.card.needs.least
    encoded = detector.encode([record.image for record in records])
    known: dict[Path, EncodedBatch] = {}
    found: dict[int, Figures] = {}
    for count in (count for count in shots if count >= least):
        each = []
        for pick in picks(source, category, count):
            for record in pick:
                if record.image not in known:
                    known[record.image] = detector.encode_references(record.image)
            other = detector.with_references(joined([known[record.image] for record in pick]))
            each.append(figures(records, other.predict(encoded, category.replace("_", " "))))
        if each:
            found[count] = Figures(*np.mean(each, axis=0).tolist())
    return found


def seconds_each(detector: Detector, source: NamedDataset, category: str, shots: int) -> tuple[float, float]:
    """Seconds an image, one by one, warm: resized, through the towers, scored; by the clock, and of all processors together."""
    images = [record.image for record in source.dataset.select(category=category, split="test")][:TIMED]
    good = [record.image for record in next(picks(source, category, shots))]
    other = detector.with_references(detector.encode_references(good))
    pictures = [read_image(image) for image in images]
    spent = []
    for _ in range(2):  # the first round warms up
        for picture in pictures:
            started, worked = time.perf_counter(), time.process_time()
            other.predict(other.encode_pictures([picture]), category)
            spent.append((time.perf_counter() - started, time.process_time() - worked))
    clock, processors = np.median(spent[len(pictures) :], axis=0).tolist()
    return clock, processors


def main() -> None:
    """Measure, print a table for each number of references."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--method", action="append")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--category", nargs="+", help="only these (a quick run; not for reporting)")
    parser.add_argument("--time", action="store_true", help="only the seconds an image, with four references")
    arguments = parser.parse_args()
    cards = method_cards().values()
    usable = [card.name for card in cards if card.needs.references != "no" and card.needs.weights == "no"]
    sources = [NamedDataset(root.name, open_dataset(root)) for root in arguments.data]
    every = [
        (source, category)
        for source in sources
        for category in source.dataset.categories
        if not arguments.category or category in arguments.category
    ]
    rows: dict[int, list[str]] = defaultdict(list)
    for method in arguments.method or usable:
        detector = loaded(method)
        if arguments.time:
            spent = [seconds_each(detector, source, category, 4) for source, category in every]
            clock, processors = (1000 * np.mean(spent, axis=0)).tolist()
            print(f"{method}: {clock:.0f} ms an image with 4 references, {processors:.0f} ms of processors", flush=True)
            continue
        by_shots: dict[int, list[tuple[str, Figures]]] = defaultdict(list)
        for source, category in every:
            for count, each in measured(detector, source, category, arguments.shots).items():
                by_shots[count].append((category, each))
                print(f"{method}, {category}, {count}: {each}", flush=True)
        for count, found in by_shots.items():
            mean = Figures(*np.mean([each for _, each in found], axis=0).tolist())
            rows[count].append(f"| {method} | {' | '.join(str(each) for _, each in found)} | {mean} |")
            rows[count].insert(0, f"| {count} references | {' | '.join(name for name, _ in found)} | mean |")
    for lines in rows.values():
        heading, table = lines[0], [line for line in lines if not line.startswith(lines[0])]
        print("\n".join(["", heading, "|---" * (heading.count("|") - 1) + "|", *table]))


if __name__ == "__main__":
    main()
