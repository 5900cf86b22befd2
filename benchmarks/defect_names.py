"""How often names of defects are right: by words, and by regions that a user has named.

    python benchmarks/defect_names.py [--data FOLDER ...] [--classes N] [--draws 10] [--model NAME] [--out FILE]

Regions are the true ones, of the masks: what is measured is the naming, not the finding.

By words: defective images of generated classes that the embedded model was never trained on, of the defect types whose words it
was taught; a confusion matrix. By named regions, 1, 3 and 10 a type, drawn at random: the same images, product by product, and the
real defects of the categories of --data, with at most 40 images a type. "right" is of all, whether they are decided or "unknown".
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.synthetic import HELD_OUT_CLASSES, make_product
from lab.synthetic.classes import DEFECTS, defects_of
from oddlens.backbone.load import load_backbone
from oddlens.data import open_dataset, read_mask
from oddlens.detection import Region
from oddlens.detection.regions import mark_where
from oddlens.io.images import read_image
from oddlens.station.defects import UNKNOWN, NamedRegions
from oddlens.teaching.namer import Namer, Names

SHOTS = (1, 3, 10)
MOST = 40
DESIGN = 31
OF_EACH = 14
"""Generated images a type, for named regions."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A defective image, the largest region of its mask, and what the defect is."""

    pixels: NDArray[np.uint8]
    region: Region
    name: str


def sample_of(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], name: str) -> Sample:
    """The sample of an image and its mask."""
    regions = mark_where(mask.astype(np.float32), mask).regions
    return Sample(pixels, max(regions, key=lambda each: each.area), name)


def generated(name: str, each: int) -> list[Sample]:
    """Images of one product, so many of every defect that its class can have."""
    product, samples = make_product(name, DESIGN), []
    for number, defect in enumerate(defects_of(name)):
        for one in range(each):
            made = product.sample(number * each + one, defect=defect)
            samples.append(sample_of(made.image, made.mask, defect))
    return samples


def real(folder: Path, rng: random.Random) -> Iterator[tuple[str, list[Sample]]]:
    """The categories of a data set, with up to `MOST` images of each defect type that has a mask."""
    records = [record for record in open_dataset(folder).records if record.label == 1 and record.mask is not None]
    for category in sorted({record.category for record in records}):
        samples = []
        for defect in sorted({record.defect for record in records if record.category == category}):
            some = [record for record in records if record.category == category and record.defect == defect]
            for record in rng.sample(some, min(MOST, len(some))):
                mask = read_mask(record).astype(bool)
                if mask.any():
                    samples.append(sample_of(read_image(record.image).pixels, mask, defect))
        yield category.replace("_", " "), samples


def best(names: Names) -> tuple[str, bool]:
    """The first name, and whether it is decided."""
    return (names[1][0], False) if names[0][0] == UNKNOWN else (names[0][0], True)


def figures(truth: Sequence[str], found: Sequence[tuple[str, bool]]) -> str:
    """Cells of a table: how many are right if nothing is left open; how many are named, and how many of these are right."""
    right = [name == each for each, (name, _) in zip(truth, found, strict=True)]
    named = [ok for ok, (_, decided) in zip(right, found, strict=True) if decided]
    of_named = f"{100 * np.mean(named):.0f}" if named else "-"
    return f"{100 * np.mean(right):.0f} | {100 * len(named) / len(right):.0f} | {of_named}"


def confusion(truth: Sequence[str], found: Sequence[tuple[str, bool]], names: Sequence[str]) -> Iterator[str]:
    """The confusion matrix: a row a true type, a column a first name, decided or not."""
    counts = Counter((each, name) for each, (name, _) in zip(truth, found, strict=True))
    yield f"| is \\ called | {' | '.join(names)} |"
    yield f"|---|{'---|' * len(names)}"
    for row in names:
        if any(counts[row, column] for column in names):
            yield f"| {row} | {' | '.join(str(counts[row, column] or '') for column in names)} |"


def by_named_regions(namer: Namer, samples: Sequence[Sample], shots: int, draws: int, rng: random.Random) -> str | None:
    """Cells of a table, of all draws; None where a type has too few images to be shown and asked for."""
    names = sorted({sample.name for sample in samples})
    features = np.stack([namer.features(sample.pixels, [sample.region])[0] for sample in samples])
    of = {name: [number for number, sample in enumerate(samples) if sample.name == name] for name in names}
    if min(len(each) for each in of.values()) <= shots:
        return None
    truth: list[str] = []
    found: list[tuple[str, bool]] = []
    for _ in range(draws):
        shown = [number for name in names for number in rng.sample(of[name], shots)]
        known = NamedRegions(tuple(samples[number].name for number in shown), features[shown])
        asked = [number for number in range(len(samples)) if number not in set(shown)]
        found += map(best, namer.by_regions(features[asked], known))
        truth += [samples[number].name for number in asked]
    return figures(truth, found)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", default=[])
    parser.add_argument("--model")
    parser.add_argument("--classes", type=int, default=len(HELD_OUT_CLASSES))
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    backbone, rng = load_backbone(arguments.model, device="cpu"), random.Random(0)
    lines: list[str] = []

    def tell(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    sets = {f"{name} (generated)": generated(name, OF_EACH) for name in HELD_OUT_CLASSES[: arguments.classes]}
    if backbone.has_text:
        truth: list[str] = []
        found: list[tuple[str, bool]] = []
        for name, samples in sets.items():
            namer = Namer(backbone, DEFECTS, name.removesuffix(" (generated)"))
            for sample in samples[:: OF_EACH // 4]:
                truth.append(sample.name)
                found.append(best(namer.names(sample.pixels, [sample.region])[0]))
        tell(f"\nBy words: {len(truth)} images, {len(DEFECTS)} names\n")
        for line in confusion(truth, found, DEFECTS):
            tell(line)
        tell("\n| right % | named % | right of the named % |\n|---|---|---|")
        tell(f"| {figures(truth, found)} |")
    for folder in arguments.data:
        sets |= dict(real(folder, rng))
    tell("\n| by named regions | types | shown of each | right % | named % | right of the named % |")
    tell("|---|---|---|---|---|---|")
    for name, samples in sets.items():
        for shots in SHOTS:
            cells = by_named_regions(Namer(backbone), samples, shots, arguments.draws, rng)
            if cells is not None:
                tell(f"| {name} | {len({sample.name for sample in samples})} | {shots} | {cells} |")
    if arguments.out is not None:
        arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
