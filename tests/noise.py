"""Folders of small pictures to be looked at."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_pictures(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Write `count` pictures of noise, 48 x 40 pixels, named 0.png and so on; gives their paths in natural order."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    paths = [folder / f"{number}.png" for number in range(count)]
    for path in paths:
        write_picture(path, generator)
    return paths


def write_picture(path: Path, generator: np.random.Generator | None = None) -> Path:
    """Write one picture of noise, 48 x 40 pixels, as PNG whatever its name."""
    generator = generator or np.random.default_rng(0)
    Image.fromarray(generator.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(path, "PNG")
    return path
