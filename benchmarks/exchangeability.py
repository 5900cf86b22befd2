"""Whether the product notices that references do not stand for the line, and what the learning state makes of it, on real images.

    python benchmarks/exchangeability.py --data FOLDER [--data FOLDER ...] [--draws 50] [--seed 0]

Every category with at least 120 good images. References are taken together (so many images that follow one another by name, from
every place on that many further) or at random. 60 images of the others are drawn at random, as a station that is learning draws
them, and `compare` tests whether the references stand for them. The false-alarm rate of the threshold that the references give is
measured on the rest.

"broken": the measured rate is more than twice the declared one; "noticed": in how many of those cases the product says that the
promise does not hold; "warned": in how many of all cases. The last lines calibrate on the 60 instead: declared and measured rates.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from false_alarms import rate_above
from vetting import Vetted

import oddlens
from oddlens.calibration import compare_observed, usual_rate
from oddlens.calibration.conformal import mean_rate, rank_for
from oddlens.data import open_dataset
from oddlens.detector import Detector

COUNTS = (4, 8, 16, 32)
SAMPLED = 60
LEAST_GOOD = 120


def outcome(category: Vetted, references: Sequence[int], rng: random.Random) -> tuple[float, float, bool, float]:
    """Declared rate, measured rate, whether it was said that the promise does not hold, and the rate after learning."""
    rest = [number for number in range(category.good) if number not in set(references)]
    sample = rng.sample(rest, SAMPLED)
    to_come = [number for number in rest if number not in set(sample)]
    known, later = category.observed(references), category.observed(sample, references)
    rank = rank_for(len(references), usual_rate(len(references)))
    scores = category.scores(to_come, references)
    measured = rate_above(scores, sorted(known.scores)[rank - 1])
    learned = sorted(later.scores)[rank_for(SAMPLED, usual_rate(SAMPLED)) - 1]
    refuted = compare_observed(known, later).is_refuted
    return mean_rate(len(references), rank), measured, refuted, rate_above(scores, learned)


def row(name: str, category: Vetted, how: str, picks: Iterable[Sequence[int]], rng: random.Random) -> str:
    """One line of the table."""
    found = [outcome(category, references, rng) for references in picks]
    declared, measured = found[0][0], np.array([each[1] for each in found])
    broken = [each for each in found if each[1] > 2 * each[0]]
    noticed = f"{sum(each[2] for each in broken)} of {len(broken)}"
    warned = np.mean([each[2] for each in found])
    learned = np.array([each[3] for each in found])
    cells = [
        f"{name}, {how}", str(len(found)), f"{100 * declared:.1f}", f"{100 * measured.mean():.1f}", noticed, f"{100 * warned:.0f}",
        f"{100 * learned.mean():.1f} ± {100 * learned.std(ddof=1) / len(learned) ** 0.5:.1f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def report(detector: Detector, folder: Path, draws: int, seed: int) -> Iterator[str]:
    """The lines of a data set."""
    records = open_dataset(folder).records
    for name in sorted({record.category for record in records}):
        good = sorted(record.image for record in records if record.category == name and record.label == 0)
        if len(good) < LEAST_GOOD:
            continue
        rng = random.Random(seed)
        category = Vetted(detector, good, [], name.replace("_", " "))
        for count in COUNTS:
            together = [range(first, first + count) for first in range(0, len(good) - count + 1, count)]
            yield row(name, category, f"{count} taken together", together, rng)
            yield row(
                name, category, f"{count} at random", (rng.sample(range(len(good)), count) for _ in range(draws)), rng
            )


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--method", default="winclip")
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    detector = oddlens.load(arguments.method, device="cpu")
    print(
        f"| references | cases | declared % | measured % | broken and noticed | warned % | after learning from {SAMPLED} "
        f"({100 * usual_rate(SAMPLED):.0f} declared) % |"
    )
    print("|---|---|---|---|---|---|---|")
    for folder in arguments.data:
        for line in report(detector, folder, arguments.draws, arguments.seed):
            print(line, flush=True)


if __name__ == "__main__":
    main()
