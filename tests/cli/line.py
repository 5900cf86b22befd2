"""A line: images of one part, and the station that is made of them."""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.cli.program import Done, run


def write(folder: Path, count: int, seed: int, size: tuple[int, int] = (40, 40), spot: bool = False) -> Path:
    """Pictures of one part under noise, some with a dark spot."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    part = np.add.outer(np.arange(size[1]), np.arange(size[0])) % 64 + 96
    for number in range(count):
        pixels = np.clip(part[..., None] + rng.normal(0, 4, (*part.shape, 3)), 0, 255).astype(np.uint8)
        if spot:
            pixels[10:26, 10:26] = 0
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    return folder


def create(folder: Path, images: Path, model: Path, *more: object) -> Done:
    return run(
        "station", "create", folder, "--object", "nut", "--reference", images / "references", "--model", model,
        "--device", "cpu", "--set", "window_sizes=[2]", *more,
    )  # fmt: skip


def page(done: Done) -> dict[str, str]:
    """The facts that a page shows."""
    assert done.code == 0, done.err
    return {line[:20].strip(): line[20:] for line in done.out.splitlines()[1:]}
