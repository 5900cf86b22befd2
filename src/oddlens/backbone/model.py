"""A CLIP as oddlens holds it: two towers, a tokenizer and what a picture must look like at its door."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn

from oddlens.backbone.convnext import ConvNextConfig, ConvNextTower
from oddlens.backbone.layers import Block
from oddlens.backbone.normalisation import Rgb
from oddlens.backbone.options import Activation
from oddlens.backbone.stem import PatchStem
from oddlens.backbone.text import TextConfig, TextTower
from oddlens.backbone.tokenizer import Tokenizer
from oddlens.backbone.vision import VisionConfig, VisionTower


class ClipModel(nn.Module):
    """The towers and the trained logit scale (natural logarithm; a scalar). Every layout on disk is read into these names."""

    def __init__(self, vision: VisionConfig, text: TextConfig, stem: nn.Module | None = None) -> None:
        super().__init__()
        self.vision = VisionTower(vision, stem or PatchStem(vision.width, vision.patch_size))
        self.text = TextTower(text)
        self.logit_scale = nn.Parameter(torch.zeros(()))


class ConvNextClip(nn.Module):
    """A CLIP whose vision tower is a ConvNeXt; otherwise as `ClipModel`."""

    def __init__(self, vision: ConvNextConfig, text: TextConfig) -> None:
        super().__init__()
        self.vision = ConvNextTower(vision)
        self.text = TextTower(text)
        self.logit_scale = nn.Parameter(torch.zeros(()))


AnyClip = ClipModel | ConvNextClip


@dataclass(frozen=True)
class LoadedModel:
    """What a layout reader gives. mean and std are for RGB in [0, 1]; files are
    those whose content makes the model what it is: weights, configuration, tokenizer.

    says_activation: whether they say which GELU the weights were trained with. Where they do not, the model has any.
    """

    model: AnyClip
    tokenizer: Tokenizer
    mean: Rgb
    std: Rgb
    files: tuple[Path, ...]
    says_activation: bool = True


def with_activation(model: AnyClip, activation: Activation) -> AnyClip:
    """The model under another GELU variant. The weights are the same tensors; only what holds them is made anew."""
    shared = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    other = copy.deepcopy(model, shared)
    for module in other.modules():
        if isinstance(module, Block):
            module.activation = activation
        elif isinstance(module, VisionTower | TextTower):
            module.config = replace(module.config, activation=activation)
    return other


def empty_model(vision: VisionConfig, text: TextConfig, stem: nn.Module | None = None) -> ClipModel:
    """A model without memory behind its tensors (torch's meta device), to be filled from a checkpoint."""
    with torch.device("meta"):
        return ClipModel(vision, text, stem)


def empty_convnext(vision: ConvNextConfig, text: TextConfig) -> ConvNextClip:
    """As `empty_model`."""
    with torch.device("meta"):
        return ConvNextClip(vision, text)


def transposed(tensors: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    """A copy of the dict with the named matrices transposed (x @ W against a Linear's W)."""
    return {
        name: value.T.contiguous() if name in names and value.ndim == 2 else value for name, value in tensors.items()
    }
