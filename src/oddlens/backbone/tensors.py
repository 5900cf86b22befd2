"""Tensors from disk: whether they can be used (names, types, shapes, values), and laid out as torch lays out its own.

Everything that reads tensors asks here: a model's weights, a method's learned part, a station's references, cached text features.

Kernels of linear algebra choose their path by where a tensor lies. What torch allocates starts at a multiple of 64 bytes, what a
file holds starts anywhere: without a copy the same weights out of another file give other last bits (1e-7 in an embedding).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

ALIGNMENT = 64
"""Bytes: what torch's own allocator keeps on a processor."""

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

Shape = Sequence[int | None]
"""Lengths of a tensor's dimensions; None is any length."""


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a .safetensors file by name, aligned, and its metadata.

    Raises `OSError` where there is none, `SafetensorError` for one that is damaged.
    """
    path.open(
        "rb"
    ).close()  # which says what is wrong; the next line knows no other reason than that there is no such file
    with safe_open(path, framework="pt") as file:
        tensors = {name: aligned(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
        return tensors, file.metadata() or {}


def aligned(tensor: Tensor) -> Tensor:
    """The tensor itself where it is contiguous and starts at a multiple of 64 bytes, else a copy that does.

    What is not stored as plain numbers (`tensor_fault`) has to be refused before.
    """
    if tensor.is_contiguous() and tensor.data_ptr() % ALIGNMENT == 0:
        return tensor
    return tensor.clone(memory_format=torch.contiguous_format)


def tensor_fault(tensor: Tensor, shape: Shape | None = None, dtypes: Sequence[torch.dtype] = FLOATS) -> str:
    """What is wrong with a tensor, to be set behind its name ("[5] instead of [128]"); "" where nothing is.

    shape: None is any. A number counts as finite where float32, which everything here computes in, can hold it. What is wrong in
    form is said before the values are looked at, so that a small file cannot ask for much memory.
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
    """What is wrong with a set of tensors, in words that name the first few of each kind; "" where nothing is.

    shapes: of every tensor that must be there, by name; all are of floating type. Any other tensor is a fault.
    """
    faults = {name: tensor_fault(given[name], shape) for name, shape in shapes.items() if name in given}
    told = [
        _listed("missing", [name for name in shapes if name not in given]),
        _listed("unexpected", [name for name in given if name not in shapes]),
        _listed("unusable", [f"{name} {fault}" for name, fault in faults.items() if fault]),
    ]
    return "; ".join(filter(None, told))


def storage_fault(tensors: Mapping[str, Tensor], size: int) -> str:
    """Why the tensors of a file of `size` bytes must not be computed with, before anything is known of them; "" where they may.

    Tensors may share their numbers; but when each gets its own, a small file must not become a large model.
    """
    unplain = next((name for name, tensor in tensors.items() if not _is_plain(tensor)), None)
    if unplain is not None:
        return f"{unplain} is not stored as plain numbers"
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) > 2 * size:
        return "its tensors need more memory than the file holds"
    return ""


def is_finite(tensor: Tensor) -> bool:
    """Whether float32 can hold every number of a floating tensor. Takes no memory beside it (float64 gets a copy)."""
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


def _listed(word: str, names: list[str], most: int = 4) -> str:
    if not names:
        return ""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{len(names)} {word} ({', '.join(names[:most])}{rest})"
