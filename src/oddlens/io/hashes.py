"""Hashes of files; those of large ones are cached."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from oddlens.errors import OddlensError
from oddlens.io.atomic import write_bytes
from oddlens.io.paths import expanded, is_file, open_file


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


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_hash(files: Sequence[Path]) -> str:
    """One SHA-256 over the contents of several files, in order; the hash of a file over 64 MB is cached by path, size and time."""
    return hashlib.sha256("".join(cached_hash(path) for path in files).encode()).hexdigest()


def cached_hash(path: Path) -> str:
    """SHA-256 of a file; of one over 64 MB it is cached by path, size and time."""
    real = Path(os.path.realpath(path))  # which never raises, as for links that lead in a circle
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
    with suppress(OddlensError):  # it is hashed again the next time
        write_bytes(note, f"{digest} {_note_check(key, digest)}".encode("ascii"))
    return digest


def _note_check(key: str, digest: str) -> str:
    return hashlib.sha256(f"{key}:{digest}".encode()).hexdigest()
