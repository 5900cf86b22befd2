"""The precision of the frozen tower: float32, or fewer bits if the device is faster with them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from oddlens.backbone.backbone import Backbone

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
AUTO = "auto"
GAIN = 1.2
"""How many times faster than float32 fewer bits must be to be worth their rounding."""

_ROUNDS = 3


@dataclass(frozen=True)
class Precision:
    """A precision.

    Attributes:
        name: One of `PRECISIONS`.
        speed: How many times faster than float32 each other precision was, where it was timed.
    """

    name: str
    speed: dict[str, float]

    def lowered(self, device: torch.device) -> AbstractContextManager[object]:
        """The context in which the tower runs."""
        if self.name == "float32":
            return nullcontext()
        return torch.autocast(device.type, PRECISIONS[self.name])


def choose_precision(name: str, backbone: Backbone, image_size: int) -> Precision:
    """The precision of that name; "auto" measures the tower's largest matrix product on its device and takes what is faster.

    Only the tower runs in fewer bits; what is learned is always float32, so that no gradient needs scaling. Fewer bits
    are worth it from `GAIN` times the speed on; of two that are, bfloat16 comes first, which cannot overflow.
    """
    if name != AUTO:
        return Precision(name, {})
    shape = backbone.vision.config
    tokens = 1 + (image_size // shape.patch_size) ** 2
    seconds = {
        each: _product_seconds(backbone.device, dtype, tokens, shape.width, shape.mlp_width)
        for each, dtype in PRECISIONS.items()
    }
    speed = {each: seconds["float32"] / seconds[each] for each in ("bfloat16", "float16")}
    return Precision(next((each for each, gain in speed.items() if gain >= GAIN), "float32"), speed)


def _product_seconds(device: torch.device, dtype: torch.dtype, rows: int, inner: int, columns: int) -> float:
    """The least time of a product [rows, inner] x [inner, columns], float32 operands under autocast as in the tower."""
    left, right = torch.ones(rows, inner, device=device), torch.ones(columns, inner, device=device)
    context = nullcontext() if dtype is torch.float32 else torch.autocast(device.type, dtype)
    with torch.inference_mode(), context:
        return min(_seconds(lambda: torch.nn.functional.linear(left, right), device) for _ in range(1 + _ROUNDS))


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    started = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
