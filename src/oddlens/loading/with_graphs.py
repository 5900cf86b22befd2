"""Detectors on graphs: where there are some, and whether they can do what is asked. No torch is needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Literal

from oddlens.backbone.cards import MINI
from oddlens.detector import Detector
from oddlens.errors import UsageError, choices, printable, shortened
from oddlens.io.paths import expanded
from oddlens.loading.embedded import check_named, earlier_graphs, graphs_of, is_embedded
from oddlens.methods.card import MethodCard
from oddlens.methods.recipe import Depth, fit_recipe, make_recipe, named_fields
from oddlens.methods.registry import method_card
from oddlens.runtime import GraphMethod, holds_graphs
from oddlens.runtime.engine import GRAPH_RUNTIMES, GraphRuntime
from oddlens.runtime.graph_folder import GraphFolder

Runtime = Literal["auto", "torch"] | GraphRuntime
RUNTIMES: tuple[Runtime, ...] = ("auto", "torch", *GRAPH_RUNTIMES)

_TORCH_DEVICES = ("cuda", "mps", "xpu")
"""Kinds of devices that only torch computes on."""


def checked_runtime(runtime: str) -> Runtime:
    """One of `RUNTIMES`. Raises `UsageError` for anything else."""
    for known in RUNTIMES:
        if runtime == known:
            return known
    raise UsageError(f"there is no runtime {shortened(runtime)}{choices(str(runtime), RUNTIMES)}")


def find_graphs(
    method: str,
    model: str | os.PathLike[str] | None,
    weights: str | os.PathLike[str] | None,
    device: str,
    overrides: Mapping[str, object],
) -> GraphFolder | str:
    """The graphs that can do what `oddlens.load` is asked; or why there are none, in half a sentence.

    Raises:
        UsageError: A name or a field does not exist.
        ModelError: The folder of graphs is damaged.
    """
    card = method_card(method)
    recipe = make_recipe(card.recipe, overrides)
    own = None if model is None else expanded(Path(model))
    earlier: list[GraphFolder] = []
    if own is not None and holds_graphs(own):
        folder = GraphFolder.read(own)
        if folder.card != card:
            raise UsageError(
                f"{printable(str(own))} holds graphs of {folder.card.name}: give that as the method instead of {card.name}"
            )
    else:
        if not is_embedded(model):
            check_named(model or "")
            return f"there are no graphs of the model {printable(str(model))}"
        if weights is not None or not holds_graphs(graphs_of(card.name)):
            return f"there are no graphs of {card.name} on the embedded model"
        if device not in ("auto", "cpu"):
            if str(device).partition(":")[0] not in _TORCH_DEVICES:  # torch, which might say so, need not be installed
                raise UsageError(
                    f"the device {shortened(str(device))} cannot be used here: give one of auto, cpu, cuda"
                )
            return f"graphs of the embedded model are for the processor, not for {shortened(device)}"
        folder = GraphFolder.read(graphs_of(card.name))
        earlier = [GraphFolder.read(folder.path, name) for name in earlier_graphs(card.name)]
    for name in _given(card, overrides):
        wanted, made = getattr(recipe, name), getattr(folder.recipe, name)
        if wanted != made:
            reason = f"its graphs were made with {name}={made!r}, not {wanted!r}"
            return next((each for each in earlier if each.recipe == recipe), reason)
    return folder


def graph_detector(folder: GraphFolder, device: str, overrides: Mapping[str, object], runtime: Runtime) -> Detector:
    """A detector on graphs. overrides: what was given of the recipe, which is that of the graphs. runtime: no "torch"."""
    assert runtime != "torch"
    runs = folder.runtime if runtime == "auto" else runtime
    return Detector(folder.card.name, GraphMethod(folder, device, runs), _notes(folder, overrides))


def _given(card: MethodCard, overrides: Mapping[str, object]) -> list[str]:
    """The names of the fields that are given by hand."""
    names = named_fields(card.recipe, overrides.get("recipe")).keys() | overrides.keys()
    return [each.name for each in fields(card.recipe) if each.name in names]


def _notes(folder: GraphFolder, overrides: Mapping[str, object]) -> list[str]:
    """What of the recipe was fitted to the model, in words: as on torch."""
    card = folder.card
    recipe, given = make_recipe(card.recipe, overrides), _given(card, overrides)
    if folder.model.name != MINI.name:
        return []  # every field is given: they come from a station
    return fit_recipe(recipe, given, MINI.image_size, Depth(MINI.layers, MINI.layers))[1]
