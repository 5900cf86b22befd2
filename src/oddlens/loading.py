"""`oddlens.load`: from a method's name and a model to a detector."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.cards import MINI
from oddlens.backbone.layers import Activation
from oddlens.backbone.load import choose_device, load_backbone, locate
from oddlens.detector import Detector
from oddlens.errors import UsageError
from oddlens.methods import method_class
from oddlens.methods.recipe import fit_image_size, make_recipe

_BACKBONES: WeakValueDictionary[object, Backbone] = WeakValueDictionary()


def load(
    method: str = "winclip",
    model: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    device: str = "auto",
    **recipe_overrides: Any,
) -> Detector:
    """A detector, ready to look at pictures.

    method: "winclip". model: None is the embedded model; else a card's name (`oddlens models`), a hub id, or a local
    folder or file. weights: the learned part of the method: our .safetensors or the authors' .pth. device: "auto", "cpu", "cuda".
    recipe_overrides: any field of the method's recipe; an unknown one is an error.

    Raises `UsageError` for a name or setting that does not exist, `ModelError` where model or weights are absent, damaged or do not
    fit. Nothing here touches the network. Detectors that are alive on the same model share its towers.
    """
    made = method_class(method)
    recipe = make_recipe(made.recipe_type, recipe_overrides)
    activation = getattr(recipe, "activation", None)
    backbone = _shared_backbone(None if model is None else os.fspath(model), device, activation)
    if backbone.card.name == MINI.name:
        _introduce_embedded()
    recipe, notes = fit_image_size(recipe, recipe_overrides, backbone.card.image_size)
    learned = None if weights is None else os.fspath(weights)
    if learned is not None and not Path(learned).is_file():
        raise UsageError(f"the weights file {learned} does not exist: give an existing .safetensors or .pth file")
    return Detector(method, made(backbone, recipe, learned), notes, learned)


def _shared_backbone(model: str | None, device: str, activation: Activation | None) -> Backbone:
    """The towers of a model, loaded once for all detectors that are alive on it: the same files, unchanged, on the same device."""
    card, path = locate(model)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stamps = tuple((file, stat.st_size, stat.st_mtime_ns) for file in files if file.is_file() and (stat := file.stat()))
    key = card, stamps, choose_device(device), activation
    backbone = _BACKBONES.get(key)
    if backbone is None:
        backbone = load_backbone(model, device=device, activation=activation)
        _BACKBONES[key] = backbone
    return backbone


@cache
def _introduce_embedded() -> None:
    """Say once which model this is: nobody should take its zero-shot results for CLIP's."""
    print(
        "oddlens: this is the embedded model 'mini' (small, trained on generated defects; it is not CLIP). For serious zero-shot "
        "work give a full CLIP as the model, for instance laion400m-vit-b-16-plus-240-e31; 'oddlens models' lists them.",
        file=sys.stderr,
    )
