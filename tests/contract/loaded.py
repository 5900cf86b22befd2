"""Every method on a tiny model, with weights where its card asks for some."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.detector import Detector
from oddlens.methods.anomaly_clip.recipe import AnomalyCLIPRecipe
from oddlens.methods.registry import method_card
from tests.tiny_layers import random_layers, write_authors_layers
from tests.tiny_prompts import random_prompts, write_authors


def _april_gan(path: Path, model: Path) -> Path:
    return write_authors_layers(path, random_layers(count=2))


def _anomaly_clip(path: Path, model: Path) -> Path:
    backbone = load_backbone(model, device="cpu")
    recipe = AnomalyCLIPRecipe(image_size=40, layers=(3,), local_from=1, prompt_depth=2)
    return write_authors(path, random_prompts(backbone, recipe), backbone)


WEIGHTS: Mapping[str, Callable[[Path, Path], Path]] = {"april-gan": _april_gan, "anomalyclip": _anomaly_clip}
"""How weights for the tiny CLIP of `tests/conftest.py` are made, for each method that needs some."""

FAST: Mapping[str, Mapping[str, Any]] = {
    "april-gan": {"layers": (1, 3)},
    "anovl": {"views": 1, "steps": 2},
    "subspacead": {"rotations": 2},
    "anomalydino": {"rotations": 2},
    "musc": {"layers": (1, 3), "degrees": (1, 3)},
}
"""Recipe fields that make a method fast and change nothing of how it works."""


def load_tiny(name: str, model: Path, folder: Path, **overrides: Any) -> Detector:
    """A detector of a method on the tiny CLIP at `model`. folder: where weights are written, if need be."""
    needed = method_card(name).needs.weights == "required"
    weights = WEIGHTS[name](folder / f"{name}.pth", model) if needed else None
    return oddlens.load(name, model, weights, "cpu", **{**FAST.get(name, {}), **overrides})
