"""Misses and false alarms of a handful of good images, by the rule before conformal thresholds and by today's default.

    python benchmarks/few_good_images.py --data FOLDER [--data FOLDER ...] [--shots 4 20] [--most 20] [--picks first|spread]

References are so many of the category's good images in train; looked at are --most good and --most defective images in test: the
first ones by name, or some that are spread evenly over the names, without those that are files of train. --out takes a JSON file
that names every image, with its score and each verdict. All rules see the same scores.

Rules: "before" is NG from the largest leave-one-out score plus one standard deviation on; "default" is `Detector.calibrate`'s:
below 20 references above the largest score; from 20 on the rank for 5 %. "estimate" is NG above the t prediction limit of 5 % on
log scores, which is offered for few images and not guaranteed. "fewest": the fewest errors that any threshold on these scores could
make, of each row for itself, chosen with the labels: the bound of all rules.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

import oddlens
from oddlens.calibration import Calibration
from oddlens.data import open_dataset
from oddlens.data.named import NamedDataset
from oddlens.detector import Detector
from oddlens.metrics import auroc

RULES: dict[str, Callable[[Calibration, float], str]] = {
    "before": lambda good, score: "ng" if score >= max(good.scores) + np.std(good.scores, ddof=1) else "ok",
    "default": lambda good, score: str(good.thresholds.verdict(score)),
    "estimate": lambda good, score: "ng" if score > (good.estimate() or max(good.scores)) else "ok",
}


T = TypeVar("T")


def fewest(labels: Sequence[int], scores: Sequence[float]) -> tuple[int, int]:
    """Misses and false alarms of the threshold with the fewest errors, the highest of several."""
    errors = [
        (
            sum(score <= limit for label, score in zip(labels, scores, strict=True) if label),
            sum(score > limit for label, score in zip(labels, scores, strict=True) if not label),
        )
        for limit in (-np.inf, *sorted(scores))
    ]
    return min(reversed(errors), key=sum)


def picked(items: Sequence[T], count: int, picks: str) -> list[T]:
    """The first items, or some that are spread evenly over all of them, from the first to the last."""
    if picks == "first" or len(items) <= count:
        return list(items[:count])
    return [items[round(number * (len(items) - 1) / (count - 1))] for number in range(count)]


def looked_at(folder: Path, detector: Detector, shots: int, most: int, picks: str) -> Iterator[dict[str, object]]:
    """A document for each category: its images by name, their scores, and the verdict of each rule."""
    source = NamedDataset(folder.name, open_dataset(folder)).without_copies()
    dataset = source.dataset
    for category in sorted({record.category for record in dataset.records}):
        records = sorted(
            (record for record in dataset.records if record.category == category), key=lambda each: each.image
        )
        train = [record for record in records if record.split == "train" and record.label == 0]
        good = picked(train, shots, picks)
        test = [record for record in records if record.split == "test" and record.image not in source.left_out]
        chosen = [
            record for label in (0, 1) for record in picked([each for each in test if each.label == label], most, picks)
        ]
        if len(good) < shots:
            continue
        name = category.replace("_", " ")
        other = detector.with_references(None).add_references([each.image for each in good])
        calibration = other.calibrate(object_name=name)
        yield {
            "category": category,
            "shots": shots,
            "references": [source.relative(each) for each in good],
            "images": [
                {
                    "image": source.relative(record),
                    "label": record.label,
                    "score": found.score,
                    **{rule: verdict(calibration, found.score) for rule, verdict in RULES.items()},
                }
                for record, found in zip(chosen, other.detect([each.image for each in chosen], name), strict=True)
            ],
        }


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--shots", type=int, nargs="+", default=[4, 20])
    parser.add_argument("--most", type=int, default=20)
    parser.add_argument("--picks", choices=("first", "spread"), default="first")
    parser.add_argument("--method", default="winclip")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if min(arguments.shots) < 2:
        parser.error("a threshold needs two good images or more: give --shots 2, for instance")
    detector = oddlens.load(arguments.method, device="cpu")
    documents = [
        document
        for folder in arguments.data
        for shots in arguments.shots
        for document in looked_at(folder, detector, shots, arguments.most, arguments.picks)
    ]
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(documents, indent=1) + "\n")
    names = [*RULES, "fewest"]
    print(f"| category (references) | image AUROC | {' | '.join(f'{rule}: missed, false alarms' for rule in names)} |")
    print(f"|---|---|{'---|' * len(names)}")
    total: Counter[str] = Counter()
    for document in documents:
        images = document["images"]
        assert isinstance(images, list)
        labels, scores = ([each[name] for each in images] for name in ("label", "score"))
        cells = [f"{document['category']} ({document['shots']})", f"{auroc(labels, scores):.3f}"]
        for rule in RULES:
            missed = sum(each["label"] == 1 and each[rule] != "ng" for each in images)
            alarms = sum(each["label"] == 0 and each[rule] == "ng" for each in images)
            review = Counter(each["label"] for each in images if each[rule] == "review")
            total[rule] += missed + alarms
            noted = f" (to review: {review[1]} defective, {review[0]} good)" if review else ""
            cells.append(f"{missed}/{sum(labels)}, {alarms}/{len(labels) - sum(labels)}{noted}")
        missed, alarms = fewest(labels, scores)
        total["fewest"] += missed + alarms
        cells.append(f"{missed}/{sum(labels)}, {alarms}/{len(labels) - sum(labels)}")
        print(f"| {' | '.join(cells)} |")
    print(f"| wrong in all | | {' | '.join(str(total[rule]) for rule in names)} |")


if __name__ == "__main__":
    main()
