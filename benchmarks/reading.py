"""What reading an image costs beside Pillow alone, by format: the judging of JPEG data, the walk through PNG chunks, the rest.

    python benchmarks/reading.py [--megapixels N] [--rounds N]

Prints processor time by Pillow (open, decode, array), by `read_image`, and their ratio; the least of all rounds, taken in turn.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from oddlens.io.images import read_image

KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "JPEG": ("JPEG", {"quality": 90}),
    "JPEG, grey": ("JPEG", {"quality": 90}),
    "JPEG, a restart marker a row": ("JPEG", {"quality": 90, "restart_marker_rows": 1}),
    "JPEG, a restart marker every 4 blocks": ("JPEG", {"quality": 90, "restart_marker_blocks": 4}),
    "JPEG, progressive": ("JPEG", {"quality": 90, "progressive": True}),
    "PNG": ("PNG", {"compress_level": 3}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF, uncompressed": ("TIFF", {}),
    "BMP": ("BMP", {}),
    "WebP": ("WebP", {"quality": 90, "method": 0}),
}


def scene(megapixels: float) -> Image.Image:
    """Soft shapes under a camera's noise."""
    height = int((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = height * 4 // 3
    y, x = np.mgrid[:height, :width]
    soft = 128 + 60 * np.sin(x / 37) + 40 * np.cos(y / 23)
    noise = np.random.default_rng(0).normal(0, 8, (height, width, 3))
    return Image.fromarray((soft[..., None] + noise).clip(0, 255).astype(np.uint8))


def by_pillow(data: bytes) -> object:
    """Read as anybody would."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def seconds(read: Callable[[bytes], object], data: bytes) -> float:
    """Processor time of reading once."""
    started = time.process_time()
    read(data)
    return time.process_time() - started


def main() -> None:
    """Encode, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    picture = scene(arguments.megapixels)
    print(f"{picture.width} x {picture.height}, least of {arguments.rounds} rounds")
    for name, (form, options) in KINDS.items():
        stream = io.BytesIO()
        (picture.convert("L") if "grey" in name else picture).save(stream, form, **options)
        data = stream.getvalue()
        pillow, ours = np.array(
            [[seconds(by_pillow, data), seconds(read_image, data)] for _ in range(arguments.rounds)]
        ).min(axis=0)
        print(
            f"{name:38} Pillow {1000 * pillow:7.1f} ms   read_image {1000 * ours:7.1f} ms   ratio {ours / pillow:.2f}"
        )


if __name__ == "__main__":
    main()
