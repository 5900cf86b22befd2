"""The precision of the frozen tower: float32, or fewer bits if the device is faster with them and the features stay the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor

from oddlens.backbone.vision_pass import VisionPass
from oddlens.io.pixels import Pixels
from oddlens.training.trainable import Trainable

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
AUTO = "auto"
GAIN = 1.2
"""How many times faster than float32 fewer bits must be to be worth their rounding."""

TOLERANCE = 0.02
"""How far features in fewer bits may lie from those in float32: the norm of the difference over their norm."""

_ROUNDS = 3


@dataclass(frozen=True)
class Precision:
    """A precision.

    Attributes:
        name: One of `PRECISIONS`.
        speed: How many times faster than float32 each other precision was, where it was timed.
        difference: How far the features of an image lay from those in float32, where that was measured: see `TOLERANCE`.
    """

    name: str
    speed: dict[str, float]
    difference: dict[str, float] = field(default_factory=dict)

    def lowered(self, device: torch.device) -> AbstractContextManager[object]:
        """The context in which the tower runs."""
        if self.name == "float32":
            return nullcontext()
        return torch.autocast(device.type, PRECISIONS[self.name])


def choose_precision(name: str, trainable: Trainable, image: Pixels) -> Precision:
    """The precision of that name; "auto" measures on the device of the model which is faster and near enough.

    Only the tower runs in fewer bits; what is learned is always float32, so that no gradient needs scaling. The tower's largest
    matrix product is timed: fewer bits are worth it from `GAIN` times the speed on. Where they are, the features of an image are
    computed in both; they may differ by `TOLERANCE`. Of two that fit, bfloat16 comes first, which cannot overflow.

    Args:
        name: One of `PRECISIONS`, or "auto".
        trainable: Whose features are compared.
        image: An image to compare on, uint8 [height, width, 3].
    """
    if name != AUTO:
        return Precision(name, {})
    backbone = trainable.backbone
    shape = backbone.vision.config
    tokens = 1 + (trainable.request.image_size // shape.patch_size) ** 2
    seconds = {
        each: _product_seconds(backbone.device, dtype, tokens, shape.width, shape.mlp_width)
        for each, dtype in PRECISIONS.items()
    }
    speed = {each: seconds["float32"] / seconds[each] for each in ("bfloat16", "float16")}
    difference: dict[str, float] = {}
    for each in (name for name, gain in speed.items() if gain >= GAIN):
        difference[each] = _difference(trainable, image, each)
        if difference[each] <= TOLERANCE:  # which a difference that is no number is not
            return Precision(each, speed, difference)
    return Precision("float32", speed, difference)


@torch.inference_mode()
def _difference(trainable: Trainable, image: Pixels, name: str) -> float:
    """The largest relative difference of an image's features in this precision from those in float32."""
    exact, other = (_features(trainable, image, Precision(each, {})) for each in ("float32", name))
    differences = [(other[name] - value).norm() / value.norm() for name, value in exact.items()]
    return float(torch.stack(differences).max())


def _features(trainable: Trainable, image: Pixels, precision: Precision) -> Mapping[str, Tensor]:
    backbone, request = trainable.backbone, trainable.request
    with precision.lowered(backbone.device):
        features = trainable.encode(VisionPass(backbone, [request.view(image)], request))
    return {name: value.double().cpu() for name, value in features.items()}


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
