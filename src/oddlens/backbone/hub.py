"""Models in the Hugging Face cache: what is there, and fetching what is not. Only `fetch` touches the network."""

from __future__ import annotations

from pathlib import Path

from oddlens.backbone.cards import Card
from oddlens.backbone.checkpoint import file_hash
from oddlens.backbone.layouts import open_clip, transformers
from oddlens.errors import ModelError

_TOKENIZER = ("tokenizer.json", "vocab.json", "merges.txt")


def cached_folder(hub_id: str) -> Path | None:
    """The folder of a repository in the local hub cache, or None; never touches the network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, HfHubHTTPError, OSError):
        return None


def fetch(card: Card, to: Path | None = None) -> Path:
    """Download a card's files, resumably, into the hub cache or the folder `to`; check known hashes; return the folder.

    Raises `ModelError` where the hub cannot be reached, the download breaks off, or a file is not the one the card knows.
    """
    from huggingface_hub import list_repo_files, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        wanted = _wanted(list_repo_files(card.hub_id), card)
        folder = Path(snapshot_download(card.hub_id, allow_patterns=wanted, local_dir=to))
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise ModelError(
            f"{card.hub_id} could not be fetched ({reason}): run the same command again on a connected machine, it goes on "
            "where it stopped"
        ) from error
    for name, digest in card.sha256:
        path = folder / name
        if path.is_file() and file_hash(path) != digest:
            raise ModelError(
                f"{path} is not the file that the card of {card.name} knows (SHA-256 differs): delete it and fetch again"
            )
    return folder


def _wanted(available: list[str], card: Card) -> list[str]:
    """The configuration, the tokenizer and one weights file: the first of the layout's names that the repository has."""
    layout = open_clip if card.layout == "open_clip" else transformers
    known = {name for name, _ in card.sha256}
    names = sorted(layout.WEIGHTS, key=lambda name: name not in known)
    weights = next((name for name in names if name in available), None)
    if weights is None:
        raise ModelError(
            f"{card.hub_id} holds none of {', '.join(layout.WEIGHTS)}: this is not the repository its card describes"
        )
    shards = ["model-*.safetensors"] if weights.endswith(".index.json") else []
    return [layout.CONFIG, transformers.PREPROCESSOR, weights, *shards, *_TOKENIZER]
