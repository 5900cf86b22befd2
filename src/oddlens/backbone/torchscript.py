"""Tensors out of a TorchScript archive (OpenAI's CLIP `.pt`) without running anything in it.

Such an archive is a zip with one pickle that describes the module tree and one raw file a tensor storage. The pickle is judged
first (`pickles.py`) and then read by an unpickler that knows five harmless names. It turns every scripted class into an inert bag
of attributes, and every tensor into a note of where its numbers lie. The scripted code in the archive is never read.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from oddlens.backbone.pickles import check_archive, check_pickle
from oddlens.backbone.tensors import storage_fault
from oddlens.errors import ModelError, first_line

_DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}
_MOST_PARTS = 100_000
"""Modules, tensors and settings of an archive. A large CLIP has 5,000."""
_DEEPEST = 30
"""Modules inside modules. OpenAI's go to 7."""
_LONGEST = 200
"""Characters of an attribute's name."""


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive: a zip that carries scripted code (a saved state dict carries none)."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except Exception:  # a damaged archive may fail in any way
        return False


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """The state dict of a TorchScript archive: dotted parameter and buffer names to tensors. Raises `ModelError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path.stat().st_size)
            name = next(entry for entry in archive.namelist() if entry.endswith("/data.pkl"))
            described = archive.read(name)
            check_pickle(io.BytesIO(described))
            places = _places(_InertUnpickler(io.BytesIO(described)).load())
            tensors = _tensors(archive, name.removesuffix("data.pkl"), places)
        if fault := storage_fault(tensors, path.stat().st_size):
            raise ValueError(fault)
        return tensors
    except Exception as error:  # a damaged pickle may fail in any way
        reason = first_line(error)
        raise ModelError(f"{path} is not a readable CLIP archive ({reason}): download it again") from error


class _Place(NamedTuple):
    """Where the numbers of a tensor lie: in which file of the archive, and how. Nothing of it is checked yet."""

    storage: object
    offset: object
    size: object
    stride: object


class _ScriptedModule:
    """Stands for any scripted class: holds the attributes that the archive gives it and can do nothing."""

    attributes: object = None

    def __setstate__(self, state: object) -> None:
        self.attributes = state


class _InertUnpickler(pickle.Unpickler):
    """Gives dicts, lists, numbers, texts, `_ScriptedModule` and `_Place`.

    What is called makes one small value and copies nothing, so that a pickle takes no more memory than its length allows.
    """

    def find_class(self, module: str, name: str) -> object:
        if module.startswith("__torch__"):
            return _ScriptedModule
        if module == "torch" and name in _DTYPES:
            return name
        known = {
            ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, size, stride, *_: _Place(
                storage, offset, size, stride
            ),
            ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
            ("torch.jit._pickle", "restore_type_tag"): lambda value, _tag: value,
            ("torch.jit._pickle", "build_intlist"): lambda values: values,
            ("collections", "OrderedDict"): lambda *_: {},
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no CLIP needs")
        return known[module, name]

    def persistent_load(self, pid: object) -> object:
        return pid


def _places(root: object) -> dict[str, _Place]:
    """All tensors of a module tree, by dotted name. A tree may hold one part twice; one that holds itself is refused."""
    if not isinstance(root, _ScriptedModule):
        raise ValueError("it describes no module")
    places: dict[str, _Place] = {}
    waiting: list[tuple[tuple[str, ...], object]] = [((), root)]
    parts = 0
    while waiting:
        names, part = waiting.pop()
        if isinstance(part, _Place):
            places[".".join(names)] = part
        elif isinstance(part, _ScriptedModule) and isinstance(part.attributes, dict):
            parts += len(part.attributes)
            if len(names) == _DEEPEST or parts > _MOST_PARTS:
                raise ValueError("its modules are too many or nested too deeply")
            waiting += [((*names, _name(name)), inner) for name, inner in part.attributes.items()]
    return places


def _name(name: object) -> str:
    if not isinstance(name, str) or len(name) > _LONGEST:
        raise ValueError("it has an attribute without a proper name")
    return name


def _tensors(archive: zipfile.ZipFile, folder: str, places: dict[str, _Place]) -> dict[str, Tensor]:
    """The tensors at their places; those that share a storage do so again."""
    storages: dict[tuple[str, str], Tensor] = {}
    tensors: dict[str, Tensor] = {}
    for name, place in places.items():
        if not isinstance(place.storage, tuple) or len(place.storage) < 3:
            raise ValueError(f"it does not say where {name} is stored")
        kind, key = str(place.storage[1]), str(place.storage[2])
        if (key, kind) not in storages:
            data = bytearray(archive.read(f"{folder}data/{key}"))
            dtype = _DTYPES[kind]
            storages[key, kind] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        size, stride, (offset,) = _wholes(place.size), _wholes(place.stride), _wholes([place.offset])
        tensors[name] = torch.as_strided(storages[key, kind], size, stride, offset)
    return tensors


def _wholes(values: object) -> list[int]:
    if not isinstance(values, list | tuple) or not all(isinstance(value, int) for value in values):
        raise ValueError("it has a tensor of no proper shape")
    return list(values)
