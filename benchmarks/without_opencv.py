"""Whether Pillow and NumPy could stand in for OpenCV, which is a third of what is installed.

    python benchmarks/without_opencv.py [--side 1024] [--rounds 9]

Times are processor seconds as multiples of OpenCV's, medians over interleaved rounds with one thread; what differs is beside them.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Call = Callable[[], Any]
FAST = [
    *(cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB),
]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    side, rng = options.side, np.random.default_rng(0)
    cells = rng.random((37, 37), np.float32)
    smooth = cv2.resize(cells, (side, side), interpolation=cv2.INTER_LINEAR)
    mask = smooth > np.quantile(smooth, 0.97)
    pixels = np.asarray(cv2.resize(rng.integers(0, 256, (side // 8, side // 8, 3), np.uint8), (side, side)), np.uint8)
    levels, colours = (smooth * 255).astype(np.uint8), np.arange(256, dtype=np.uint8)[:, None].repeat(3, 1)
    calls: dict[str, tuple[Call, Call]] = {
        "enlarge a map": (
            lambda: cv2.resize(cells, (side, side), interpolation=cv2.INTER_LINEAR),
            lambda: np.asarray(Image.fromarray(cells).resize((side, side), Image.Resampling.BILINEAR)),
        ),
        "label regions": (lambda: cv2.connectedComponents(mask.view(np.uint8))[1], lambda: label(mask)),
        "colour a heat": (lambda: cv2.applyColorMap(levels, colours[:, None]), lambda: colours[levels]),
        "write a PNG": (
            lambda: cv2.imencode(".png", pixels, FAST)[1],
            lambda: packed(pixels),
        ),
    }
    print(f"{'':20}{'OpenCV ms':>10}{'without':>9}")
    for name, pair in calls.items():
        taken = [[seconds(call) for call in pair] for _ in range(options.rounds)]
        known, other = (statistics.median(each) for each in zip(*taken, strict=True))
        print(f"{name:20}{known * 1000:10.2f}{other / known:8.1f}x   {difference(name, *(call() for call in pair))}")
    print(f"{'read 16-bit colours':20}{'':19}   {deep_levels()}")


def seconds(call: Call) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def difference(name: str, known: Any, other: Any) -> str:
    """What the stand-in gives that OpenCV does not."""
    if name == "write a PNG":
        return f"{len(other) / known.nbytes:.2f} of its bytes"
    if name == "label regions":
        return f"{known.max()} regions, {other.max()} without"
    return f"differs by at most {np.abs(known.astype(np.float64) - other).max():.1g}"


def label(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """8-connected regions by NumPy alone: the runs of each row, and the least number handed on until nothing changes."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    (rows, starts), ends = np.nonzero(edges == 1), np.nonzero(edges == -1)[1]
    first = np.searchsorted(rows, np.arange(mask.shape[0] + 1))
    pairs = [
        (a, b)
        for row in range(mask.shape[0] - 1)
        for a in range(first[row], first[row + 1])
        for b in range(first[row + 1], first[row + 2])
        if starts[a] <= ends[b] and starts[b] <= ends[a]
    ]
    upper, lower = np.array(pairs, np.int64).reshape(-1, 2).T
    number = np.arange(len(rows))
    while True:
        least = np.minimum(number[upper], number[lower])
        before = number.copy()
        np.minimum.at(number, upper, least)
        np.minimum.at(number, lower, least)
        number = number[number]
        if np.array_equal(before, number):
            break
    names = np.unique(number, return_inverse=True)[1] + 1
    labels = np.zeros(mask.shape, np.int32)
    for row, start, end, name in zip(rows, starts, ends, names, strict=True):
        labels[row, start:end] = name
    return labels


def packed(pixels: NDArray[np.uint8]) -> bytes:
    """The pixel data of a PNG: differences to the left, in runs."""
    lines = pixels.copy()
    lines[:, 1:] -= pixels[:, :-1]
    flat = np.concatenate([np.ones((len(lines), 1), np.uint8), lines.reshape(len(lines), -1)], axis=1)
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    return packer.compress(flat.tobytes()) + packer.flush()


def deep_levels() -> str:
    """How many levels of a 16-bit colour PNG each of them reads."""
    ramp = np.linspace(0, 65535, 4096, dtype=np.uint16).reshape(64, 64)[..., None].repeat(3, 2)
    data = cv2.imencode(".png", ramp)[1]
    known = np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED))
    other = np.asarray(Image.open(io.BytesIO(data.tobytes())))
    return f"{len(np.unique(known))} levels of 4096, {len(np.unique(other))} without"


if __name__ == "__main__":
    main()
