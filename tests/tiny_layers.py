"""Linear layers of APRIL-GAN for tiny models, as files of ours and as the authors write them."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from oddlens.methods.weights import write_weights


def random_layers(count: int = 3, width: int = 128, embed_dim: int = 32, seed: int = 0) -> dict[str, Tensor]:
    """Layers whose probabilities are neither all one nor all nought; the measures of the tiny CLIP unless others are given."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for number in range(count):
        tensors[f"fc.{number}.weight"] = torch.randn(embed_dim, width, generator=generator) * width**-0.5
        tensors[f"fc.{number}.bias"] = torch.randn(embed_dim, generator=generator)
    return tensors


def write_authors_layers(path: Path, tensors: dict[str, Tensor]) -> Path:
    torch.save({"trainable_linearlayer": tensors}, path)
    return path


def write_layers(path: Path, tensors: dict[str, Tensor], backbone: Backbone, recipe: AprilGANRecipe) -> Path:
    write_weights(path, tensors, {"method": "april-gan", "recipe": asdict(recipe), **backbone.identity.to_dict()})
    return path
