"""Tensors out of a TorchScript archive (OpenAI's CLIP `.pt`) without running anything in it.

Such an archive is a zip with one pickle that describes the module tree and one raw file a tensor storage. The pickle is read by
an unpickler that knows five harmless names and turns every scripted class into an inert bag of attributes; the scripted code
in the archive is never looked at.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from oddlens.errors import ModelError

_DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive: a zip that carries scripted code (a saved state dict carries none)."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """The state dict of a TorchScript archive: dotted parameter and buffer names to tensors. Raises `ModelError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(entry for entry in archive.namelist() if entry.endswith("/data.pkl"))
            reader = _InertUnpickler(archive, name.removesuffix("data.pkl"), archive.read(name))
            root = reader.load()
    except Exception as error:  # a damaged pickle may fail in any way
        raise ModelError(f"{path} is not a readable CLIP archive ({error}): download it again") from error
    tensors: dict[str, Tensor] = {}
    _collect(root, "", tensors)
    return tensors


class _ScriptedModule:
    """Stands for any scripted class: holds the attributes that the archive gives it and can do nothing."""

    def __setstate__(self, state: Any) -> None:
        self.attributes: dict[str, Any] = state if isinstance(state, dict) else {}


class _StorageType:
    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


class _InertUnpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, folder: str, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._archive = archive
        self._folder = folder
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _ScriptedModule
        if module == "torch" and name in _DTYPES:
            return _StorageType(_DTYPES[name])
        known = {
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
            ("torch.jit._pickle", "restore_type_tag"): lambda value, _tag: value,
            ("torch.jit._pickle", "build_intlist"): list,
            ("collections", "OrderedDict"): OrderedDict,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no CLIP needs")
        return known[module, name]

    def persistent_load(self, pid: Any) -> Tensor:
        _, kind, key, _, _ = pid
        if key not in self._storages:
            data = bytearray(self._archive.read(f"{self._folder}data/{key}"))
            self._storages[key] = torch.frombuffer(data, dtype=kind.dtype) if data else torch.empty(0, dtype=kind.dtype)
        return self._storages[key]


def _rebuild_tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    return torch.as_strided(storage, size, stride, offset)


def _collect(value: Any, prefix: str, tensors: dict[str, Tensor]) -> None:
    if isinstance(value, Tensor):
        tensors[prefix.removesuffix(".")] = value
    elif isinstance(value, _ScriptedModule):
        for name, inner in getattr(value, "attributes", {}).items():
            _collect(inner, f"{prefix}{name}.", tensors)
