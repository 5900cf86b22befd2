"""Tiny DINOv2s of transformers' own with random weights: what ours is held against, and what it looks like on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tiny_clip import randomise

PATCH, WIDTH, LAYERS = 8, 64, 4


def their_dinov2(registers: int = 0, swiglu: bool = False, grid: int = 5, seed: int = 0) -> Any:
    """A model of theirs, 4 heads of 16; every bias, LayerNorm and LayerScale is drawn at random, so that a forgotten one shows."""
    from transformers import (
        Dinov2Config,
        Dinov2Model,
        Dinov2WithRegistersConfig,
        Dinov2WithRegistersModel,
    )

    shape = {
        "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 4, "mlp_ratio": 5, "use_swiglu_ffn": swiglu,
        "image_size": grid * PATCH, "patch_size": PATCH, "layer_norm_eps": 1e-4,
    }  # fmt: skip
    model = (
        Dinov2WithRegistersModel(Dinov2WithRegistersConfig(num_register_tokens=registers, **shape))
        if registers
        else Dinov2Model(Dinov2Config(**shape))
    )
    randomise(model, seed)
    return model.eval().requires_grad_(False)


def write_dinov2(folder: Path, **options: Any) -> Path:
    """`config.json` and `model.safetensors` as transformers writes them."""
    their_dinov2(**options).save_pretrained(folder)
    return folder
