"""A small data set in MVTec's layout, and plans on it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import oddlens
from oddlens.evaluation import Benchmark, Plan, RulePicks, open_sources, variants
from oddlens.evaluation.chunks import CHUNKS, Chunks

SIZE = (48, 40)
"""(width, height) of the images."""


def write_set(
    root: Path, categories: Sequence[str] = ("bolt", "metal_nut"), train: int = 3, normal: int = 3, abnormal: int = 3
) -> Path:
    """Grey noise, with a bright block and its mask where it is abnormal; every category of its own noise."""
    generator = np.random.default_rng(5)
    for category in categories:
        for folder, count in (("train/good", train), ("test/good", normal), ("test/block", abnormal)):
            for number in range(count):
                pixels = generator.integers(60, 130, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
                if folder == "test/block":
                    top, left = 4 + 6 * number, 6 + 9 * number
                    pixels[top : top + 10, left : left + 12] = 250
                    drawn = np.zeros((SIZE[1], SIZE[0]), np.uint8)
                    drawn[top : top + 10, left : left + 12] = 255
                    save(root / category / "ground_truth" / "block" / f"{number:03}_mask.png", drawn)
                save(root / category / folder / f"{number:03}.png", pixels)
    return root


def save(path: Path, values: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def make_plan(
    root: Path, model: Path, shots: Sequence[int] = (0, 2), seeds: Sequence[int] = (0, 1), **changes: Any
) -> Plan:
    """WinCLIP on the tiny CLIP; other fields of the plan can be changed."""
    parts: dict[str, Any] = {
        "sources": open_sources([root]),
        "detectors": (oddlens.load("winclip", model),),
        "variants": variants(shots, seeds),
        "picks": RulePicks(),
    }
    return Plan(**(parts | changes))


def run_whole(plan: Plan, out: Path, chunks: Chunks = CHUNKS) -> Benchmark:
    """Open and run a plan to its end."""
    benchmark = Benchmark(plan, out)
    benchmark.open()
    list(benchmark.run(chunks=chunks))
    return benchmark
