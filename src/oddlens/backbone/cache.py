"""The cache of prompt embeddings on disk, by model and prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from oddlens.errors import OddlensError
from oddlens.io.atomic import write_bytes
from oddlens.io.hashes import cache_folder
from oddlens.io.paths import is_file

_CHECKSUM = "sha256"


class TextCache:
    """Prompt embeddings on disk, one file a list of prompts, keyed by the text tower's identity and the exact prompts.

    An entry holds a checksum of its key, shape and numbers. One that is damaged, or was moved under another key, counts as absent
    and is made again. Where the folder cannot be written, everything works, only slower.
    """

    def __init__(self, identity: str, folder: Path | None = None) -> None:
        self._identity = identity
        self._folder = (folder or cache_folder()) / "text"

    def get(self, prompts: Sequence[str]) -> NDArray[np.float32] | None:
        """The features [prompts, embed_dim] stored for exactly these prompts, or None."""
        path = self._path(prompts)
        if not is_file(path):  # what is no regular file may never end
            return None
        try:
            with safe_open(path, framework="numpy") as file:
                if list(file.keys()) != ["features"]:
                    return None
                features: NDArray[np.float32] = file.get_tensor("features")
                metadata = file.metadata() or {}
        except (OSError, SafetensorError, TypeError):  # of a type that numpy lacks
            return None
        if features.dtype != np.float32 or features.ndim != 2 or len(features) != len(prompts):
            return None
        if not np.isfinite(features).all():
            return None
        return features if metadata.get(_CHECKSUM) == _checksum(path, features) else None

    def put(self, prompts: Sequence[str], features: NDArray[np.float32]) -> None:
        """Store the features of these prompts, float32 [prompts, embed_dim]."""
        path, features = self._path(prompts), np.ascontiguousarray(features)
        try:
            write_bytes(path, save({"features": features}, {_CHECKSUM: _checksum(path, features)}))
        except (OSError, OddlensError):
            return

    def _path(self, prompts: Sequence[str]) -> Path:
        digest = hashlib.sha256(json.dumps([self._identity, *prompts]).encode()).hexdigest()
        return self._folder / f"{digest}.safetensors"


def _checksum(path: Path, features: NDArray[np.float32]) -> str:
    digest = hashlib.sha256(f"{path.stem}{list(features.shape)}".encode())
    digest.update(np.ascontiguousarray(features).data)
    return digest.hexdigest()
