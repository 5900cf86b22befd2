"""The few things that are done with features by those who do not compute with them: torch's tensors and numpy's arrays alike.

An array says itself which it is. Torch is imported only where a tensor is there already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from oddlens.errors import UsageError
from oddlens.methods.scoring import Array, Features, Numbers, Scores

if TYPE_CHECKING:
    import torch

Device: TypeAlias = "torch.device | str | int"
"""Where tensors lie, as torch calls it."""


def join_features(parts: Sequence[Mapping[str, Array]]) -> Features:
    """Batches of one method as one. Where images of several sizes have features of several sizes, smaller ones end in zeros."""
    if _are_numbers(parts):
        return {name: _stacked([part[name] for part in parts]) for name in parts[0]}
    from oddlens.methods.base import join_features as join_tensors
    from oddlens.methods.base import tensors_of

    return join_tensors([tensors_of(part) for part in parts])


def _are_numbers(parts: Sequence[Mapping[str, Array]]) -> TypeGuard[Sequence[Mapping[str, Numbers]]]:
    return all(isinstance(value, np.ndarray) for part in parts for value in part.values())


def _stacked(parts: Sequence[Numbers]) -> Numbers:
    inner = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    if all(list(part.shape[1:]) == inner for part in parts):
        return np.concatenate(parts)
    joined = np.zeros((sum(map(len, parts)), *inner), parts[0].dtype)
    first = 0
    for part in parts:
        joined[(slice(first, first + len(part)), *map(slice, part.shape[1:]))] = part
        first += len(part)
    return joined


def to_numpy(array: Array) -> Numbers:
    """The same numbers as numpy's, in the same memory where they lie in it already."""
    if isinstance(array, np.ndarray):
        return array
    return array.detach().cpu().numpy()


def scores_to_numpy(scores: Scores[Array]) -> Scores[Numbers]:
    """What a method says of a batch, as numpy's."""
    return Scores(
        to_numpy(scores.scores),
        _each_to_numpy(scores.maps),
        {name: to_numpy(values) for name, values in scores.parts.items()},
        None if scores.labels is None else _each_to_numpy(scores.labels),
        scores.label_names,
        None if scores.unseen is None else to_numpy(scores.unseen),
    )


def _each_to_numpy(maps: Array | Sequence[Array]) -> Numbers | Sequence[Numbers]:
    return [to_numpy(each) for each in maps] if isinstance(maps, Sequence) else to_numpy(maps)


def moved(array: Array, device: Device) -> Array:
    """The same tensor on another device. Raises `UsageError` for an array of numpy, which lies on the processor."""
    if isinstance(array, np.ndarray):
        raise UsageError("graphs keep features on the processor: load the detector with runtime 'torch' to move them")
    return array.to(device)


def aligned(array: Array) -> Array:
    """The array contiguous and, of a tensor, where torch puts its own: see `backbone.tensors`."""
    if isinstance(array, np.ndarray):
        return np.ascontiguousarray(array)
    from oddlens.backbone.tensors import aligned as aligned_tensor

    return aligned_tensor(array)


def is_finite(array: Array) -> bool:
    """Whether all of its numbers are."""
    return bool((np.isfinite(array) if isinstance(array, np.ndarray) else array.isfinite()).all())


def is_floating(array: Array) -> bool:
    """Whether its numbers are fractions, not counts or marks."""
    if isinstance(array, np.ndarray):
        return np.issubdtype(array.dtype, np.floating)
    return array.is_floating_point()


def means(tokens: Array) -> NDArray[np.float32]:
    """The mean over the tokens of each image that are not all zero: [images, tokens, channels] -> float32 [images, channels]."""
    if isinstance(tokens, np.ndarray):
        filled = (tokens != 0).any(axis=-1).sum(axis=1, keepdims=True).clip(min=1)
        return np.asarray(tokens.sum(axis=1, dtype=np.float64) / filled, np.float32)
    filled = tokens.ne(0).any(dim=-1).sum(dim=1, keepdim=True).clamp(min=1)
    return np.asarray(to_numpy(tokens.float().sum(dim=1) / filled), np.float32)
