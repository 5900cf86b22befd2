"""Whether tensors that were read from disk can be used: their names, types, shapes and values.

Everything that reads tensors asks here: a model's weights, a method's learned part, a station's references, cached text features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

Shape = Sequence[int | None]
"""Lengths of a tensor's dimensions; None is any length."""


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
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or _is_overlapping(tensor):
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


def is_finite(tensor: Tensor) -> bool:
    """Whether float32 can hold every number of a floating tensor. Takes no memory beside it (float64 gets a copy)."""
    if not tensor.numel():
        return True
    low, high = torch.aminmax(tensor.detach().float() if tensor.dtype == torch.float64 else tensor.detach())
    return bool(torch.isfinite(low) & torch.isfinite(high))  # NaN anywhere makes both NaN


def _fits(found: Sequence[int], wanted: Shape) -> bool:
    return len(found) == len(wanted) and all(length in (None, own) for own, length in zip(found, wanted, strict=True))


def _is_overlapping(tensor: Tensor) -> bool:
    """Whether several places of a tensor lie in the same memory: so few bytes can stand for a tensor of any size."""
    return tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size()


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _listed(word: str, names: list[str], most: int = 4) -> str:
    if not names:
        return ""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{len(names)} {word} ({', '.join(names[:most])}{rest})"
