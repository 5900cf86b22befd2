"""Tensor names of a layout to ours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Pairs = Sequence[tuple[str, str]]


def rename(name: str, prefixes: Pairs, in_blocks: Pairs) -> str:
    """The name with the first prefix that fits exchanged, and then every part that stands inside a block."""
    for old, new in prefixes:
        if name.startswith(old):
            name = new + name[len(old) :]
            break
    for old, new in in_blocks:
        name = name.replace(old, new)
    return name


def pack_attention(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A copy of the dict in which `self_attn.q_proj`, `.k_proj` and `.v_proj` of a block are one `qkv`.

    Projections that are not all there, or of different shapes, stay as they are: who fills a model names them.
    """
    packed = dict(tensors)
    for query in [name for name in packed if ".self_attn.q_proj." in name]:
        names = [query.replace(".q_proj.", f".{part}_proj.") for part in "qkv"]
        if all(name in packed and packed[name].shape == packed[query].shape for name in names):
            packed[query.replace("self_attn.q_proj.", "qkv.")] = torch.cat([packed.pop(name) for name in names])
    return packed
