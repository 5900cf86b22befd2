"""A tiny ConvNeXt CLIP with random weights, written as open_clip and timm lay it out, and its stages written out plainly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from tests.tiny_clip import SHAPE, Weights, random_weights

DEPTHS, WIDTHS, EMBED_DIM = (1, 1, 2, 1), (8, 16, 24, 32), 32


def convnext_weights(seed: int = 0, hidden: int = 0) -> Weights:
    """The tensors under open_clip's names: the text tower of the tiny CLIP, and timm's trunk. hidden: width of the head's layer."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*size: int, scale: float, around: float = 0.0) -> Tensor:
        return around + scale * torch.randn(size, generator=generator)

    tensors = {name: value for name, value in random_weights(seed).items() if not name.startswith("visual.")}

    def add(name: str, *weight: int) -> None:
        """A convolution, a linear map, or with one size a norm."""
        fan = torch.Size(weight[1:]).numel()
        norm = len(weight) == 1
        tensors[f"{name}.weight"] = draw(*weight, scale=0.2 if norm else fan**-0.5, around=float(norm))
        tensors[f"{name}.bias"] = draw(weight[0], scale=0.2)

    trunk = "visual.trunk."
    add(trunk + "stem.0", WIDTHS[0], 3, 4, 4)
    add(trunk + "stem.1", WIDTHS[0])
    for stage, (depth, width) in enumerate(zip(DEPTHS, WIDTHS, strict=True)):
        if stage:
            add(f"{trunk}stages.{stage}.downsample.0", WIDTHS[stage - 1])
            add(f"{trunk}stages.{stage}.downsample.1", width, WIDTHS[stage - 1], 2, 2)
        for number in range(depth):
            block = f"{trunk}stages.{stage}.blocks.{number}."
            add(block + "conv_dw", width, 1, 7, 7)
            add(block + "norm", width)
            add(block + "mlp.fc1", 4 * width, width)
            add(block + "mlp.fc2", width, 4 * width)
            tensors[block + "gamma"] = draw(width, scale=0.2, around=0.5)
    add(trunk + "head.norm", WIDTHS[-1])
    if hidden:
        add("visual.head.mlp.fc1", hidden, WIDTHS[-1])
        tensors["visual.head.mlp.fc2.weight"] = draw(EMBED_DIM, hidden, scale=hidden**-0.5)
    else:
        tensors["visual.head.proj.weight"] = draw(EMBED_DIM, WIDTHS[-1], scale=WIDTHS[-1] ** -0.5)
    return tensors


def write_convnext(
    folder: Path,
    weights: Weights,
    name: str = "convnext_base",
    change: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Path:
    """`open_clip_config.json` and weights."""
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "model_cfg": {
            "embed_dim": EMBED_DIM,
            "vision_cfg": {
                "timm_model_name": name, "timm_model_pretrained": False, "timm_pool": "", "timm_drop": 0.0, "timm_drop_path": 0.1,
                "timm_proj": "mlp" if "visual.head.mlp.fc2.weight" in weights else "linear", "image_size": 64,
            },
            "text_cfg": {
                "context_length": SHAPE.context, "vocab_size": SHAPE.vocabulary, "width": SHAPE.text_width, "heads": 1,
                "layers": SHAPE.text_layers,
            },
        },
        "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3]},
    }  # fmt: skip
    change(config["model_cfg"])
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(weights, folder / "open_clip_model.safetensors")
    return folder


def naive_stages(weights: Weights, pixels: Tensor, eps: float = 1e-6) -> list[Tensor]:
    """The four maps, straight from the tensors under timm's names."""

    def normed(x: Tensor, name: str) -> Tensor:
        middle = x - x.mean(dim=1, keepdim=True)
        x = middle / (middle.square().mean(dim=1, keepdim=True) + eps).sqrt()
        return x * weights[f"{name}.weight"].view(1, -1, 1, 1) + weights[f"{name}.bias"].view(1, -1, 1, 1)

    def conv(x: Tensor, name: str, **options: int) -> Tensor:
        weight = weights[f"{name}.weight"]
        return F.conv2d(
            x, weight.reshape(*weight.shape[:2], *weight.shape[2:] or (1, 1)), weights[f"{name}.bias"], **options
        )

    trunk = "visual.trunk."
    x = normed(conv(pixels, trunk + "stem.0", stride=4), trunk + "stem.1")
    maps = []
    for stage, (depth, width) in enumerate(zip(DEPTHS, WIDTHS, strict=True)):
        if stage:
            at = f"{trunk}stages.{stage}.downsample."
            x = conv(normed(x, at + "0"), at + "1", stride=2)
        for number in range(depth):
            block = f"{trunk}stages.{stage}.blocks.{number}."
            inner = normed(conv(x, block + "conv_dw", padding=3, groups=width), block + "norm")
            inner = conv(F.gelu(conv(inner, block + "mlp.fc1")), block + "mlp.fc2")
            x = x + inner * weights[block + "gamma"].view(1, -1, 1, 1)
        maps.append(x)
    return maps
