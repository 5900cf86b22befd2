"""`load` and `open_station`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import fields
from pathlib import Path

import numpy as np

from oddlens.backbone.cards import MINI
from oddlens.calibration import Calibration
from oddlens.detector import Detector
from oddlens.errors import ModelError, UsageError, check_path, needs_package, printable
from oddlens.io.images import checked_limit
from oddlens.io.paths import expanded
from oddlens.io.preparation import Preparation, is_grid
from oddlens.loading.embedded import introduce_embedded
from oddlens.loading.with_graphs import Runtime, checked_runtime, find_graphs, graph_detector
from oddlens.methods.card import check_weights_file
from oddlens.methods.recipe import filed_fields
from oddlens.methods.registry import method_card
from oddlens.runtime import holds_graphs
from oddlens.runtime.engine import GRAPH_RUNTIMES
from oddlens.runtime.graph_folder import GraphFolder
from oddlens.station import REFERENCES, SECTIONS, SavedReferences, read_station


def load(
    method: str = "winclip",
    model: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    device: str = "auto",
    *,
    runtime: str = "auto",
    max_megapixels: float | None = None,
    tiles: str | tuple[int, int] | None = None,
    overlap: float | None = None,
    fit: str | None = None,
    **recipe_overrides: object,
) -> Detector:
    """A detector, ready to score images. Nothing here touches the network. Detectors on the same model share its towers.

    Args:
        method: A name that 'oddlens methods' lists, in any case of letters, or two that run as one: "winclip+patch-knn".
        model: None is the embedded model; else a card's name ('oddlens models'), a hub id, or a local folder or file, or a folder
            of graphs.
        weights: The learned part of the method: our .safetensors or the authors' .pth.
        device: "auto", "cpu" or "cuda".
        runtime: "onnx" runs the graphs of the embedded model, or of an exported station, without torch, on onnxruntime, "openvino"
            on OpenVINO; "torch" runs any model; "auto" takes graphs where they can do what is asked (on onnxruntime, or what an
            export was made for), else torch. All give the same numbers, to 1e-4.
        max_megapixels: Larger images are refused; by default 128, or the number in the environment variable ODDLENS_MAX_MEGAPIXELS.
        tiles: Into how many tiles an image is cut, columns x rows: "2x2", (3, 2), or "auto"; see `oddlens.io.preparation`. A recipe
            that has a field `tiles` of its own takes its own values here too.
        overlap: The share of a tile that its neighbour shows too, 0.05 to 0.5; None: 0.2. Without tiles it is the field of
            that name of a recipe that has one.
        fit: What becomes of an image or a tile that is not square: "squash" (None), "pad" or "crop".
        recipe_overrides: Fields of the method's recipe. `recipe="name"` starts from one of its named recipes. Fields that neither
            gives are those that the weights were trained with, else the paper's, fitted to the model. Every recipe has
            `activation`, which must be given for a weights file that stands alone and does not say which GELU it means.

    Raises:
        UsageError: A name, a field or a value does not exist, or the weights file does not.
        ModelError: Model or weights are absent, damaged, or do not fit.

    Examples:
        >>> import oddlens
        >>> detector = oddlens.load("winclip", device="cpu", temperature=0.05)
        >>> detector.recipe.temperature
        0.05
    """
    if model is not None:
        check_path("model", model, "give a name of 'oddlens models', a hub id or a path")
    if weights is not None:
        check_path("weights", weights, "give the path of a file")
        method_card(method).check_takes_weights()  # before a model is looked for, and torch
        check_weights_file(Path(weights))
    limit = None if max_megapixels is None else checked_limit(max_megapixels)
    own = {field.name for field in fields(method_card(method).recipe)}
    if tiles is not None and not is_grid(tiles) and "tiles" in own:
        recipe_overrides["tiles"], tiles = tiles, None
    if overlap is not None and tiles is None and "overlap" in own:
        recipe_overrides["overlap"], overlap = overlap, None
    preparation = Preparation.of(tiles, overlap, fit)
    wanted = checked_runtime(runtime)
    found = _graphs_or_why_not(method, model, weights, device, recipe_overrides, wanted)
    if isinstance(found, GraphFolder):
        detector = graph_detector(found, device, recipe_overrides, wanted)
        detector.learned_from = None if weights is None else os.fspath(weights)
    else:
        with _needs_torch(found):
            from oddlens.loading.with_torch import torch_detector
        detector = torch_detector(method, model, weights, device, recipe_overrides)
    detector.max_megapixels, detector.preparation = limit, preparation
    if weights is None and method_card(method).needs.text and detector.backbone.identity.name == MINI.name:
        introduce_embedded()
    return detector


def open_station(
    folder: str | os.PathLike[str], device: str = "auto", *, runtime: str = "auto", version: int | None = None
) -> Detector:
    """The detector that `Detector.save` wrote. It needs nothing but the folder.

    Args:
        folder: The station.
        device: "auto", "cpu" or "cuda".
        runtime: As `load` takes it. A memory of defects needs torch.
        version: An earlier version (`oddlens.station.versions`); None: the one in force.

    Raises:
        UsageError: There is no station or no such version, or station.json is damaged.
        ModelError: A file beside it is missing, damaged or another one.

    Examples:
        >>> import oddlens
        >>> oddlens.load("winclip", device="cpu").set_thresholds(image=0.5).save("line-3")
        >>> oddlens.open_station("line-3", device="cpu").thresholds.image
        0.5
    """
    check_path("a station", folder, "give the path of its folder")
    wanted = checked_runtime(runtime)
    state = read_station(folder, version)
    made = state.identity
    recipe = filed_fields(method_card(made.method).recipe, made.recipe)
    needs = "its memory of defects needs torch" if state.defects is not None and state.defects.memory.images else ""
    found = _graphs_or_why_not(made.method, state.model, state.weights, device, recipe, wanted, needs)
    if isinstance(found, GraphFolder):
        detector = graph_detector(found, device, recipe, wanted)
        detector.weights_hash = made.weights_sha256  # what was learned is in the graphs
        detector.learned_from = None if state.weights is None else str(state.weights)
    else:
        with _needs_torch(found):
            from oddlens.loading.with_torch import torch_detector
        detector = torch_detector(made.method, state.model, state.weights, device, recipe)
    now = detector.identity
    if now.model.sha256 != made.model.sha256:
        raise ModelError(
            f"{printable(os.fspath(folder))} was made with another version of the model {made.model.name} (its hash differs): "
            "its references mean nothing here; make the station again"
        )
    if made.method_sha256 != now.method_sha256:
        raise ModelError(
            f"{printable(os.fspath(folder))} was made with other code of the method {made.method} (its hash differs): its "
            "references and thresholds mean nothing here; take the package as it was then, or make the station again"
        )
    if made.weights_sha256 and now.weights_sha256 != made.weights_sha256:
        raise ModelError(f"{state.weights} is damaged or of another station: make the station again")
    for what, here, there in (
        ("model_fingerprint", now.model.fingerprint, made.model.fingerprint),
        ("preprocessing_sha256", now.preprocessing_sha256, made.preprocessing_sha256),
    ):
        if there and here != there:
            raise ModelError(
                f"{printable(os.fspath(folder))} was edited, or made by a version of oddlens that gives the model other pixels "
                f"({what} differs): make the station again"
            )
    detector.thresholds = state.thresholds
    detector.model_name, detector.image_size = made.model.name, state.image_size
    for name in SECTIONS:  # before the references and the calibration, which may depend on them
        setattr(detector, name, getattr(state, name))
    if state.object_name is not None:
        detector.object_name = state.object_name
    if state.references is not None:
        references = detector.saved_references(state.references)
        if not state.is_sealed:
            _judge_unsealed(state.references, detector, folder)
        detector.references = references
        said = state.references.flagged
        detector.flagged = None if said is None else frozenset(said)
    detector.scene, detector.state, detector.accepted = state.scene, state.state, state.accepted  # of these references
    detector.keep_fit(state.leave_one_out, state.memory_values)
    if state.calibration is not None:
        detector.calibrate_by(state.calibration)
    if isinstance(state.calibration, Calibration):
        detector.object_name = state.calibration.object_name
    return detector


def _graphs_or_why_not(
    method: str,
    model: str | os.PathLike[str] | None,
    weights: str | os.PathLike[str] | None,
    device: str,
    overrides: Mapping[str, object],
    runtime: Runtime,
    needs_torch: str = "",
) -> GraphFolder | str:
    """The graphs to run; or why torch is to run, in half a sentence.

    needs_torch: Why graphs cannot do it whatever they are, in half a sentence; "" where they can.

    Raises `UsageError` where the runtime that is asked for cannot do it.
    """
    found = needs_torch or find_graphs(method, model, weights, device, overrides)
    of_graphs = model is not None and holds_graphs(expanded(Path(model)))
    if isinstance(found, GraphFolder):
        if runtime != "torch":
            return found
        if of_graphs:
            raise UsageError(
                f"{printable(os.fspath(model or ''))} holds graphs, which runtime 'torch' cannot run: leave it out"
            )
        return "runtime 'torch' is asked for"
    if runtime in GRAPH_RUNTIMES:
        raise UsageError(f"runtime {runtime!r} cannot do this ({found}): give runtime 'torch', or leave it out")
    if of_graphs:
        raise UsageError(
            f"the graphs in {printable(os.fspath(model or ''))} cannot do this ({found}): take what they were exported from"
        )
    return found


def _needs_torch(reason: str) -> AbstractContextManager[None]:
    """Turns a missing torch into one sentence. reason: why graphs do not do it."""
    return needs_package(
        "torch", f"{reason}, and PyTorch, which could, is not installed: run pip install 'oddlens[torch]'"
    )


def _judge_unsealed(references: SavedReferences, detector: Detector, folder: str | os.PathLike[str]) -> None:
    """Raise `ModelError` for references of format 1 that are not finite, or not of the form that an image has after the towers."""
    blank = detector.encode(np.zeros((64, 64, 3), np.uint8)).features
    fault = "" if references.features.keys() == blank.keys() else f"it holds {', '.join(sorted(references.features))}"
    for name, value in references.features.items():
        shape = (len(references.sources), *blank[name].shape[1:]) if name in blank else value.shape
        if value.shape != shape:
            fault = f"{name} {list(value.shape)} instead of {list(shape)}"
        elif not np.isfinite(value).all():
            fault = f"{name} with numbers that are not finite"
    if fault:
        raise ModelError(f"{Path(folder) / REFERENCES} is damaged ({fault}): make the station again")
