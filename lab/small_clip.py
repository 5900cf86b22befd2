"""Training a whole small CLIP over the frozen stem: first weights, the loop, the model folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from oddlens.backbone.efficientnet import COARSE_CHANNELS, FINE_CHANNELS, HybridStem, trunk_file, trunk_tensors
from oddlens.backbone.layouts import embedded
from oddlens.backbone.model import ClipModel
from oddlens.backbone.text import TextConfig
from oddlens.backbone.tokenizer import Tokenizer
from oddlens.backbone.vision import VisionConfig
from oddlens.backbone.weights_file import read_tensors
from oddlens.io.atomic import replacing, write_bytes, write_text
from oddlens.training.checkpoint import read_state, write_state
from oddlens.training.loop import minimise


@dataclass(frozen=True)
class Schedule:
    """The schedule of AdamW's learning rate: linear warm-up, a plateau, linear decay to a hundredth.

    Attributes:
        steps: All steps.
        learning_rate: Of the plateau.
        weight_decay: On matrices.
        warm_up: Steps of the warm-up.
        decay_from: The share of all steps after which the decay begins.
    """

    steps: int
    learning_rate: float
    weight_decay: float
    warm_up: int
    decay_from: float

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        start = self.decay_from * self.steps
        return self.learning_rate * (1.0 if step < start else max(0.01, 1 - (step - start) / (self.steps - start)))


class _State(TypedDict):
    """What a checkpoint holds. recent: the losses of the last steps."""

    model: dict[str, Tensor]
    optimiser: dict[str, object]
    step: int
    recent: list[dict[str, float]]


def fresh_model(vision: VisionConfig, text: TextConfig, seed: int, temperature: float) -> ClipModel:
    """A model with weights drawn by the seed over the published stem; the stem and the logit scale are not trained."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        stem = HybridStem(vision.width)
        model = ClipModel(vision, text, stem)
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and "trunk" not in name:
                torch.nn.init.normal_(parameter, std=0.02)
        torch.nn.init.normal_(model.vision.class_embedding, std=0.02)
        torch.nn.init.normal_(stem.projection.weight, std=(2 / (4 * FINE_CHANNELS + COARSE_CHANNELS)) ** 0.5)
        torch.nn.init.normal_(model.vision.projection.weight, std=vision.width**-0.5)
        torch.nn.init.normal_(model.text.projection.weight, std=text.width**-0.5)
    with torch.no_grad():
        model.logit_scale.fill_(float(np.log(1 / temperature)))
    stem.trunk.load_state_dict(trunk_tensors(read_tensors(trunk_file())))
    stem.trunk.requires_grad_(False)
    return model


def train_clip(
    model: ClipModel, schedule: Schedule, losses: Callable[[int], dict[str, Tensor]], checkpoint: Path,
    progress: Callable[[str, int, int], None], every: int,
) -> dict[str, float]:  # fmt: skip
    """Train to the end of the schedule, from the state of the checkpoint; returns the means of the last losses.

    Args:
        model: The model.
        schedule: The schedule.
        losses: Step -> the weighted parts of its loss by name; they may depend on the step's number only, so that a resumed run
            equals an undisturbed one.
        checkpoint: The checkpoint file.
        progress: Called with ("training", done, total).
        every: Steps between two writings of the checkpoint.

    Raises:
        OddlensError: A loss is not finite.
    """
    optimiser = torch.optim.AdamW(_groups(model, schedule.weight_decay), lr=schedule.learning_rate)
    first, recent = _resume(checkpoint, model, optimiser)
    for step in range(first, schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(step)
        values = minimise([losses(step)], optimiser, f"step {step + 1}", clip=1.0)
        recent = [*recent[-49:], values]
        if (step + 1) % every == 0:
            state: _State = {
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step + 1,
                "recent": recent,
            }
            write_state(checkpoint, state)
        progress("training", step + 1, schedule.steps)
    return {name: float(np.mean([entry[name] for entry in recent])) for name in (recent[0] if recent else {})}


def save_model(model: ClipModel, tokenizer: Tokenizer, out: Path, provenance: dict[str, object]) -> None:
    """Write a model folder: the trained weights in float16, the configuration with the provenance, the tokenizer."""
    tensors = {
        name: value.detach().half().contiguous()
        for name, value in model.state_dict().items()
        if not name.startswith(embedded.TRUNK)
    }
    write_bytes(out / embedded.WEIGHTS, save(tensors))
    config = embedded.describe(model) | {"provenance": provenance}
    write_text(out / embedded.CONFIG, json.dumps(config, indent=2) + "\n")
    with replacing(out / "tokenizer.json") as temporary:
        tokenizer.save(temporary)


def _groups(model: ClipModel, weight_decay: float) -> list[dict[str, object]]:
    """Parameter groups: weight decay on matrices only; the stem's trunk and the logit scale are not trained."""
    learning = [(n, p) for n, p in model.named_parameters() if p.requires_grad and n != "logit_scale"]
    return [
        {"params": [p for _, p in learning if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for _, p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _resume(checkpoint: Path, model: ClipModel, optimiser: torch.optim.Optimizer) -> tuple[int, list[dict[str, float]]]:
    """The step to continue with, and the losses of the last steps before it."""
    state = read_state(checkpoint, _State)
    if state is None:
        return 0, []
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return state["step"], state["recent"]
