"""The image of docs/guides/vl4ad-streets.md: generated streets with something unknown, without words for it and with them.

    python benchmarks/vl4ad_streets.py --runs runs/streets --masks decoder --seeds 0
    python benchmarks/vl4ad_picture.py --runs runs/streets --out docs/images/streets.jpg

Rows: near, far and unnamed unknown things, the first frame of each kind. Columns: the frame with the unknown outlined, the known
classes that are found, the anomaly map without words for the unknown, with them, and with them and alpha 0.4; decoder, seed 0.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from vl4ad_streets import GROUPS, TEST_SEED, TOLD, make_detector

from lab.streets import street
from oddlens.detection import resize_map
from oddlens.io.pixels import Pixels
from oddlens.visualization.heat import blend
from oddlens.visualization.label_image import draw_labels
from oddlens.visualization.overlay import outline_mask

TIMES = 1.5
GAP = 6


def main() -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="the folder of vl4ad_streets.py")
    parser.add_argument("--out", type=Path, required=True, help="the image to write")
    arguments = parser.parse_args()
    detector, _ = make_detector("decoder", 0, arguments.runs / "seed-0")
    frames = [street(0, TEST_SEED + 1, words[:1]) for words in GROUPS.values()]
    encoded = detector.encode([frame.image for frame in frames])
    asks = (((), 0.0), (TOLD, 0.0), (TOLD, 0.4))
    without, told, mixed = (detector.predict(encoded, ood=words, alpha=alpha) for words, alpha in asks)
    rows = []
    for frame, plain, *asked in zip(frames, without, told, mixed, strict=True):
        assert plain.labels is not None
        height, width = frame.image.shape[:2]
        size = round(TIMES * width), round(TIMES * height)
        shown = np.asarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        mask = cv2.resize(frame.unknown.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        row = [outline_mask(shown, mask), np.asarray(draw_labels(plain.labels, size).convert("RGB"))]
        for found in (plain, *asked):
            anomaly_map = resize_map(found.anomaly_map, size)
            row.append(blend(shown, anomaly_map, (found.value_range.low, found.value_range.high)))
        rows.append(_side_by_side(row))
    with Image.fromarray(np.concatenate([part for row in rows for part in (row, _gap(row))][:-1])) as image:
        image.save(arguments.out, quality=88)


def _side_by_side(pictures: list[Pixels]) -> Pixels:
    gap = np.full((pictures[0].shape[0], GAP, 3), 255, np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, gap)][:-1], axis=1)


def _gap(row: Pixels) -> Pixels:
    return np.full((GAP, row.shape[1], 3), 255, np.uint8)


if __name__ == "__main__":
    main()
