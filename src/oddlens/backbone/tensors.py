"""Tensors from disk: whether they can be used (names, types, shapes, values), and where they lie in memory, also on a GPU.

All that reads tensors uses this: a model's weights, a method's learned weights, a station's references, cached prompt embeddings.

Kernels of linear algebra choose their path by where a tensor lies. A tensor that torch allocates starts at a multiple of 64 bytes;
one in a file starts anywhere. Without a copy the same weights from another file give other last bits (1e-7 in an embedding).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from oddlens.errors import first_and_more
from oddlens.io.paths import open_file

ALIGNMENT = 64
"""Bytes: the alignment of torch's own allocator on a processor."""

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

Shape = Sequence[int | None]
"""Lengths of a tensor's dimensions; None is any length."""


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a .safetensors file by name, aligned, and its metadata.

    Raises:
        OSError: There is no such file, or it may not be read.
        SafetensorError: It is damaged.
    """
    open_file(path).close()  # this error says what is wrong; safe_open says of any that there is no such file
    with safe_open(path, framework="pt") as file:
        tensors = {name: aligned(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
        return tensors, file.metadata() or {}


def aligned(tensor: Tensor) -> Tensor:
    """The tensor itself where it is contiguous and starts at a multiple of 64 bytes, else a copy that does.

    Callers refuse a tensor that is not stored as plain numbers before (`tensor_fault`).
    """
    if tensor.is_contiguous() and tensor.data_ptr() % ALIGNMENT == 0:
        return tensor
    return tensor.clone(memory_format=torch.contiguous_format)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the processor on a device. A GPU fetches it from pinned memory, while the program goes on."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def tensor_fault(tensor: Tensor, shape: Shape | None = None, dtypes: Sequence[torch.dtype] = FLOATS) -> str:
    """What is wrong with a tensor, to stand behind its name ("[5] instead of [128]"); "" where nothing is.

    A number counts as finite where float32, which all towers compute in, can hold it. The form is checked before the values, so
    that a small file cannot take much memory.

    Args:
        tensor: As it was read.
        shape: None is any.
        dtypes: Those that are possible.
    """
    if tensor.dtype not in dtypes:
        wanted = " or ".join(_dtype_name(dtype) for dtype in dtypes)
        return f"of type {_dtype_name(tensor.dtype)} instead of {wanted}"
    if shape is not None and not _fits(tensor.shape, shape):
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        return f"{list(tensor.shape)} instead of [{wanted}]"
    if not _is_plain(tensor):
        return "not stored as plain numbers"
    if tensor.is_floating_point() and not is_finite(tensor):
        return "with numbers that are not finite"
    return ""


def tensor_faults(given: Mapping[str, Tensor], shapes: Mapping[str, Shape]) -> str:
    """What is wrong with a set of tensors, naming the first few of each fault; "" where nothing is.

    Args:
        given: Tensors by name, as they were read.
        shapes: Of every tensor that must be there, by name; all are of floating type. Any other tensor is a fault.
    """
    faults = {name: tensor_fault(given[name], shape) for name, shape in shapes.items() if name in given}
    lists = [
        _listed("missing", [name for name in shapes if name not in given]),
        _listed("unexpected", [name for name in given if name not in shapes]),
        _listed("unusable", [f"{name} {fault}" for name, fault in faults.items() if fault]),
    ]
    return "; ".join(filter(None, lists))


def storage_fault(tensors: Mapping[str, Tensor], size: int) -> str:
    """Why the tensors of a file of `size` bytes must not be used, before anything is known of them; "" where they may.

    Tensors may share their numbers, but a small file must not become a large model once each tensor has its own.
    """
    unplain = next((name for name, tensor in tensors.items() if not _is_plain(tensor)), None)
    if unplain is not None:
        return f"{unplain} is not stored as plain numbers"
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) > 2 * size:
        return "its tensors need more memory than the file holds"
    return ""


def is_finite(tensor: Tensor) -> bool:
    """Whether float32 can hold every number of a floating tensor. It takes no memory (but a copy for float64)."""
    if not tensor.numel():
        return True
    low, high = torch.aminmax(tensor.detach().float() if tensor.dtype == torch.float64 else tensor.detach())
    return bool(torch.isfinite(low) & torch.isfinite(high))  # NaN anywhere makes both NaN


def _fits(found: Sequence[int], wanted: Shape) -> bool:
    return len(found) == len(wanted) and all(length in (None, own) for own, length in zip(found, wanted, strict=True))


def _is_plain(tensor: Tensor) -> bool:
    """Whether every number of a tensor lies in memory. Otherwise a few bytes may stand for a tensor of any size."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        return False
    return tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _listed(word: str, names: list[str], most: int = 4, longest: int = 200) -> str:
    if not names:
        return ""
    short = [name if len(name) <= longest else f"{name[:longest]}..." for name in names]
    return f"{len(names)} {word} ({first_and_more(short, most)})"
