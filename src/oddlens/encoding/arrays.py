"""The few things that are done with features by those who do not compute with them: torch's tensors and numpy's arrays alike.

An array says itself which it is. Torch is imported only where a tensor is there already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oddlens.methods.scoring import Array, Features, Numbers, Scores


def join_features(parts: Sequence[Mapping[str, Array]]) -> Features:
    """Batches of one method as one. Where images of several sizes have features of several sizes, smaller ones end in zeros."""
    if all(isinstance(value, np.ndarray) for value in parts[0].values()):
        return {name: _stacked([part[name] for part in parts]) for name in parts[0]}
    from oddlens.methods.base import join_features as join_tensors

    return join_tensors(parts)


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
    found: Numbers = array.detach().cpu().numpy()
    return found


def scores_to_numpy(scores: Scores[Any]) -> Scores[Numbers]:
    """What a method says of a batch, as numpy's."""
    return replace(
        scores,
        scores=to_numpy(scores.scores),
        maps=_each_to_numpy(scores.maps),
        parts={name: to_numpy(values) for name, values in scores.parts.items()},
        labels=None if scores.labels is None else _each_to_numpy(scores.labels),
    )


def _each_to_numpy(maps: Array | Sequence[Array]) -> Numbers | Sequence[Numbers]:
    return [to_numpy(each) for each in maps] if isinstance(maps, list | tuple) else to_numpy(maps)


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
    found: bool = array.is_floating_point()
    return found


def means(tokens: Array) -> NDArray[np.float32]:
    """The mean over the tokens of each image that are not all zero: [images, tokens, channels] -> float32 [images, channels]."""
    if isinstance(tokens, np.ndarray):
        filled = (tokens != 0).any(axis=-1).sum(axis=1, keepdims=True).clip(min=1)
        return np.asarray(tokens.sum(axis=1, dtype=np.float64) / filled, np.float32)
    filled = tokens.ne(0).any(dim=-1).sum(dim=1, keepdim=True).clamp(min=1)
    return np.asarray(to_numpy(tokens.float().sum(dim=1) / filled), np.float32)
