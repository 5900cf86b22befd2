"""A model in memory: a vision tower, a text tower where there is one, the tokenizer and the normalisation of images."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain
from operator import or_
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from oddlens.backbone.layers import Nonlinearity
from oddlens.backbone.normalisation import Rgb
from oddlens.backbone.options import Activation, Capabilities
from oddlens.backbone.stem import PatchStem, Stem
from oddlens.backbone.text import TextConfig, TextTower
from oddlens.backbone.tokenizer import Tokenizer
from oddlens.backbone.tower import VisionTower
from oddlens.backbone.vision import ClipTower, VisionConfig


class Model(nn.Module):
    """The towers of a model. Every layout on disk is read into these names.

    A model with a text tower has the trained logit scale, a scalar (its natural logarithm). SigLIP has a logit bias too, for
    sigmoid(exp(scale) * cosine + bias).
    """

    vision: VisionTower
    text: TextTower | None

    def __init__(self, vision: VisionTower, text: TextTower | None = None, *, with_bias: bool = False) -> None:
        super().__init__()
        self.vision = vision
        self.text = text
        if text is not None:
            self.logit_scale = nn.Parameter(torch.zeros(()))
        if with_bias:
            self.logit_bias = nn.Parameter(torch.zeros(()))

    @property
    def towers(self) -> tuple[VisionTower | TextTower, ...]:
        """The vision tower, and the text tower where there is one."""
        return (self.vision,) if self.text is None else (self.vision, self.text)

    @property
    def capabilities(self) -> Capabilities:
        """What its towers can do together."""
        return reduce(or_, (tower.capabilities for tower in self.towers))


class ClipModel(Model):
    """A CLIP whose towers are both transformers."""

    vision: ClipTower
    text: TextTower

    def __init__(self, vision: VisionConfig, text: TextConfig, stem: Stem | None = None) -> None:
        super().__init__(ClipTower(vision, stem or PatchStem(vision.width, vision.patch_size)), TextTower(text))


@dataclass(frozen=True)
class LoadedModel:
    """A model as it was read from disk.

    Attributes:
        model: The towers.
        tokenizer: None where the model has no text tower.
        mean: Of RGB in [0, 1], which images are normalised by.
        std: Likewise.
        files: Those that the model is made of: weights, configuration, tokenizer.
        says_activation: Whether the files say which GELU the weights were trained with. Where they do not, the model has either.
    """

    model: Model
    tokenizer: Tokenizer | None
    mean: Rgb
    std: Rgb
    files: tuple[Path, ...]
    says_activation: bool = True

    @property
    def activations(self) -> set[Nonlinearity]:
        """The GELU variants of the towers that can be switched; none in a model of which there is one variant."""
        return {tower.gelu for tower in self.model.towers if tower.gelu is not None}

    def with_activation(self, activation: Activation) -> LoadedModel:
        """The same weights, in the same memory, as a model that computes this GELU."""
        return replace(self, model=with_activation(self.model, activation), says_activation=True)


def with_activation(model: Model, activation: Activation) -> Model:
    """The model under another GELU variant. The weights are the same tensors; the modules that hold them are new."""
    shared = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    other = copy.deepcopy(model, shared)
    for tower in other.towers:
        if tower.gelu is not None:
            tower.set_gelu(activation)
    return other


M = TypeVar("M", bound=nn.Module)


def empty(make: Callable[[], M]) -> M:
    """A model without memory behind its tensors (torch's meta device), to be filled from a checkpoint."""
    with torch.device("meta"):
        return make()


def transposed(tensors: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    """A copy of the dict with the named matrices transposed (x @ W against a Linear's W)."""
    return {
        name: value.T.contiguous() if name in names and value.ndim == 2 else value for name, value in tensors.items()
    }
