"""Few-shot settings on generated products that nothing was chosen on: image AUROC with four references, beside the first setting's.

    python benchmarks/new_products.py [--method patch-knn --method patch-knn,place=1.0 ...] [--every N]

One product (design 5000) of every Nth class of those that the embedded model was trained on: 4 good images as
references, 12 good and 12 defective ones to tell apart, 320 x 320 pixels. patch-knn's features come of the model's
frozen stem, which saw none of them. The classes of `oddlens demo` are not among them. Prints a row a class, then the
mean difference to the first setting with its standard error.
"""

from __future__ import annotations

import argparse
from itertools import cycle, islice

import numpy as np
from few_shot import loaded

from lab.synthetic import TRAIN_CLASSES, defects_of, make_product
from oddlens.io.pixels import Pixels
from oddlens.metrics import image_metrics

DESIGN, SIZE = 5000, 320
REFERENCES, EACH = 4, 12
SETTINGS = ("patch-knn", "patch-knn,image_size=320,score_taps=coarse", "patch-knn,place=1.0", "patch-knn,place=3.0")


def images(name: str) -> tuple[list[Pixels], list[Pixels], list[Pixels]]:
    """References, good and defective images of a class."""
    product, kinds = make_product(name, DESIGN), cycle(defects_of(name))
    good, more = (
        [product.sample(first + number, False, size=SIZE).image for number in range(count)]
        for first, count in ((0, REFERENCES), (100, EACH))
    )
    bad = [
        product.sample(200 + number, defect=defect, size=SIZE).image
        for number, defect in enumerate(islice(kinds, EACH))
    ]
    return good, more, bad


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", action="append")
    parser.add_argument("--every", type=int, default=3)
    arguments = parser.parse_args()
    methods: list[str] = arguments.method or list(SETTINGS)
    detectors = [loaded(method) for method in methods]
    rows = []
    for name in TRAIN_CLASSES[:: arguments.every]:
        references, good, bad = images(name)
        row = []
        for detector in detectors:
            known = detector.with_references(detector.encode_references(references))
            scores = [found.score for found in known.detect([*good, *bad], name)]
            row.append(100 * image_metrics([0] * len(good) + [1] * len(bad), scores).auroc)
        rows.append(row)
        print(name, *(f"{value:.1f}" for value in row), flush=True)
    found = np.array(rows)
    print("mean", *(f"{value:.1f}" for value in found.mean(axis=0)))
    for method, differences in zip(methods[1:], (found[:, 1:] - found[:, :1]).T, strict=True):
        error = differences.std(ddof=1) / len(differences) ** 0.5
        print(f"{method}: {differences.mean():+.2f}, standard error {error:.2f}")


if __name__ == "__main__":
    main()
