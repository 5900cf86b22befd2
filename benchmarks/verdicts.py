"""The embedded model on real images by torch and by onnxruntime: largest differences, and verdicts that turn.

    python benchmarks/verdicts.py --data FOLDER [--data FOLDER...] [--references 4]

Each category of a data set is tested with its first good training images by name as references, and thresholds from them, as
`oddlens detect --reference` does; WinCLIP also without, at the middle of its scores. A score on the threshold itself turns with
the last bit: such images (within 1e-6) are counted apart. The program ends with 1 where another verdict turns.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

import numpy as np

import oddlens
from oddlens.data import Record
from oddlens.data.named import open_sources
from oddlens.detection import Detection

METHODS = ("winclip", "patch-knn")
ON_THE_THRESHOLD = 1e-6


def main() -> None:
    """Detect twice, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", required=True, help="a folder that 'oddlens data check' knows")
    parser.add_argument("--references", type=int, default=4)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        f"{'category':24}{'method':11}{'references':>10}{'images':>8}{'scores':>9}{'maps':>9}{'ties':>6}{'turned':>8}"
    )
    images, wrong = 0, 0
    for source in open_sources(options.data):
        for category in source.dataset.categories:
            tested, good = source.tests(category), tuple(source.normals(category).values())
            for method, count in (("winclip", 0), *((name, options.references) for name in METHODS)):
                if len(good) < count or not tested:
                    continue
                one, other = (_found(method, tested, good[:count], runtime) for runtime in ("torch", "onnx"))
                scores = max(abs(a.score - b.score) for a, b in zip(one, other, strict=True))
                maps = max(np.abs(a.anomaly_map - b.anomaly_map).max() for a, b in zip(one, other, strict=True))
                limit = one[0].threshold if count else float(np.median([each.score for each in one]))
                assert limit is not None
                ties = sum(abs(each.score - limit) <= ON_THE_THRESHOLD for each in one)
                turned = sum(
                    (a.score > limit) != (b.score > limit) and abs(a.score - limit) > ON_THE_THRESHOLD
                    for a, b in zip(one, other, strict=True)
                )
                images, wrong = images + len(tested), wrong + turned
                print(
                    f"{category:24}{method:11}{count:10}{len(tested):8}{scores:9.1e}{maps:9.1e}{ties:6}{turned:8}",
                    flush=True,
                )
    print(f"{images} images, {wrong} with another verdict")
    sys.exit(bool(wrong))


def _found(method: str, tested: Sequence[Record], good: Sequence[Record], runtime: str) -> list[Detection]:
    detector = oddlens.load(method, device="cpu", runtime=runtime)
    if good:
        detector.add_references([each.image for each in good])
    return detector.detect([each.image for each in tested])


if __name__ == "__main__":
    main()
