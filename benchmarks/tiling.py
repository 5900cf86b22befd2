"""Small defects, and images that are not square: what tiles and padding change.

    python benchmarks/tiling.py --data FOLDER [--data FOLDER ...] --out FOLDER [--ways squash pad 2x2 2x2,pad auto]

Every way of preparing images sees the same images and the same good examples, through `oddlens benchmark`'s own evaluation; pixels
are compared at each image's own size. A run that was stopped goes on. "small" are the defective images of the third whose masks
cover the least of the image; good images are all of them. "time" is processor time an image, as a ratio to the first way: the ways
take turns on the same eight images, and the best of five rounds counts.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import oddlens
from oddlens.data import read_mask
from oddlens.data.named import NamedDataset
from oddlens.detector import Detector
from oddlens.evaluation import Benchmark, Plan, RulePicks, open_sources, variants
from oddlens.evaluation.cell_results import CellResult, ImageScore
from oddlens.io.preparation import FITS
from oddlens.metrics import auroc

FIGURES = {"image_auroc": "image AUROC", "pixel_auroc": "pixel AUROC", "pixel_aupro": "pixel AUPRO"}


_TIMED, _ROUNDS = 8, 5


def loaded(arguments: argparse.Namespace, method: str, way: str) -> Detector:
    """The method with images prepared as "2x2,pad" means."""
    fits = [part for part in way.split(",") if part in FITS]
    tiles = [part for part in way.split(",") if part not in FITS]
    return oddlens.load(
        method, arguments.model, device="cpu", tiles=next(iter(tiles), None), fit=next(iter(fits), None)
    )


def fewer(source: NamedDataset, most: int | None) -> NamedDataset:
    """The data set with at most so many test images of each defect type, spread evenly over their names, and all for training."""
    kinds = defaultdict(list)
    for record in sorted(source.dataset.records, key=lambda each: each.image):
        kinds[record.split, record.category, record.defect].append(record)
    kept = []
    for (split, _, _), records in kinds.items():
        count = len(records) if split == "train" or most is None else min(most, len(records))
        kept += [records[round(number * (len(records) - 1) / max(1, count - 1))] for number in range(count)]
    return replace(source, dataset=replace(source.dataset, records=tuple(kept)))


def shares(plan: Plan) -> dict[str, float]:
    """The share of each defective image that its mask covers, by the image's path."""
    return {
        source.relative(record): float(np.mean(read_mask(record) > 0))
        for source in plan.sources
        for record in source.dataset.records
        if record.mask is not None
    }


def small(scores: Sequence[ImageScore], covered: Mapping[str, float]) -> float:
    """The AUROC of good images against the third of the defective ones with the smallest defects."""
    defective = sorted((each for each in scores if each.label == 1), key=lambda each: covered[each.path])
    good = [each for each in scores if each.label == 0]
    some = [*good, *defective[: len(defective) // 3]]
    return auroc([each.label for each in some], [each.score for each in some])


def by_defect(scores: Sequence[ImageScore]) -> dict[str, float]:
    """The AUROC of good images against those of each defect type."""
    good = [each.score for each in scores if each.label == 0]
    kinds = defaultdict(list)
    for each in scores:
        if each.label == 1:
            kinds[each.defect].append(each.score)
    return {name: auroc([0] * len(good) + [1] * len(found), [*good, *found]) for name, found in sorted(kinds.items())}


def measured(arguments: argparse.Namespace, method: str, way: str) -> tuple[dict[str, list[CellResult]], Plan]:
    """The cells of each category, one a draw of the good examples."""
    detector = loaded(arguments, method, way)
    draws = variants([arguments.shots], list(range(arguments.seeds)))
    sources = tuple(fewer(source, arguments.most) for source in open_sources(arguments.data))
    plan = Plan(sources, (detector,), draws, RulePicks(), full_size=True)
    run = Benchmark(plan, arguments.out / f"{method}-{way}")
    run.open()
    for job in run.run():
        print(f"measured {method}, {way}: {job.category}", flush=True)
    found = defaultdict(list)
    for key, cell in run.cells.items():
        found[key.category].append(cell)
    return found, plan


def time_ratios(arguments: argparse.Namespace, method: str) -> dict[tuple[str, str], float]:
    """The processor time of each way, as a ratio to the first one, by category and way."""
    ratios: dict[tuple[str, str], float] = {}
    for source in open_sources(arguments.data):
        for category in source.dataset.categories:
            good = [each.image for each in source.dataset.select(category, "train", 0)][: arguments.shots]
            images = [each.image for each in source.dataset.select(category, "test")][:_TIMED]
            detectors = {}
            for way in arguments.ways:
                detectors[way] = loaded(arguments, method, way)
                detectors[way].add_references(good).detect(images, category)
            best = dict.fromkeys(detectors, float("inf"))
            for _ in range(_ROUNDS):
                for way, detector in detectors.items():
                    started = time.process_time()
                    detector.detect(images, category)
                    best[way] = min(best[way], time.process_time() - started)
            ratios |= {(category, way): spent / best[arguments.ways[0]] for way, spent in best.items()}
    return ratios


def rows(arguments: argparse.Namespace) -> Iterator[list[str]]:
    """The table."""
    yield [
        "category",
        "method",
        "images",
        *FIGURES.values(),
        "small: image AUROC",
        "by defect type: image AUROC",
        "time",
    ]
    for method in arguments.method:
        ratios = time_ratios(arguments, method)
        for way in arguments.ways:
            found, plan = measured(arguments, method, way)
            covered = shares(plan)
            for category, cells in found.items():
                figures = [[float(cell.figures[name] or np.nan) for cell in cells] for name in FIGURES]
                kinds = [by_defect(cell.scores) for cell in cells]
                yield [
                    category,
                    method,
                    way,
                    *(f"{100 * np.mean(values):.1f}" for values in figures),
                    f"{100 * np.mean([small(cell.scores, covered) for cell in cells]):.1f}",
                    ", ".join(f"{name} {100 * np.mean([each[name] for each in kinds]):.1f}" for name in kinds[0]),
                    f"{ratios[category, way]:.1f}",
                ]


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--method", nargs="+", default=["winclip"])
    parser.add_argument("--model")
    parser.add_argument("--ways", nargs="+", default=["squash", "pad", "2x2", "2x2,pad", "auto"])
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--most", type=int, help="test images of each defect type; by default all")
    parser.add_argument("--seeds", type=int, default=3)
    table = list(rows(parser.parse_args()))
    for number, row in enumerate(table):
        print(f"| {' | '.join(row)} |")
        if not number:
            print("|---" * len(row) + "|")


if __name__ == "__main__":
    main()
