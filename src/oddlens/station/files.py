"""The files of a station that are named by their content: copied in, checked when read, removed when no version names them.

STATION/files/<sha256>.safetensors       arrays: references, scene, defects
STATION/files/<sha256>.<suffix>          the learned part of the method
STATION/files/<sha256>/model/            the files of a model under their own names; the hash is of the list of their hashes
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from oddlens.errors import ModelError, printable
from oddlens.io.atomic import LEFT_OVER, replacing, write_bytes
from oddlens.io.hashes import cached_hash, file_hash
from oddlens.io.paths import is_dir, is_file, matching, read_bytes

FOLDER = "files"
MODEL = "model"
_DIGEST = re.compile("[0-9a-f]{64}")


def store_arrays(root: Path, arrays: Mapping[str, NDArray[np.generic]]) -> tuple[str, bytes]:
    """Keep arrays in a file; its SHA-256, and what it holds."""
    data = save({name: np.ascontiguousarray(value) for name, value in arrays.items()})
    digest = hashlib.sha256(data).hexdigest()
    path = root / arrays_place(digest)
    if not _holds(path, digest):
        write_bytes(path, data)
    return digest, data


def arrays_place(digest: str) -> str:
    """Where arrays of this SHA-256 lie in a station."""
    return f"{FOLDER}/{digest}.safetensors"


def read_arrays(data: bytes, path: Path) -> dict[str, NDArray[np.generic]]:
    """What such a file holds. Raises `ModelError` where it is no safetensors file. path: for the sentence."""
    try:
        arrays: dict[str, NDArray[np.generic]] = load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelError(
            f"{path} is damaged (it is no safetensors file): copy the station again, or make it anew"
        ) from error
    return arrays


def read_checked(path: Path, digest: str | None) -> bytes:
    """The bytes of a file. Raises `ModelError` where it is missing, or has another SHA-256; None: nothing is known of it."""
    try:
        data = read_bytes(path)
    except OSError as error:
        raise ModelError(f"{path} is missing or damaged: copy the station again, or make it anew") from error
    if digest is not None and digest != hashlib.sha256(data).hexdigest():
        raise ModelError(
            f"{path} is damaged, or not the file that the station names: copy the station again, or make it anew"
        )
    return data


def check_file(path: Path, digest: str) -> None:
    """Raise `ModelError` where a file, which may be large, is missing or has another SHA-256."""
    try:
        found = cached_hash(path)
    except OSError as error:
        raise ModelError(f"{path} is missing or damaged: copy the station again, or make it anew") from error
    if found != digest:
        raise ModelError(
            f"{path} is damaged, or not the file that the station names: copy the station again, or make it anew"
        )


def store_file(root: Path, source: Path) -> str:
    """Copy a file into a station, under its SHA-256 and suffix; where it lies there."""
    digest = cached_hash(source)
    place = f"{FOLDER}/{digest}{source.suffix}"
    _copy(source, root / place, digest)
    return place


def store_model(root: Path, files: Sequence[Path]) -> tuple[str | None, dict[str, str]]:
    """Copy the files of a model into a station.

    Returns:
        Where the model lies there, as `oddlens.load` takes it: the folder, or the one file of OpenAI's layout; None for no files.
        And the SHA-256 of each file.
    """
    if not files:
        return None, {}
    digests = {path.name: cached_hash(path) for path in files}
    place = f"{FOLDER}/{hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()}/{MODEL}"
    for path in files:
        _copy(path, root / place / path.name, digests[path.name])
    return f"{place}/{files[0].name}" if len(files) == 1 else place, digests


def _copy(source: Path, target: Path, digest: str) -> None:
    if _holds(target, digest):
        return
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
        if file_hash(temporary) != digest:
            raise ModelError(f"{printable(str(source))} changed while it was copied: save the station again")


def _holds(path: Path, digest: str) -> bool:
    """Whether a file is there and whole."""
    return is_file(path) and cached_hash(path) == digest


def remove_temporaries(root: Path) -> None:
    """Remove what writers that were killed left half written. Only for one that has locked the station."""
    for pattern in ("", "versions/", f"{FOLDER}/", f"{FOLDER}/*/{MODEL}/"):
        for path in matching(root, f"{pattern}{LEFT_OVER}*"):
            with suppress(OSError):
                path.unlink()


def remove_copies(paths: Iterable[Path], texts: Sequence[str]) -> None:
    """Remove those of some files whose SHA-256 one of these texts names. Only for one that has locked the station."""
    named = _named(texts)
    for path in paths:
        with suppress(OSError):
            if cached_hash(path) in named:
                path.unlink()


def _named(texts: Sequence[str]) -> set[str]:
    return {digest for text in texts for digest in _DIGEST.findall(text)}


def remove_unnamed(root: Path, texts: Sequence[str]) -> None:
    """Remove the files whose SHA-256 none of these texts names. Only for one that has locked the station."""
    named = _named(texts)
    for path in matching(root, f"{FOLDER}/*"):
        if is_ours(path) and path.name[:64] not in named:
            with suppress(OSError):
                shutil.rmtree(path) if is_dir(path) else path.unlink()


def is_ours(path: Path) -> bool:
    """Whether something in the folder of such files has the name of one."""
    return _DIGEST.fullmatch(path.name[:64]) is not None
