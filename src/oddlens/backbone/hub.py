"""Models in the local Hugging Face cache. Nothing here touches the network."""

from __future__ import annotations

from pathlib import Path

from oddlens.backbone.cards import Card, find_card, unknown_model
from oddlens.backbone.files import EMBEDDED, MINI_FOLDER, OPEN_CLIP, TRANSFORMERS, LayoutFiles

HUB_LAYOUTS = (OPEN_CLIP, TRANSFORMERS)
"""The layouts of repositories, in order of preference where one has several."""
HUB_FILES = tuple(name for layout in HUB_LAYOUTS for name in (layout.config, *layout.weights))


def is_hub_id(name: str) -> bool:
    """Whether a name has the form of a repository on the hub: owner/name."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return name.count("/") == 1


def repository_of(model: str) -> tuple[Card | None, str, str]:
    """What a name that is no path means: its card, its repository and the revision, "" where the name has none.

    Raises `UsageError` for a name that no model has.
    """
    name, _, revision = model.partition("@")
    card = find_card(name)
    hub_id = card.hub_id if card is not None else name.removeprefix("hf-hub:")
    if not is_hub_id(hub_id):
        raise unknown_model(model, "a hub id (org/name), or a path that exists")
    return card, hub_id, revision


def cached_folder(hub_id: str, revision: str | None = None) -> Path | None:
    """The folder in the local hub cache with a model's files, or some of them; None where there are none.

    Args:
        hub_id: The repository, "org/name".
        revision: A branch, a tag or a commit, as it was fetched; None is the main branch.
    """
    if not is_hub_id(hub_id):
        return None
    from huggingface_hub import try_to_load_from_cache

    for name in HUB_FILES:
        path = try_to_load_from_cache(hub_id, name, revision=revision)
        if isinstance(path, str):
            return Path(path).parent
    return None


def is_present(card: Card) -> bool:
    """Whether a card's model is on this machine: packaged, or whole in the local hub cache."""
    if card.layout == "embedded":
        return EMBEDDED.are_in(MINI_FOLDER)
    folder = cached_folder(card.hub_id)
    return folder is not None and files_of(card).is_complete(folder)


def files_of(card: Card) -> LayoutFiles:
    """The files of a card's repository."""
    return OPEN_CLIP if card.layout == "open_clip" else TRANSFORMERS
