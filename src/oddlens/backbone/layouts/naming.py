"""Tensor names of a layout to ours, without wrappers around names and without tensors that no tower needs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from oddlens.errors import ModelError

Pairs = Sequence[tuple[str, str]]

_WRAPPERS = re.compile(r"^(?:(?:module|model|clip)\.)+")
_UNUSED = {"attn_mask", "position_ids", "logit_bias", "input_resolution", "context_length", "vocab_size"}
"""Endings of the names of tensors that no tower needs. A logit bias cancels out in a softmax over prompts."""

TRAINED_OUT = math.log(100)
"""The upper bound of the logit scale in CLIP's training: the value for files that have none."""


def towers_only(tensors: Mapping[str, Tensor], source: object) -> dict[str, Tensor]:
    """The tensors without wrappers in their names, without those that no tower needs, and with a logit scale, a scalar.

    Raises:
        ModelError: Two tensors get one name, as in a file of several models.
    """
    found: dict[str, Tensor] = {}
    for wrapped, value in tensors.items():
        name = _WRAPPERS.sub("", wrapped)
        if name.rpartition(".")[2] in _UNUSED:
            continue
        if name in found:
            raise ModelError(f"{source} holds {name} twice, as a file of several models does: save one model alone")
        found[name] = value
    scale = found.get("logit_scale", torch.tensor(TRAINED_OUT))
    return found | {"logit_scale": scale.reshape(()) if scale.numel() == 1 else scale}


def rename(name: str, prefixes: Pairs, in_blocks: Pairs) -> str:
    """The name with the first matching prefix replaced, and then every part of a name inside a block."""
    for old, new in prefixes:
        if name.startswith(old):
            name = new + name[len(old) :]
            break
    for old, new in in_blocks:
        name = name.replace(old, new)
    return name


def pack_attention(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A copy of the dict in which `self_attn.q_proj`, `.k_proj` and `.v_proj` of a block are one `qkv`.

    Projections that are incomplete or of different shapes stay as they are: `checkpoint.fill` names them.
    """
    packed = dict(tensors)
    for query in [name for name in packed if ".self_attn.q_proj." in name]:
        names = [query.replace(".q_proj.", f".{part}_proj.") for part in "qkv"]
        if all(name in packed and packed[name].shape == packed[query].shape for name in names):
            packed[query.replace("self_attn.q_proj.", "qkv.")] = torch.cat([packed.pop(name) for name in names])
    return packed
