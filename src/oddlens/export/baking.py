"""A method on a tower of one size: its position embeddings are those of that size, so that no graph resizes them.

Runtimes resize otherwise than torch at the borders (OpenVINO's antialiased bicubic filter by 0.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from oddlens.backbone.options import PositionResize
from oddlens.backbone.positions import resized_positions
from oddlens.backbone.tower import VisionTower
from oddlens.methods.base import AnyMethod

M = TypeVar("M", bound=nn.Module)


def baked(method: AnyMethod) -> AnyMethod:
    """The same method, in the same memory, on a tower whose own size is the one that the method gives it."""
    request, backbone = method.request, copy(method.backbone)
    backbone.model = _with(
        method.backbone.model, "_modules", vision=_sized(method.backbone.vision, request.image_size, request.position)
    )
    other = copy(method)
    other.backbone = backbone
    return other


@torch.no_grad()
def _sized(tower: VisionTower, size: int, position: PositionResize | None) -> VisionTower:
    """The tower with the positions of squares of `size` pixels."""
    table = tower._parameters.get("position_embedding")
    native, side = tower.config.grid, size // tower.config.patch_size
    if table is None or side == native:
        return tower
    prefix = table.shape[0] - native**2
    places = resized_positions(table[prefix:], native, (side, side), position or tower.own_position)
    other = _with(
        tower, "_parameters", position_embedding=nn.Parameter(torch.cat([table[:prefix], places]), requires_grad=False)
    )
    other.config = replace(tower.config, image_size=side * tower.config.patch_size)
    return other


def _with(module: M, kind: str, **parts: nn.Module | Tensor) -> M:
    """A module that shares everything with another one but some of its parameters or submodules."""
    other = copy(module)
    held: Mapping[str, object] = module.__dict__[kind]
    other.__dict__[kind] = {**held, **parts}
    return other
