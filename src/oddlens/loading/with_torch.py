"""Detectors on torch: the model's towers, loaded once for all, and the method on them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from weakref import WeakValueDictionary

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import choose_device, locate, read_backbone
from oddlens.backbone.options import Activation
from oddlens.detector import Detector
from oddlens.io.paths import is_dir, is_file, matching
from oddlens.methods.base import method_class
from oddlens.methods.card import MethodCard
from oddlens.methods.outside_code import faults_of
from oddlens.methods.recipe import Depth, fit_recipe, make_recipe, named_fields
from oddlens.methods.recipe_fields import Recipe
from oddlens.methods.registry import method_card
from oddlens.methods.weights import read_weights

_BACKBONES: WeakValueDictionary[object, Backbone] = WeakValueDictionary()


def torch_detector(
    method: str,
    model: str | os.PathLike[str] | None,
    weights: str | os.PathLike[str] | None,
    device: str,
    overrides: Mapping[str, object],
) -> Detector:
    """As `oddlens.load`."""
    card = method_card(method)
    if weights is not None:
        card.check_takes_weights()  # before a file is read
    with faults_of(card):
        made = method_class(card)
    learned = None if weights is None else read_weights(Path(weights))
    trained: dict[str, object] = {}
    if learned is not None:
        learned.check_method(card.name)
        named = named_fields(card.recipe, overrides.get("recipe"))
        trained = {name: value for name, value in learned.recipe.items() if name not in named}
    backbone, recipe, notes = load_fitted(card, model, device, {**trained, **overrides})
    if learned is not None:
        learned.check_model(backbone.fingerprint, backbone.card.name)
    with faults_of(card):
        bound = made(backbone, recipe, learned)
    detector = Detector(card.name, bound, notes, None if learned is None else learned.source)
    _ = detector.weights_hash  # of the file as it was read: it may be another one later
    return detector


def load_fitted(
    card: MethodCard,
    model: str | os.PathLike[str] | None,
    device: str,
    given: Mapping[str, object],
) -> tuple[Backbone, Recipe, list[str]]:
    """What a method is made of: a model that can do what it needs, a recipe fitted to it, and notes of that in words.

    card: of the method. given: as `load`'s recipe_overrides. Raises `UsageError` where the model cannot do what the method needs.
    """
    recipe = make_recipe(card.recipe, given)
    backbone = _shared_backbone(
        None if model is None else os.fspath(model), device, getattr(recipe, "activation", None)
    )
    backbone.require(card.needs.capabilities, card.name)
    depth = Depth(backbone.vision.config.layers, backbone.text.config.layers if backbone.has_text else 0)
    fitted, notes = fit_recipe(recipe, given.keys(), backbone.card.image_size, depth)
    return backbone, fitted, notes


def _shared_backbone(model: str | None, device: str, activation: Activation | None) -> Backbone:
    """The towers of a model, loaded once for all detectors that are alive on it: the same files, unchanged, on the same device.

    activation: the GELU variant; None is the weights' own. Another one shares their memory.
    """
    card, path = locate(model)
    files = matching(path, "*") if is_dir(path) else [path]
    stamps = tuple((file, stat.st_size, stat.st_mtime_ns) for file in files if is_file(file) and (stat := file.stat()))
    key = card, stamps, choose_device(device)
    own = _BACKBONES.get(key)
    if own is None:
        own = _BACKBONES[key] = read_backbone(card, path, device)
    backbone = _BACKBONES.get((key, activation))
    if backbone is None:
        backbone = _BACKBONES[key, activation] = own.with_activation(activation)
    return backbone
