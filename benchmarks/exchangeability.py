"""Whether the product notices that references do not stand for the line, and what the learning state makes of it, on real images.

    python benchmarks/exchangeability.py --data FOLDER [--data FOLDER ...] [--draws 50] [--seed 0]

Every category with at least 120 good images. References are taken together (so many images that follow one another by name, from
every place on that many further) or at random. 60 images of the others are drawn at random, as a station that is learning draws
them, and `compare` tests whether the references stand for them. The false-alarm rate of the threshold that the references give is
measured on the rest.

"broken": the measured rate is more than twice the declared one; "noticed": in how many of those cases the product says that the
promise does not hold; "warned": in how many of all cases; "in vain": of those that are not broken. "best limit": how many any limit
on what is counted, the share of the 60 that the threshold calls NG, could notice if it were known which cases are broken, and at
most 10 % of the random references that are not broken were warned of. The last column calibrates on the 60 instead: the measured
rate.

What is counted, and from when on it is called too much, was chosen on embeddings of other real images (VisA's good ones, in the
order of their names), before it was run on bsdata and magnetic_tile.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

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
IN_VAIN = 0.1


class Case(NamedTuple):
    """What references gave.

    declared, measured: False-alarm rates. counted: The share of the sampled images above the threshold. warned: Whether the product
    says that the promise does not hold. learned: The measured rate of a calibration on the sample.
    """

    declared: float
    measured: float
    counted: float
    warned: bool
    learned: float

    @property
    def broken(self) -> bool:
        """Whether the promise was."""
        return self.measured > 2 * self.declared


def outcome(category: Vetted, references: Sequence[int], rng: random.Random) -> Case:
    """References, a sample of the others, and what is to come."""
    rest = [number for number in range(category.good) if number not in set(references)]
    sample = rng.sample(rest, SAMPLED)
    to_come = [number for number in rest if number not in set(sample)]
    known, later = category.observed(references), category.observed(sample, references)
    rank = rank_for(len(references), usual_rate(len(references)))
    threshold = sorted(known.scores)[rank - 1]
    scores = category.scores(to_come, references)
    learned = sorted(later.scores)[rank_for(SAMPLED, usual_rate(SAMPLED)) - 1]
    return Case(
        mean_rate(len(references), rank),
        rate_above(scores, threshold),
        rate_above(np.array(later.scores), threshold),
        compare_observed(known, later, rank).is_refuted,
        rate_above(scores, learned),
    )


def best_limit(together: Sequence[Case], at_random: Sequence[Case]) -> int:
    """How many broken cases a limit on what is counted could notice."""
    held = np.sort([case.counted for case in at_random if not case.broken])
    limit = held[len(held) - 1 - int(IN_VAIN * len(held))]
    return sum(case.broken and case.counted > limit for case in together)


def row(name: str, cases: Sequence[Case], at_random: Sequence[Case]) -> str:
    """One line of the table."""
    broken = [case for case in cases if case.broken]
    held = [case for case in cases if not case.broken]
    learned = np.array([case.learned for case in cases])
    cells = [
        name, str(len(cases)), f"{100 * cases[0].declared:.1f}", f"{100 * np.mean([case.measured for case in cases]):.1f}",
        f"{sum(case.warned for case in broken)} of {len(broken)}", str(best_limit(cases, at_random)),
        f"{100 * np.mean([case.warned for case in cases]):.0f}", f"{sum(case.warned for case in held)} of {len(held)}",
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
            first = [outcome(category, references, rng) for references in together]
            second = [outcome(category, rng.sample(range(len(good)), count), rng) for _ in range(draws)]
            yield row(f"{name}, {count} taken together", first, second)
            yield row(f"{name}, {count} at random", second, second)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--method", default="winclip")
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    detector = oddlens.load(arguments.method, device="cpu", runtime="torch")  # whose distances are looked up
    print(
        "| references | cases | declared % | measured % | broken and noticed | best limit | warned % | warned in vain | "
        f"after learning from {SAMPLED} "
        f"({100 * usual_rate(SAMPLED):.0f} declared) % |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for folder in arguments.data:
        for line in report(detector, folder, arguments.draws, arguments.seed):
            print(line, flush=True)


if __name__ == "__main__":
    main()
