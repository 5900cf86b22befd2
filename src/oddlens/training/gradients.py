"""The gradient of a step, image by image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from oddlens.training.processes import Processes


class GradientSum:
    """The gradients of several losses, each computed alone and added in float64.

    So the sum depends neither on their order nor on which process computes which: Adam makes large steps of small differences.
    """

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        self._inputs = inputs
        self._found = [False] * len(inputs)
        exact = torch.float32 if inputs[0].device.type == "mps" else torch.float64  # which mps does not have
        self._flat = torch.zeros(sum(each.numel() for each in inputs), dtype=exact, device=inputs[0].device)

    def add(self, loss: Tensor) -> None:
        """Add the gradient of a loss."""
        gradients = torch.autograd.grad(loss, self._inputs, allow_unused=True)
        for number, (part, gradient) in enumerate(zip(self._parts(), gradients, strict=True)):
            if gradient is not None:
                part += gradient.flatten()
                self._found[number] = True

    def of_all(self, processes: Processes) -> list[Tensor | None]:
        """The sum over all processes for each input, of its type; None for one that no loss uses."""
        processes.add_up(self._flat)
        found = [any(each) for each in zip(*processes.gather(self._found), strict=True)]
        return [
            part.view_as(each).to(each.dtype) if used else None
            for each, part, used in zip(self._inputs, self._parts(), found, strict=True)
        ]

    def _parts(self) -> tuple[Tensor, ...]:
        return torch.split(self._flat, [each.numel() for each in self._inputs])
