"""The training loop of methods that learn over frozen features: Adam as published, the same course for the same seed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from oddlens.errors import OddlensError
from oddlens.training.checkpoint import Checkpoint, History, Losses
from oddlens.training.frozen import Batch, FrozenFeatures
from oddlens.training.images import TrainingImage, epoch_views
from oddlens.training.samples import SampleSet
from oddlens.training.trainable import Trainable


class Settings(Protocol):
    """What the loop wants of a method's training settings, a frozen dataclass with fields of its own beside these.

    batch: views a step; the last step of an epoch has what is left. learning_rate, betas: Adam's; no weight decay, no schedule.
    seed: of the order, the mosaics, and the method's first values. mosaic: the probability of a mosaic in a picture's place.
    """

    @property
    def epochs(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def betas(self) -> tuple[float, float]: ...
    @property
    def seed(self) -> int: ...
    @property
    def mosaic(self) -> float: ...


@dataclass(frozen=True)
class Schedule:
    """Which views every step sees: known beforehand, from the pictures and the settings alone."""

    sets: tuple[SampleSet, ...]
    settings: Settings

    @property
    def steps(self) -> int:
        """The steps of one epoch."""
        return -(-sum(map(len, self.sets)) // self.settings.batch)

    @property
    def all_steps(self) -> int:
        """The steps of all epochs."""
        return self.settings.epochs * self.steps

    def batches(self, epoch: int) -> list[list[TrainingImage]]:
        """The views of an epoch (from 0), step by step, in an order that the seed and the epoch tell."""
        seed, size = self.settings.seed, self.settings.batch
        views = [view for each in self.sets for view in epoch_views(each, epoch, seed, self.settings.mosaic)]
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
        order = torch.randperm(len(views), generator=generator).tolist()
        return [[views[number] for number in order[first : first + size]] for first in range(0, len(order), size)]


@dataclass(frozen=True)
class Watcher:
    """Who is told what happens: after every step (steps done, its losses), and after every epoch (from 0, all that happened)."""

    step: Callable[[int, Losses], None] = lambda *_: None
    epoch: Callable[[int, History], None] = lambda *_: None


def train_frozen(
    trainable: Trainable,
    schedule: Schedule,
    features: FrozenFeatures,
    checkpoint: Checkpoint,
    watcher: Watcher = Watcher(),
) -> History:
    """Train to the end of the course, from where the checkpoint stands; on one machine's CPU the result is the same to the bit.

    The checkpoint is written after every epoch, and within it now and then. Raises `OddlensError` where a loss is not finite.
    """
    settings = schedule.settings
    optimiser = torch.optim.Adam(list(trainable.parameters()), settings.learning_rate, settings.betas)
    history = checkpoint.resume(trainable, optimiser)
    for epoch in range(len(history) // schedule.steps, settings.epochs):
        for views in schedule.batches(epoch)[len(history) - epoch * schedule.steps :]:
            started = time.perf_counter()
            step = f"epoch {epoch + 1}, step {len(history) - epoch * schedule.steps + 1}"
            losses = _step(trainable, optimiser, features.batch(views), step)
            history.losses.append(losses)
            history.seconds.append(time.perf_counter() - started)
            checkpoint.write_in_time(trainable, optimiser, history)
            watcher.step(len(history), losses)
        checkpoint.write(trainable, optimiser, history)
        watcher.epoch(epoch, history)
    return history


def _step(trainable: Trainable, optimiser: torch.optim.Optimizer, batch: Batch, step: str) -> Losses:
    """One step of the optimiser; `step` says which, should its loss not be finite."""
    losses = trainable.losses(batch.features, batch.masks, batch.labels, batch.object_names)
    values = {name: float(loss.detach()) for name, loss in losses.items()}
    if not all(map(math.isfinite, values.values())):
        told = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        raise OddlensError(
            f"the loss is not finite in {step} ({told}): try a smaller --learning-rate, and check the pictures of the data set"
        )
    optimiser.zero_grad()
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return values
