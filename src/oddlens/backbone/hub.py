"""Models in the Hugging Face cache: what is there, and fetching what is not. Only the fetching touches the network."""

from __future__ import annotations

from pathlib import Path

from oddlens.backbone.cards import Card
from oddlens.backbone.files import (
    EMBEDDED,
    MINI_FOLDER,
    OPEN_CLIP,
    PREPROCESSOR,
    TOKENIZER,
    TRANSFORMERS,
    LayoutFiles,
    file_hash,
)
from oddlens.errors import ModelError
from oddlens.paths import is_file


def cached_folder(hub_id: str) -> Path | None:
    """The folder of a repository in the local hub cache, or None; never touches the network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, HfHubHTTPError, OSError):
        return None


def is_present(card: Card) -> bool:
    """Whether a card's model is on this machine: packaged, or its weights in the local hub cache."""
    if card.layout == "embedded":
        return EMBEDDED.are_in(MINI_FOLDER)
    folder = cached_folder(card.hub_id)
    return folder is not None and _layout(card).are_in(folder)


def fetch_card(card: Card, to: Path | None = None) -> Path:
    """Download a card's files, resumably, into the hub cache or the folder `to`; check known hashes; return the folder.

    Raises `ModelError` where the hub cannot be reached, the download breaks off, or a file is not the one the card knows.
    """
    known = {name for name, _ in card.sha256}
    folder = _fetch(card.hub_id, sorted(_layout(card).weights, key=lambda name: name not in known), to)
    for name, digest in card.sha256:
        path = folder / name
        if is_file(path) and file_hash(path) != digest:
            raise ModelError(
                f"{path} is not the file that the card of {card.name} knows (SHA-256 differs): delete it and fetch again"
            )
    return folder


def fetch_repository(hub_id: str, to: Path | None = None) -> Path:
    """As `fetch_card`, for a repository without a card: the open_clip layout's files where it has them, else transformers'."""
    return _fetch(hub_id, [*OPEN_CLIP.weights, *TRANSFORMERS.weights], to)


def _fetch(hub_id: str, weights: list[str], to: Path | None) -> Path:
    from huggingface_hub import list_repo_files, snapshot_download
    from huggingface_hub.errors import OfflineModeIsEnabled

    try:
        available = list_repo_files(hub_id)
        chosen = next((name for name in weights if name in available), None)
        if chosen is None:
            raise ModelError(f"{hub_id} holds none of {', '.join(weights)}: it is not a CLIP that oddlens reads")
        shards = ["model-*.safetensors"] if chosen.endswith(".index.json") else []
        wanted = [OPEN_CLIP.config, TRANSFORMERS.config, PREPROCESSOR, *TOKENIZER, chosen, *shards]
        return Path(snapshot_download(hub_id, allow_patterns=wanted, local_dir=to))
    except ModelError:
        raise
    except OfflineModeIsEnabled as error:
        raise ModelError(
            f"{hub_id} was not fetched because HF_HUB_OFFLINE is set: unset it and run the same command on a connected machine"
        ) from error
    except Exception as error:  # of the hub's client, of the disk, or of whichever HTTP library the client uses
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise ModelError(
            f"{hub_id} could not be fetched ({reason}): run the same command again on a connected machine, "
            "it goes on where it stopped"
        ) from error


def _layout(card: Card) -> LayoutFiles:
    return OPEN_CLIP if card.layout == "open_clip" else TRANSFORMERS
