"""The training loop of methods over frozen features: Adam as published, the same steps for the same seed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from oddlens.errors import OddlensError
from oddlens.training.checkpoint import Checkpoint, History, Losses
from oddlens.training.frozen import FrozenFeatures
from oddlens.training.gradients import GradientSum
from oddlens.training.images import TrainingImage, epoch_images
from oddlens.training.processes import ALONE, Processes
from oddlens.training.samples import SampleSet
from oddlens.training.settings import TrainingSettings
from oddlens.training.trainable import Trainable


@dataclass(frozen=True)
class Schedule:
    """The images of every step, known beforehand from the samples and the settings alone."""

    sets: tuple[SampleSet, ...]
    settings: TrainingSettings

    @property
    def steps(self) -> int:
        """The steps of one epoch."""
        return -(-sum(map(len, self.sets)) // self.settings.batch)

    @property
    def all_steps(self) -> int:
        """The steps of all epochs."""
        return self.settings.epochs * self.steps

    def batches(self, epoch: int) -> list[list[TrainingImage]]:
        """The images of an epoch (from 0), step by step, in an order that depends on the seed and the epoch."""
        seed, size = self.settings.seed, self.settings.batch
        images = [image for each in self.sets for image in epoch_images(each, epoch, seed, self.settings.mosaic)]
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
        order = torch.randperm(len(images), generator=generator).tolist()
        return [[images[number] for number in order[first : first + size]] for first in range(0, len(order), size)]


@dataclass(frozen=True)
class Callbacks:
    """Called after every step (steps done, its losses), and after every epoch (its number from 0, the history)."""

    step: Callable[[int, Losses], None] = lambda *_: None
    epoch: Callable[[int, History], None] = lambda *_: None


def train_frozen(
    trainable: Trainable,
    schedule: Schedule,
    features: FrozenFeatures,
    checkpoint: Checkpoint,
    callbacks: Callbacks = Callbacks(),
    processes: Processes = ALONE,
) -> History:
    """Train to the end of the schedule, from the state of the checkpoint; on one CPU the result is the same to the bit.

    The checkpoint is written after every epoch, and from time to time within it. Each of several processes takes its share of a
    step's images, and all make the step that one process makes.

    Raises:
        OddlensError: A loss is not finite.
    """
    settings = schedule.settings
    optimiser = torch.optim.Adam(list(trainable.parameters()), settings.learning_rate, settings.betas)
    history = checkpoint.resume(trainable, optimiser)
    for epoch in range(len(history) // schedule.steps, settings.epochs):
        for images in schedule.batches(epoch)[len(history) - epoch * schedule.steps :]:
            started = time.perf_counter()
            step = f"epoch {epoch + 1}, step {len(history) - epoch * schedule.steps + 1}"
            shared = trainable.shared()
            leaves = {name: value.detach().requires_grad_() for name, value in shared.items()}
            each = _losses(trainable, features, processes.share(images), len(images), leaves)
            through = [(shared[name], leaves[name]) for name in shared]
            losses = minimise(each, optimiser, step, through=through, processes=processes)
            history.losses.append(losses)
            history.seconds.append(time.perf_counter() - started)
            checkpoint.write_in_time(trainable, optimiser, history)
            callbacks.step(len(history), losses)
        checkpoint.write(trainable, optimiser, history)
        callbacks.epoch(epoch, history)
    return history


def _losses(
    trainable: Trainable,
    features: FrozenFeatures,
    images: Sequence[TrainingImage],
    count: int,
    shared: Mapping[str, Tensor],
) -> Iterator[dict[str, Tensor]]:
    """What each of these images adds to the parts of the loss of a step of `count` images."""
    if images:
        for each in features.batch(images).single():
            parts = trainable.losses(each.features, each.masks, each.labels, each.object_names, shared)
            yield {name: loss / count for name, loss in parts.items()}


def minimise(
    losses: Iterable[Mapping[str, Tensor]],
    optimiser: torch.optim.Optimizer,
    where: str,
    clip: float | None = None,
    through: Sequence[tuple[Tensor, Tensor]] = (),
    processes: Processes = ALONE,
) -> Losses:
    """One step of an optimiser on a loss, which every training here uses.

    Args:
        losses: What each image adds to the parts of the loss, by name and weighted. Of several processes each has some images.
        optimiser: The optimiser.
        where: Names the step in the error.
        clip: The largest norm of all gradients together.
        through: What is computed from the parameters once for all images, and what stands for it in the losses, without a history.
        processes: They make the same step.

    Returns:
        The parts as numbers.

    Raises:
        OddlensError: A part is not finite; nothing is changed then.
    """
    parameters: list[Tensor] = [each for group in optimiser.param_groups for each in group["params"]]
    gradients = GradientSum([*parameters, *(leaf for _, leaf in through)])
    values: dict[str, float] = {}
    for parts in losses:
        for name, loss in parts.items():
            values[name] = values.get(name, 0.0) + float(loss.detach())
        gradients.add(torch.stack(list(parts.values())).sum())
    values = processes.sums(values)
    if not all(map(math.isfinite, values.values())):
        shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        raise OddlensError(
            f"the loss is not finite in {where} ({shown}): try a smaller learning rate, and check the images of the data set"
        )
    found = gradients.of_all(processes)
    for parameter, gradient in zip(parameters, found, strict=False):
        parameter.grad = gradient
    used = [
        (value, total) for (value, _), total in zip(through, found[len(parameters) :], strict=True) if total is not None
    ]
    if used:
        torch.autograd.backward([value for value, _ in used], [total for _, total in used])
    if clip is not None:
        nn.utils.clip_grad_norm_(parameters, clip)
    optimiser.step()
    return values
