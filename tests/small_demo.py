"""A stand-in for what the demonstration runs on: two categories of noise, and a tiny model."""

from pathlib import Path

import pytest
from PIL import Image

import oddlens
from oddlens.inference import demo
from tests.noise import write_pictures


def play(monkeypatch: pytest.MonkeyPatch, folder: Path, model: Path) -> None:
    """Let the demonstration run on a small set written to `folder`, and on this model."""
    for seed, category in enumerate(("tin_lid", "weave")):
        write_pictures(folder / category / "train" / "good", 5, seed=10 + seed)
        write_pictures(folder / category / "test" / "good", 2, seed=20 + seed)
        for path in write_pictures(folder / category / "test" / "deep_cut", 2, seed=30 + seed):
            mask = Image.new("L", (48, 40))
            mask.paste(255, (10, 10, 30, 25))
            truth = folder / category / "ground_truth" / "deep_cut" / f"{path.stem}_mask.png"
            truth.parent.mkdir(parents=True, exist_ok=True)
            mask.save(truth)
    monkeypatch.setattr(demo, "FOLDER", folder)
    monkeypatch.setattr(demo, "load", lambda method, runtime: oddlens.load(method, model, runtime=runtime))
