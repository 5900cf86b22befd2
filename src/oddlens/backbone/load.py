"""From a name, a hub id or a path to a loaded backbone. Nothing here touches the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import torch

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.cache import content_hash, remembered_hash
from oddlens.backbone.cards import CARDS, MINI, Card, LayoutName, find_card
from oddlens.backbone.hub import cached_folder
from oddlens.backbone.layers import Activation
from oddlens.backbone.layouts import embedded, open_clip, openai, transformers
from oddlens.backbone.model import LoadedModel
from oddlens.errors import ModelError, UsageError
from oddlens.paths import exists, expanded, is_closed, why_absent
from oddlens.wording import printable

_READERS: dict[LayoutName, ModuleType] = {
    "embedded": embedded,
    "open_clip": open_clip,
    "transformers": transformers,
    "openai": openai,
}


def load_backbone(
    model: str | Path | None = None, *, device: str | torch.device = "auto", activation: Activation | None = None
) -> Backbone:
    """Load a model by card name, hub id ("org/name" in the local hub cache) or path; None is the embedded model.

    device: "auto" (CUDA where there is one, else CPU) or anything torch understands. activation: overrides the GELU variant
    that the weights mean. Raises `ModelError` where the model is absent (saying which command fetches it), damaged or of
    another kind, `UsageError` for an unknown name or device.
    """
    card, path = locate(model)
    target = choose_device(device)
    loaded: LoadedModel = _READERS[card.layout].read(path)
    own = Backbone(loaded, _completed(card, loaded), content_hash(loaded.files), target)
    return own if activation is None else own.with_activation(activation)


def locate(model: str | Path | None) -> tuple[Card, Path]:
    """The card and the place on disk of a model; where a path is given the card only names it."""
    if model is None:
        return MINI, embedded.FOLDER
    path = _with_configuration(expanded(model))
    if exists(path):
        return _card_of(path), path
    if is_closed(path):
        raise UsageError(f"{printable(str(model))} {why_absent(path)}")
    card = find_card(str(model))
    if card is not None and card.layout == "embedded":
        return card, embedded.FOLDER
    hub_id = card.hub_id if card is not None else str(model).removeprefix("hf-hub:")
    if card is None and (hub_id.count("/") != 1 or hub_id.startswith((".", "/"))):
        names = ", ".join(known.name for known in CARDS)
        raise UsageError(
            f"there is no model {str(model)!r}: give one of {names}, a hub id (org/name), or a path that exists"
        )
    folder = cached_folder(hub_id)
    if folder is None:
        name = card.name if card is not None else hub_id
        raise ModelError(
            f"the model {name} is not on this machine: run 'oddlens models fetch {name}' on a connected machine "
            "(with --to DIR to carry the folder over, and give that folder as the model)"
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
        raise UsageError(f"the device {str(device)!r} cannot be used here: give 'cpu', 'cuda' or 'auto'") from error
    return chosen


def _with_configuration(path: Path) -> Path:
    """The folder of a weights file that lies beside its configuration, which alone says what the weights mean."""
    beside = any(path.name in reader.WEIGHTS and reader.recognise(path.parent) for reader in (open_clip, transformers))
    return path.parent if beside else path


def _completed(card: Card, loaded: LoadedModel) -> Card:
    """The card with the shapes that the weights really have; for a model without a card of ours, all there is to know."""
    shape = loaded.model.vision.config
    return replace(
        card, image_size=shape.image_size, patch_size=shape.patch_size, width=shape.width, layers=shape.layers,
        embed_dim=shape.embed_dim, mean=loaded.mean, std=loaded.std,
    )  # fmt: skip


def _card_of(path: Path, name: str | None = None) -> Card:
    """A card for a model that has none: its layout as found on disk, its name as given."""
    layout = next((layout for layout, reader in _READERS.items() if reader.recognise(path)), None)
    if layout is None:
        raise ModelError(
            f"{path} holds no model that oddlens reads: expected oddlens_model.json, open_clip_config.json or config.json "
            "beside their weights, or one .pt file"
        )
    if layout == "embedded":
        return replace(MINI, name=path.name)
    if layout == "openai":
        known = [card for card in CARDS for file, _ in card.sha256 if file == path.name]
        same = next((card for card in known if (path.name, remembered_hash(path)) in card.sha256), None)
        if same is not None:
            return replace(same, layout="openai")
    return Card(name or path.name, "", layout, 0, 0, 0, 0, 0, 0, "unknown", "unknown")
