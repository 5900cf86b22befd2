"""The cache of prompt embeddings on disk, by model and prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from oddlens.backbone.tensors import read_safetensors, tensor_fault
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

    def get(self, prompts: Sequence[str]) -> Tensor | None:
        """The features [prompts, embed_dim] stored for exactly these prompts, or None."""
        path = self._path(prompts)
        if not is_file(path):  # what is no regular file may never end
            return None
        try:
            tensors, metadata = read_safetensors(path)
            features = tensors["features"]
        except (OSError, SafetensorError, KeyError):
            return None
        if tensor_fault(features, (len(prompts), None), [torch.float32]) or len(tensors) != 1:
            return None
        return features if metadata.get(_CHECKSUM) == _checksum(path, features) else None

    def put(self, prompts: Sequence[str], features: Tensor) -> None:
        """Store the features of these prompts, float32 [prompts, embed_dim]."""
        path, features = self._path(prompts), features.contiguous()
        try:
            write_bytes(path, save({"features": features}, {_CHECKSUM: _checksum(path, features)}))
        except (OSError, OddlensError):
            return

    def _path(self, prompts: Sequence[str]) -> Path:
        digest = hashlib.sha256(json.dumps([self._identity, *prompts]).encode()).hexdigest()
        return self._folder / f"{digest}.safetensors"


def _checksum(path: Path, features: Tensor) -> str:
    digest = hashlib.sha256(f"{path.stem}{list(features.shape)}".encode())
    digest.update(features.numpy().data)
    return digest.hexdigest()
