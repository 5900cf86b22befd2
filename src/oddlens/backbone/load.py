"""From a name, a hub id or a path to a loaded backbone. Nothing here touches the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.cards import MINI, Card, card_of_digest, find_card
from oddlens.backbone.files import LAYOUT_FILES, MINI_FOLDER, what_is_missing
from oddlens.backbone.hub import cached_folder, repository_of
from oddlens.backbone.layouts import LAYOUTS, layout_of
from oddlens.backbone.model import LoadedModel
from oddlens.backbone.options import Activation
from oddlens.errors import ModelError, UsageError, printable, shortened
from oddlens.io.hashes import cached_hash, content_hash
from oddlens.io.paths import exists, expanded, is_closed, why_absent, why_not_opened


def load_backbone(
    model: str | Path | None = None, *, device: str | torch.device = "auto", activation: Activation | None = None
) -> Backbone:
    """Load a model.

    Args:
        model: A card's name, a hub id ("org/name" in the local hub cache) or a path; None is the embedded model.
        device: "auto" (CUDA where there is one, else CPU) or anything that torch understands.
        activation: Overrides the GELU variant that the weights mean. A weights file that stands alone may not say it.

    Raises:
        ModelError: The model is absent (the sentence names the command that fetches it), damaged or of another kind.
        UsageError: The name or the device is unknown, or an activation must be given.
    """
    return read_backbone(*locate(model), device).with_activation(activation)


def read_backbone(card: Card, path: Path, device: str | torch.device) -> Backbone:
    """As `load_backbone`, from what `locate` returns. The activation may be unknown: `Backbone.with_activation` settles it."""
    target = choose_device(device)
    layout = LAYOUTS[card.layout]
    loaded = layout.read(path)
    if layout.read_config is None and card.activation is not None:  # a lone file, known by its digest
        loaded = loaded.with_activation(card.activation)
    for file in loaded.files:
        _refuse_damaged(file)
    return Backbone(loaded, _completed(card, loaded), content_hash(loaded.files), target)


def locate(model: str | Path | None) -> tuple[Card, Path]:
    """Find a model on disk. See `load_backbone`.

    A name or hub id may end in @REVISION, as it was fetched.

    Returns:
        The card and the path. For a path that was given the card holds its name and layout, and what is known of a file by digest.
    """
    if model is None:
        return MINI, MINI_FOLDER
    path = _with_configuration(expanded(model))
    if exists(path):
        return _card_of(path), path
    if is_closed(path):
        raise UsageError(f"{printable(str(model))} {why_absent(path)}")
    if find_card(str(model)) is MINI:
        return MINI, MINI_FOLDER
    card, hub_id, revision = repository_of(str(model))
    folder = cached_folder(hub_id, revision or None)
    asked = (hub_id if card is None else card.name) + (f" --revision {revision}" if revision else "")
    if folder is None:
        raise ModelError(
            f"the model {printable(str(model))} is not on this machine: run 'oddlens models fetch {printable(asked)}' on a "
            "connected machine (with --to DIR to carry the folder over, and give that folder as the model)"
        )
    if missing := what_is_missing(folder):
        raise ModelError(
            f"{missing}: run 'oddlens models fetch {printable(asked)}' on a connected machine, which adds it"
        )
    return card or _card_of(folder, hub_id), folder


def choose_device(device: str | torch.device) -> torch.device:
    """The torch device for a name; "auto" takes CUDA where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        usable = "auto, cpu, cuda" if torch.cuda.is_available() else "auto, cpu; CUDA is not available here"
        raise UsageError(f"the device {shortened(str(device))} cannot be used here: give one of {usable}") from error
    return chosen


def _with_configuration(path: Path) -> Path:
    """The folder, for a weights file beside its configuration, which says what the weights mean; else the path itself."""
    beside = any(
        layout.files is not None and path.name in layout.files.weights and layout.recognise(path.parent)
        for layout in LAYOUTS.values()
    )
    return path.parent if beside else path


def _refuse_damaged(path: Path) -> None:
    """Raise `ModelError` for a file of the hub cache whose content has changed. Large files are named by their SHA-256 there."""
    blob = path.resolve()
    if blob.parent.name == "blobs" and len(blob.name) == 64 and cached_hash(blob) != blob.name:
        raise ModelError(
            f"{printable(str(path))} is damaged (its SHA-256 is not that of the hub's file): fetch the model again, which "
            "replaces it"
        )


def _completed(card: Card, loaded: LoadedModel) -> Card:
    """The card with the shapes that the weights really have."""
    vision = loaded.model.vision
    shape = vision.config
    return replace(
        card, kind=vision.kind, image_size=shape.image_size, patch_size=shape.patch_size, width=shape.width, layers=shape.layers,
        embed_dim=shape.embed_dim, registers=max(vision.prefix - 1, 0), mean=loaded.mean, std=loaded.std,
    )  # fmt: skip


def _card_of(path: Path, name: str | None = None) -> Card:
    """A card for a model that has none, with its layout and its name."""
    layout = layout_of(path)
    if layout is None:
        if missing := what_is_missing(path):
            raise ModelError(f"{missing}: fetch the model again, or copy all of its files")
        raise ModelError(
            f"{printable(str(path))} holds no model that oddlens reads: expected "
            f"{', '.join(files.config for files in LAYOUT_FILES)} beside their weights, or one .pt file"
        )
    if layout.name == MINI.layout:
        return replace(MINI, name=path.name)
    if layout.files is None:
        try:
            known = card_of_digest(cached_hash(path))
        except OSError as error:
            raise ModelError(f"{printable(str(path))} {why_not_opened(path, error)}") from error
        if known is not None:
            return replace(known, layout=layout.name)
    return Card(name=name or path.name, layout=layout.name)
