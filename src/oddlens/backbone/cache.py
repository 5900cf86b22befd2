"""What is computed once and kept on disk: text features by model and prompts, and the hashes of large files."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from oddlens.atomic import write_bytes
from oddlens.backbone.files import file_hash
from oddlens.errors import OddlensError
from oddlens.paths import expanded
from oddlens.tensors import read_safetensors


def cache_folder() -> Path:
    """Where oddlens keeps what it can compute again: $ODDLENS_CACHE, else oddlens/ in the user's cache folder.

    A user without a home, as in many containers, has it among the temporary files.
    """
    if chosen := os.environ.get("ODDLENS_CACHE"):
        return Path(chosen)
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "oddlens"
    home = expanded("~")
    if home.is_absolute():
        return home / ".cache" / "oddlens"
    return Path(tempfile.gettempdir()) / f"oddlens-{os.getuid()}"


class TextCache:
    """Text features on disk, one file a list of prompts, keyed by the text tower's identity and the exact prompts.

    A damaged entry counts as absent; a folder that cannot be written leaves everything working, only slower.
    """

    def __init__(self, identity: str, folder: Path | None = None) -> None:
        self._identity = identity
        self._folder = (folder or cache_folder()) / "text"

    def get(self, prompts: Sequence[str]) -> Tensor | None:
        """The features [prompts, embed_dim] stored for exactly these prompts, or None."""
        try:
            return read_safetensors(self._path(prompts))[0]["features"]
        except (OSError, SafetensorError, KeyError):
            return None

    def put(self, prompts: Sequence[str], features: Tensor) -> None:
        """Store the features of these prompts."""
        try:
            write_bytes(self._path(prompts), save({"features": features.contiguous()}))
        except (OSError, OddlensError):
            return

    def _path(self, prompts: Sequence[str]) -> Path:
        digest = hashlib.sha256(json.dumps([self._identity, *prompts]).encode()).hexdigest()
        return self._folder / f"{digest}.safetensors"


def content_hash(files: Sequence[Path]) -> str:
    """One SHA-256 over the contents of several files, in order; of files over 64 MB it is remembered by path, size and time."""
    return hashlib.sha256("".join(remembered_hash(path) for path in files).encode()).hexdigest()


def remembered_hash(path: Path) -> str:
    """SHA-256 of a file, remembered by path, size and time where it is larger than 64 MB."""
    real = path.resolve()
    stat = real.stat()
    if stat.st_size < 64 << 20:
        return file_hash(real)
    key = hashlib.sha256(f"{real}:{stat.st_size}:{stat.st_mtime_ns}".encode()).hexdigest()
    note = cache_folder() / "hashes" / key
    try:
        known = note.read_text(encoding="ascii")
    except (OSError, ValueError):
        known = ""
    if len(known) == 64:
        return known
    digest = file_hash(real)
    try:
        write_bytes(note, digest.encode("ascii"))
    except (OSError, OddlensError):
        return digest
    return digest
