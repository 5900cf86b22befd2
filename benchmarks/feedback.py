"""What feedback does to a station: false alarms and misses before and after ten corrections, by what becomes of them.

    python benchmarks/feedback.py [--data FOLDER ...] [--generated CLASS ...] [--draws 10] [--out FILE]

A station has 8 references, drawn at random or taken together (the first ones by name), and calls NG what scores above the largest
of their leave-one-out scores. Half of the other good images and half of the defective ones pass by in random order; the other
halves are what is measured. Of those that pass, the first ten good ones that are called NG are corrected ("flagged"), and the
first ten defective ones that are called NG are marked as defects. Then:

    start                             nothing is changed
    memory, threshold left alone      the flagged ones join the memory; the threshold stays: what 'oddlens station learn' does
    memory, threshold made anew       the same, and the first references' leave-one-out scores make it again, flagged ones among
                                      their memory
    memory and calibration            the flagged ones join both: all references make the threshold
    ten random good ones              ten of the good ones that pass by, drawn at random, join both
    memory, defects                   the flagged ones join the memory, the marked defects become a second one
                                      ('station learn --defect-memory'); the threshold is that of the first references beside it

Features are computed once for each image. Figures are percent: mean over the draws; "random" has --draws draws of references and of
what passes by, "together" as many of the latter.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import oddlens
from lab.synthetic import make_product
from lab.synthetic.classes import defects_of
from oddlens.data import open_dataset
from oddlens.detector import Detector
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.metrics import auroc
from oddlens.teaching.defect_memory import defect_rows

REFERENCES = 8
CORRECTIONS = 10
DESIGN = 23
BATCH = 16

Scores = NDArray[np.float64]


class Table(MemoryBank):
    """A memory bank that looks distances up: of every image of a category to every good one, computed once.

    queries: the numbers of the images that `distance` is asked about, whatever features it is given. known: of those in the memory;
    one that is on both sides is not compared with itself.
    """

    def __init__(self, tables: Mapping[str, Tensor], queries: Sequence[int], known: Sequence[int]) -> None:
        super().__init__({})
        self._tables, self._queries, self._known = tables, list(queries), list(known)

    def _distance(self, name: str, queries: Tensor, exclude: Tensor | None, neighbours: int) -> Tensor:
        assert neighbours == 1
        assert exclude is None
        table = self._tables[name][self._queries][:, self._known].float()
        own = torch.tensor(self._queries)[:, None] == torch.tensor(self._known)
        table[own] = torch.inf
        return table.amin(dim=1)

    def beside(self, defects: MemoryBank) -> Table:
        """See `MemoryBank.beside_defects`."""
        other = Table(self._tables, self._queries, self._known)
        other._defects = defects
        return other


class Category:
    """The images of a category, good ones first, and their scores against any memory."""

    def __init__(self, detector: Detector, good: Sequence[object], bad: Sequence[object], name: str) -> None:
        self.name, self.good, self.bad = name, len(good), len(bad)
        self._method = detector.method
        self._features = detector.encode([*good, *bad]).features  # type: ignore[list-item]
        self._text = detector.method.encode_prompts(name)
        bank, count = detector.method.fit(self._features), len(good) + len(bad)
        assert isinstance(bank, MemoryBank)
        self._rows = {key: bank.rows(key).view(count, -1, bank.rows(key).shape[1]) for key in bank.names}
        self._tables = {key: self._table(key) for key in bank.names}

    def _table(self, name: str) -> Tensor:
        values = self._rows[name]
        table = torch.empty(len(values), self.good, values.shape[1], dtype=torch.float16)
        for one in range(self.good):
            alone = MemoryBank({name: values[one : one + 1]})
            for first in range(0, len(values), BATCH):
                table[first : first + BATCH, one] = alone.distance(name, values[first : first + BATCH])
        return table

    @torch.inference_mode()
    def scores(self, numbers: Sequence[int], known: Sequence[int], defects: MemoryBank | None = None) -> Scores:
        """The scores of some images against a memory; of one of it against the others."""
        parts: list[Scores] = []
        for first in range(0, len(numbers), BATCH):
            some = list(numbers[first : first + BATCH])
            table = Table(self._tables, some, known)
            memory = table if defects is None else table.beside(defects)
            features = {name: value[some] for name, value in self._features.items()}
            parts.append(self._method.score(features, self._text, memory).scores.double().numpy())
        return np.concatenate(parts)

    @torch.inference_mode()
    def defect_memory(self, numbers: Sequence[int], known: Sequence[int]) -> MemoryBank | None:
        """The second memory of some defective images."""
        if not numbers:
            return None
        parts = [
            defect_rows(
                Table(self._tables, [number], known),
                MemoryBank({name: value[number : number + 1] for name, value in self._rows.items()}),
            )
            for number in numbers
        ]
        return MemoryBank.of_rows({name: torch.cat([part[name] for part in parts]) for name in self._tables})


Rule = Callable[["Station"], tuple[Sequence[int], float, MemoryBank | None]]


class Station:
    """A category's station at its start, and what passed by and was marked."""

    def __init__(self, category: Category, references: Sequence[int], rng: random.Random) -> None:
        self.category, self.references = category, list(references)
        good = rng.sample(sorted(set(range(category.good)) - set(references)), category.good - len(references))
        bad = rng.sample(range(category.good, category.good + category.bad), category.bad)
        passing, self.good = good[: len(good) // 2], good[len(good) // 2 :]
        passing_bad, self.bad = bad[: len(bad) // 2], bad[len(bad) // 2 :]
        self.threshold = float(category.scores(self.references, self.references).max())
        flagged = category.scores(passing, self.references) > self.threshold
        self.flagged = [number for number, each in zip(passing, flagged, strict=True) if each][:CORRECTIONS]
        found = category.scores(passing_bad, self.references) > self.threshold
        self.marked = [number for number, each in zip(passing_bad, found, strict=True) if each][:CORRECTIONS]
        self.random = rng.sample(passing, min(CORRECTIONS, len(passing)))

    def largest(self, images: Sequence[int], known: Sequence[int], defects: MemoryBank | None = None) -> float:
        """The largest leave-one-out score of some images."""
        return float(self.category.scores(images, known, defects).max())

    def measured(self, rule: Rule) -> tuple[float, float, float]:
        """False alarms, misses, and image AUROC by a rule, in percent."""
        known, threshold, defects = rule(self)
        good = self.category.scores(self.good, known, defects)
        bad = self.category.scores(self.bad, known, defects)
        area = auroc([0] * len(good) + [1] * len(bad), [*good, *bad])
        return 100 * float(np.mean(good > threshold)), 100 * float(np.mean(bad <= threshold)), 100 * area


def _memory(at: Station) -> tuple[Sequence[int], float, MemoryBank | None]:
    return [*at.references, *at.flagged], at.threshold, None


def _anew(at: Station) -> tuple[Sequence[int], float, MemoryBank | None]:
    known = [*at.references, *at.flagged]
    return known, at.largest(at.references, known), None


def _both(at: Station) -> tuple[Sequence[int], float, MemoryBank | None]:
    known = [*at.references, *at.flagged]
    return known, at.largest(known, known), None


def _random(at: Station) -> tuple[Sequence[int], float, MemoryBank | None]:
    known = [*at.references, *at.random]
    return known, at.largest(known, known), None


def _defects(at: Station) -> tuple[Sequence[int], float, MemoryBank | None]:
    known = [*at.references, *at.flagged]
    defects = at.category.defect_memory(at.marked, known)
    return known, at.largest(at.references, at.references, defects), defects


RULES: dict[str, Rule] = {
    "start": lambda at: (at.references, at.threshold, None),
    "memory, threshold left alone": _memory,
    "memory, threshold made anew": _anew,
    "memory and calibration": _both,
    "ten random good ones": _random,
    "memory, defects": _defects,
}


def report(category: Category, draws: int, seed: int) -> Iterator[str]:
    """The table of one category."""
    rng = random.Random(seed)
    yield f"\n{category.name}: {category.good} good images, {category.bad} defective ones\n"
    yield "| rule | references at random: false alarms / misses, AUROC | taken together |"
    yield "|---|---|---|"
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    counts: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for _ in range(draws):
        for way in ("random", "together"):
            picked = rng.sample(range(category.good), REFERENCES) if way == "random" else range(REFERENCES)
            station = Station(category, picked, rng)
            counts[way].append((len(station.flagged), len(station.marked)))
            for name, rule in RULES.items():
                found[name, way].append(station.measured(rule))
    for name in RULES:
        cells = []
        for way in ("random", "together"):
            alarms, misses, area = np.mean(found[name, way], axis=0)
            cells.append(f"{alarms:.1f} / {misses:.1f}, {area:.1f}")
        yield f"| {name} | {' | '.join(cells)} |"
    marked = [" and ".join(f"{mean:.1f}" for mean in np.mean(counts[way], axis=0)) for way in ("random", "together")]
    yield f"| good ones corrected and defects marked, mean | {' | '.join(marked)} |"


def of_data(folder: Path, most: Sequence[int], rng: random.Random) -> Iterator[tuple[str, list[Path], list[Path]]]:
    """The categories of a data set with enough images, in the order of their names."""
    records = open_dataset(folder).records
    for category in sorted({record.category for record in records}):
        good, bad = (
            sorted(record.image for record in records if record.category == category and record.label == label)
            for label in (0, 1)
        )
        if len(good) >= 40 and len(bad) >= 20:
            good = sorted(rng.sample(good, min(most[0], len(good))))
            yield category, good, sorted(rng.sample(bad, min(most[1], len(bad))))


def generated(name: str) -> tuple[str, list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """A generated product."""
    product = make_product(name, DESIGN)
    kinds = list(defects_of(name))
    good = [product.sample(number, False).image for number in range(120)]
    bad = [product.sample(120 + number, defect=kinds[number % len(kinds)]).image for number in range(90)]
    return f"{name} (generated)", good, bad


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", default=[])
    parser.add_argument("--generated", action="append", default=[])
    parser.add_argument("--method", default="winclip", help="of the nearest good example: winclip or patch-knn")
    parser.add_argument("--most", type=int, nargs=2, default=[160, 100], metavar=("GOOD", "BAD"))
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    squeezed: dict[str, Any] = (
        {"aspect": False} if arguments.method == "patch-knn" else {}
    )  # all images have as many rows
    detector = oddlens.load(arguments.method, device="cpu", runtime="torch", **squeezed)
    lines: list[str] = []
    rng = random.Random(arguments.seed)
    sets = [each for folder in arguments.data for each in of_data(folder, arguments.most, rng)]
    every: list[tuple[str, Sequence[object], Sequence[object]]] = [*sets, *map(generated, arguments.generated)]
    for name, good, bad in every:
        category = Category(detector, good, bad, name.replace("_", " "))
        for line in report(category, arguments.draws, arguments.seed):
            print(line, flush=True)
            lines.append(line)
    if arguments.out is not None:
        arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
