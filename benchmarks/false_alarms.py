"""False alarms on unseen good images against the rate that a calibration declares, on real images.

    python benchmarks/false_alarms.py --data FOLDER [--data FOLDER ...] [--methods winclip] [--splits 200] [--out FILE]

Every category with at least 60 good images counts, whether they lie in train or in test. Each image runs through the towers once.
Then, for each of the random splits: 4 references and n calibration images, at the n that the rule asks for of each rate, and all
other good images as the parts to come ("split"); and 4, 8, 16, 32 references that are calibrated by leave-one-out. Where a
method takes no references its scores are zero-shot, and only "split" is made. The last rows take the references first by name
instead, as people do who take images in one go.

A row says: the rate declared (what the rank promises, at most), the mean rate over the splits with its standard error, the tenth
and ninetieth percentile of single splits, and the share of splits that exceed the 95 % statement on their very calibration set;
then the share of (up to 30) defective images that are called NG. What good images are to come is a finite lot: single splits
scatter more than the calibration alone would make them.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import oddlens
from oddlens.calibration import usual_rate
from oddlens.calibration.conformal import declared_bound, mean_rate, rank_for
from oddlens.data import open_dataset
from oddlens.detector import Detector
from oddlens.methods.base import tensors_of
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.scoring import ScoringMethod

SPLIT_SIZES = {0.01: 100, 0.05: 20, 0.10: 9}
"""How many calibration images each rate is measured with: those that the rule asks for."""

LEAVE_ONE_OUT = (4, 8, 16, 32)
REFERENCES = 4
LEAST_GOOD = 60
MOST_DEFECTS = 30
BATCH = 8
TOGETHER = 32

Scores = NDArray[np.float64]


class DistanceTable(MemoryBank):
    """A memory bank that looks distances up: every image of a category against every other one, computed once.

    tables: float32 [images, images, rows] by name. filled: which rows an image has, the others fill up smaller ones: [images, rows]
    by name. queries: the numbers of the images that `distance` is asked about, whatever features it is given; they have the same
    rows. known: of the references.
    """

    def __init__(
        self,
        tables: Mapping[str, Tensor],
        filled: Mapping[str, Tensor],
        queries: Sequence[int] = (),
        known: Sequence[int] = (),
    ) -> None:
        super().__init__({})
        self._tables, self._filled, self._queries, self._known = tables, filled, list(queries), list(known)

    @classmethod
    def of(cls, method: ScoringMethod, features: Mapping[str, Tensor]) -> DistanceTable:
        """The table of all images, each of which is remembered alone once."""
        count = len(next(iter(features.values())))
        tables, cells, filled = dict[str, Tensor](), dict[str, Tensor](), dict[str, Tensor]()
        for one in range(count):
            alone = method.fit({name: value[one : one + 1] for name, value in features.items()})
            assert isinstance(alone, MemoryBank)
            for name in alone.names:
                if name not in tables:
                    cells[name] = features[name].flatten(1, -2)  # of a grid of rows and columns, too
                    filled[name] = cells[name].ne(0).any(dim=2)
                    tables[name] = torch.zeros(count, count, cells[name].shape[1])
                for first in range(0, count, TOGETHER):
                    some = slice(first, first + TOGETHER)
                    there = filled[name][some]
                    tables[name][some, one][there] = alone.distance(name, cells[name][some][there][None])[0]
        return cls(tables, filled)

    def between(self, queries: Sequence[int], known: Sequence[int]) -> DistanceTable:
        """The bank of some images, for others; an image that is on both sides is not compared with itself."""
        return DistanceTable(self._tables, self._filled, queries, known)

    def distance(self, name: str, queries: Tensor, exclude: Tensor | None = None, *, neighbours: int = 1) -> Tensor:
        """See `MemoryBank`; of the nearest row alone."""
        assert neighbours == 1
        there = self._filled[name][self._queries[0]]
        assert int(there.sum()) == queries.shape[1]
        asked, known = torch.tensor(self._queries)[:, None], torch.tensor(self._known)
        table = self._tables[name][asked, known]
        own = asked == known
        table[own] = torch.inf
        return table.amin(dim=1)[:, there]


@dataclass
class Row:
    """One line of the table: what was declared, and what each split gave."""

    name: str
    declared: float
    bound: float
    alarms: list[float]
    found: list[float]

    def __str__(self) -> str:
        rates = 100 * np.array(self.alarms)
        measured, spread = f"{rates.mean():.1f}", "-"
        if len(rates) > 1:
            low, high = np.percentile(rates, (10, 90))
            measured += f" ± {rates.std(ddof=1) / len(rates) ** 0.5:.1f}"
            spread = f"{low:.0f} to {high:.0f}"
        beyond = f"{100 * np.mean(rates / 100 > self.bound):.1f}"
        found = f"{100 * np.mean(self.found):.1f}" if self.found else "-"
        return f"| {' | '.join((self.name, f'{100 * self.declared:.1f}', measured, spread, beyond, found))} |"


class Category:
    """The good and defective images of a category, encoded, and their scores against any references."""

    def __init__(self, detector: Detector, good: Sequence[Path], bad: Sequence[Path], name: str) -> None:
        self.good, self.bad = len(good), len(bad)
        self._detector, self._name = detector, name
        self._encoded = detector.encode([*good, *bad])
        self._text = detector.method.encode_prompts(name)
        takes_references = detector.no_references is None
        self._table = (
            DistanceTable.of(detector.method, tensors_of(self._encoded.features)) if takes_references else None
        )
        self._alone = None if takes_references else self._scores(range(self.good + self.bad), None)

    @torch.inference_mode()
    def _scores(self, numbers: Sequence[int], known: Sequence[int] | None) -> Scores:
        found = np.empty(len(numbers))
        for places in self._batches(numbers):
            some = [numbers[place] for place in places]
            features = {name: value[some] for name, value in self._encoded.features.items()}
            memory = None if known is None or self._table is None else self._table.between(some, known)
            found[places] = self._detector.method.score(features, self._text, memory).scores.double().numpy()
        return found

    def _batches(self, numbers: Sequence[int]) -> Iterator[list[int]]:
        """The places of images of one size each; where the model takes all at one size, of any."""
        layouts = [value for value in self._encoded.features.values() if value.ndim == 2 and value.dtype == torch.int64]
        groups = dict[tuple[int, ...], list[int]]()
        for place, number in enumerate(numbers):
            groups.setdefault(tuple(n for layout in layouts for n in layout[number].tolist()), []).append(place)
        for group in groups.values():
            yield from (group[first : first + BATCH] for first in range(0, len(group), BATCH))

    def scores(self, numbers: Sequence[int], known: Sequence[int]) -> Scores:
        """The scores of some images against references; of one of those against the others."""
        if self._alone is not None:
            return self._alone[list(numbers)]
        return self._scores(numbers, known)

    @property
    def defects(self) -> range:
        """The numbers of the defective images."""
        return range(self.good, self.good + self.bad)


def rate_above(scores: Scores, threshold: float) -> float:
    """The share of scores that exceed a threshold."""
    return float(np.mean(scores > threshold))


def split_rows(category: Category, splits: int, few_shot: bool, rng: random.Random) -> Iterator[Row]:
    """Calibration images that are no references."""
    rows = {
        rate: Row(
            f"split, {size} calibration images" + (f", {REFERENCES} references" if few_shot else ""),
            mean_rate(size, rank_for(size, rate)), declared_bound(size, rank_for(size, rate)), [], [],
        )
        for rate, size in SPLIT_SIZES.items()
    }  # fmt: skip
    for _ in range(splits):
        order = rng.sample(range(category.good), category.good)
        references, others = (order[:REFERENCES], order[REFERENCES:]) if few_shot else ([], order)
        good = category.scores(others, references)
        bad = category.scores(category.defects, references) if category.bad else np.zeros(0)
        for rate, size in SPLIT_SIZES.items():
            if size + 10 > len(others):
                continue
            threshold = float(np.sort(good[:size])[rank_for(size, rate) - 1])
            rows[rate].alarms.append(rate_above(good[size:], threshold))
            if category.bad:
                rows[rate].found.append(rate_above(bad, threshold))
    return (row for row in rows.values() if row.alarms)


def leave_one_out_row(
    category: Category, picks: Iterable[tuple[Sequence[int], Sequence[int]]], name: str
) -> Row | None:
    """References against each other, and the images to come against all of them. picks: references and good images to come."""
    row: Row | None = None
    for references, to_come in picks:
        count = len(references)
        rate = usual_rate(count)
        rank = rank_for(count, rate)
        row = row or Row(name, mean_rate(count, rank), declared_bound(count, rank), [], [])
        own = category.scores(references, references)
        threshold = float(np.sort(own)[rank - 1])
        row.alarms.append(rate_above(category.scores(to_come, references), threshold))
        if category.bad:
            row.found.append(rate_above(category.scores(category.defects, references), threshold))
    return row


def report(detector: Detector, folder: Path, category: str, splits: int, seed: int) -> Iterator[str]:
    """The table of one category."""
    records = [record for record in open_dataset(folder).records if record.category == category]
    good = sorted(record.image for record in records if record.label == 0)
    bad = sorted(record.image for record in records if record.label == 1)
    if len(good) < LEAST_GOOD:
        return
    rng = random.Random(seed)
    bad = sorted(rng.sample(bad, min(MOST_DEFECTS, len(bad))))
    few_shot = detector.no_references is None
    measured = Category(detector, good, bad, category.replace("_", " "))
    yield f"\n{category}, {detector.name}{'' if few_shot else ' (zero-shot)'}: {len(good)} good images, {len(bad)} defective ones\n"
    yield "| calibration | declared % | measured % | 10th to 90th | beyond the 95 % statement % | defects found % |"
    yield "|---|---|---|---|---|---|"
    yield from map(str, split_rows(measured, splits, few_shot, rng))
    if not few_shot:
        return
    for count in LEAVE_ONE_OUT:
        orders = (rng.sample(range(len(good)), len(good)) for _ in range(splits))
        picks = ((order[:count], order[count : count + 100]) for order in orders)
        yield str(leave_one_out_row(measured, picks, f"leave-one-out, {count} references"))
    for count in LEAVE_ONE_OUT:
        pick = [(range(count), range(count, len(good)))]
        yield str(leave_one_out_row(measured, pick, f"leave-one-out, the first {count} by name"))


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--methods", nargs="+", default=["winclip"])
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    lines: list[str] = []
    for method in arguments.methods:
        detector = oddlens.load(method, device="cpu", runtime="torch")  # whose distances are looked up
        for folder in arguments.data:
            for category in sorted({record.category for record in open_dataset(folder).records}):
                for line in report(detector, folder, category, arguments.splits, arguments.seed):
                    print(line, flush=True)
                    lines.append(line)
    if arguments.out is not None:
        arguments.out.write_text("\n".join(lines) + "\n")
    if not lines:
        sys.exit(f"no category has {LEAST_GOOD} good images")


if __name__ == "__main__":
    main()
