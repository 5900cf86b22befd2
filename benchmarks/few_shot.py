"""Few-shot methods side by side on the embedded model: image AUROC, pixel AUROC and AUPRO with 1, 4 and 16 references.

    python benchmarks/few_shot.py --data FOLDER [--data FOLDER ...] [--method winclip --method patch-knn,recipe=plain ...]

References are good images of train: the first ones by name, and those of three draws (`evaluation.picks`, seeds 0 to 2); a
figure is the mean over the four. Where a category has no more images than are wanted there is one pick; where it has fewer, no
row. Without --method all methods of the registry run that take references and need no weights. Two methods run as one by the
name winclip+patch-knn, with two references or more. A method may have recipe fields behind commas. Each image runs through the
towers once a method. Masks are brought to the map's size by the authors' rule. --out FILE keeps each row as a line of JSON: a run
that was stopped goes on with the same command, and does not measure again what is there. --most N takes N test images of a larger
category, good and defective ones in their shares, drawn by a seed. --leave-out-copies leaves out test images that are files of
train. --time prints the milliseconds an image instead, one by one with four references: resized, through the towers, scored; not
decoded. On a machine that does other work too only the processors' milliseconds mean something.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
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


def test_images(source: NamedDataset, category: str, most: int | None) -> list[Record]:
    """The test images of a category: all, or so many, good and defective ones in their shares."""
    every = list(source.tests(category))
    if most is None or len(every) <= most:
        return every
    drawn: set[int] = set()
    for label in (0, 1):
        numbers = [number for number, record in enumerate(every) if (record.label or 0) == label]
        drawn |= set(random.Random(0).sample(numbers, round(most * len(numbers) / len(every))))
    return [every[number] for number in sorted(drawn)]


def measured(
    detector: Detector, source: NamedDataset, category: str, records: Sequence[Record], shots: Sequence[int]
) -> Iterator[tuple[int, Figures]]:
    """The mean figures of a category by the number of references, where it has so many."""
    encoded: EncodedBatch | None = None
    known: dict[Path, EncodedBatch] = {}
    for count in shots:
        each = []
        for pick in picks(source, category, count):
            encoded = encoded or detector.encode([record.image for record in records])
            for record in pick:
                if record.image not in known:
                    known[record.image] = detector.encode_references(record.image)
            other = detector.with_references(joined([known[record.image] for record in pick]))
            each.append(figures(records, other.predict(encoded, category.replace("_", " "))))
        if each:
            yield count, Figures(*np.mean(each, axis=0).tolist())


class Rows:
    """Figures by method, category and number of references; a file keeps them."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._found: dict[str, Figures] = {}
        for line in file.read_text(encoding="utf-8").splitlines() if file and file.exists() else []:
            try:
                key, values = json.loads(line)
            except ValueError:  # the run was stopped while it wrote it
                continue
            self._found[json.dumps(key)] = Figures(*values)

    def get(self, key: Sequence[object]) -> Figures | None:
        """None: not measured."""
        return self._found.get(json.dumps(key))

    def put(self, key: Sequence[object], found: Figures) -> None:
        """Keep it."""
        self._found[json.dumps(key)] = found
        if self._file:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"\n{json.dumps([key, found])}")  # behind what may be half a line


def table(rows: Rows, shots: int, keys: dict[str, dict[str, list[object]]]) -> list[str]:
    """A table of a number of references. keys: of its figures, by method and category."""
    found = {name: {each: rows.get(key) for each, key in by.items()} for name, by in keys.items()}
    names = [each for each in next(iter(found.values())) if any(by[each] for by in found.values())]
    lines = [f"\n| {shots} references | {' | '.join(names)} | mean |", "|---" * (len(names) + 2) + "|"]
    for method, by in found.items():
        cells = [by[each] for each in names]
        known = [each for each in cells if each]
        mean = Figures(*np.mean(known, axis=0).tolist()) if len(known) == len(cells) else None
        if known:
            lines.append(f"| {method} | {' | '.join(str(each or '-') for each in [*cells, mean])} |")
    return lines if names else []


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
    parser.add_argument("--most", type=int, metavar="N", help="test images a category at most")
    parser.add_argument("--leave-out-copies", action="store_true", help="test images that are files of train")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where rows are kept")
    parser.add_argument("--time", action="store_true", help="only the seconds an image, with four references")
    arguments = parser.parse_args()
    cards = method_cards().values()
    usable = [card.name for card in cards if card.needs.references != "no" and card.needs.weights == "no"]
    sources = [NamedDataset(root.name, open_dataset(root)) for root in arguments.data]
    if arguments.leave_out_copies:
        sources = [source.without_copies() for source in sources]
    every = [
        (source, category)
        for source in sources
        for category in source.dataset.categories
        if not arguments.category or category in arguments.category
    ]
    methods: list[str] = arguments.method or usable
    rows = Rows(arguments.out)
    keys: dict[int, dict[str, dict[str, list[object]]]] = {count: {} for count in arguments.shots}
    for method in methods:
        detector = loaded(method)
        if arguments.time:
            spent = [seconds_each(detector, source, category, 4) for source, category in every]
            clock, processors = (1000 * np.mean(spent, axis=0)).tolist()
            print(f"{method}: {clock:.0f} ms an image with 4 references, {processors:.0f} ms of processors", flush=True)
            continue
        made = sha256(json.dumps(detector.identity.to_dict(), sort_keys=True).encode()).hexdigest()
        least = detector.method.card.needs.least
        for source, category in every:
            records = test_images(source, category, arguments.most)
            key = {count: [method, made, source.name, category, len(records), count] for count in arguments.shots}
            for count in arguments.shots:
                keys[count].setdefault(method, {})[category] = key[count]
            wanted = [count for count in arguments.shots if count >= least and not rows.get(key[count])]
            for count, found in measured(detector, source, category, records, wanted):
                rows.put(key[count], found)
                print(f"{method}, {category}, {count}: {found}", flush=True)
    if not arguments.time:
        for count, by_method in keys.items():
            print("\n".join(table(rows, count, by_method)))


if __name__ == "__main__":
    main()
