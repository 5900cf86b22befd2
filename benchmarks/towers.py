"""Models of real size with random weights, for timing: accuracy means nothing here, shapes mean everything."""

from __future__ import annotations

import torch

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.cards import find_card
from oddlens.backbone.model import ClipModel, LoadedModel
from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD
from oddlens.backbone.text import TextConfig
from oddlens.backbone.tokenizer import clip_tokenizer
from oddlens.backbone.vision import VisionConfig

VIT_B_16_PLUS = VisionConfig(240, 16, 896, 12, 14, 3584, 640, "gelu")
VIT_L_14_336 = VisionConfig(336, 14, 1024, 24, 16, 4096, 768, "quick_gelu")
TEXT_B_16_PLUS = TextConfig(77, 49408, 640, 12, 10, 2560, 640, "gelu")
TEXT_L_14 = TextConfig(77, 49408, 768, 12, 12, 3072, 768, "quick_gelu")


def random_model(vision: VisionConfig, text: TextConfig, seed: int = 0) -> ClipModel:
    """A frozen model with small random weights."""
    torch.manual_seed(seed)
    model = ClipModel(vision, text).eval().requires_grad_(False)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=0.02)
    return model


def random_backbone() -> Backbone:
    """A model of the size of OpenAI's largest as methods take it, under its card, on the CPU."""
    card = find_card("openai-vit-l-14-336")
    assert card is not None
    loaded = LoadedModel(random_model(VIT_L_14_336, TEXT_L_14), clip_tokenizer(), CLIP_MEAN, CLIP_STD, ())
    return Backbone(loaded, card, "random", torch.device("cpu"))


def gemm_peak(size: int = 2048, repeats: int = 5) -> float:
    """The machine's float32 matrix product speed in GFLOP/s, the best of several."""
    import time

    a, b = torch.randn(size, size), torch.randn(size, size)
    best = 0.0
    for _ in range(repeats):
        started = time.perf_counter()
        a @ b
        best = max(best, 2 * size**3 / (time.perf_counter() - started) / 1e9)
    return best
