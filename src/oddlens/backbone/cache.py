"""Caches on disk: prompt embeddings by model and prompts, and the hashes of large files."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from oddlens.backbone.files import file_hash
from oddlens.backbone.tensors import read_safetensors, tensor_fault
from oddlens.errors import OddlensError
from oddlens.io.atomic import write_bytes
from oddlens.io.paths import expanded, is_file


def cache_folder() -> Path:
    """The folder of what oddlens can compute again: $ODDLENS_CACHE, else oddlens/ in the user's cache folder.

    For a user without a home, as in many containers, it is among the temporary files.
    """
    if chosen := os.environ.get("ODDLENS_CACHE"):
        return Path(chosen)
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "oddlens"
    home = expanded("~")
    if home.is_absolute():
        return home / ".cache" / "oddlens"
    return Path(tempfile.gettempdir()) / f"oddlens-{os.getuid()}"


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


def content_hash(files: Sequence[Path]) -> str:
    """One SHA-256 over the contents of several files, in order; the hash of a file over 64 MB is cached by path, size and time."""
    return hashlib.sha256("".join(cached_hash(path) for path in files).encode()).hexdigest()


def cached_hash(path: Path) -> str:
    """SHA-256 of a file; of one over 64 MB it is cached by path, size and time."""
    real = path.resolve()
    stat = real.stat()
    if stat.st_size < 64 << 20:
        return file_hash(real)
    key = hashlib.sha256(f"{real}:{stat.st_size}:{stat.st_mtime_ns}".encode()).hexdigest()
    note = cache_folder() / "hashes" / key
    try:
        known = note.read_text(encoding="ascii") if is_file(note) else ""
    except (OSError, ValueError):
        known = ""
    digest, _, check = known.partition(" ")
    if check == _note_check(key, digest):
        return digest
    digest = file_hash(real)
    try:
        write_bytes(note, f"{digest} {_note_check(key, digest)}".encode("ascii"))
    except (OSError, OddlensError):
        return digest
    return digest


def _note_check(key: str, digest: str) -> str:
    return hashlib.sha256(f"{key}:{digest}".encode()).hexdigest()
