"""The files of a model on disk: their names in each layout, and their hash. Imports no torch, so listing models is instant."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from oddlens.paths import is_file


class LayoutFiles(NamedTuple):
    """The configuration's name, and the names that the weights may have, in order of preference."""

    config: str
    weights: tuple[str, ...]

    def are_in(self, folder: Path) -> bool:
        """Whether a folder holds the configuration and weights of this layout."""
        return is_file(folder / self.config) and any(is_file(folder / name) for name in self.weights)


EMBEDDED = LayoutFiles("oddlens_model.json", ("model.safetensors",))
OPEN_CLIP = LayoutFiles(
    "open_clip_config.json",
    ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin"),
)
TRANSFORMERS = LayoutFiles("config.json", ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"))
PREPROCESSOR = "preprocessor_config.json"
TOKENIZER = ("tokenizer.json", "vocab.json", "merges.txt")

MINI_FOLDER = Path(__file__).parents[1] / "assets" / "mini"
"""Where the package keeps the embedded model."""


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
