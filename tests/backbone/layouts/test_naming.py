"""What all layouts pass over: wrappers around names, and tensors that no tower needs."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from oddlens.backbone.layouts.naming import towers_only
from oddlens.backbone.load import load_backbone
from oddlens.errors import ModelError
from tests.tiny_clip import (
    Weights,
    transformers_names,
    write_open_clip,
    write_openai_archive,
    write_openai_state,
    write_transformers,
)

Change = Callable[[Weights], Weights]


def prefixed(prefix: str) -> Change:
    return lambda tensors: {prefix + name: value for name, value in tensors.items()}


HARMLESS: dict[str, Change] = {
    "module.": prefixed("module."),
    "model.": prefixed("model."),
    "clip.": prefixed("clip."),
    "module.model.clip.": prefixed("module.model.clip."),
    "logit_bias": lambda tensors: tensors | {"logit_bias": torch.tensor(-10.0)},
    "a logit_scale of one dimension": lambda tensors: tensors | {"logit_scale": tensors["logit_scale"].view(1)},
    "attention masks": lambda tensors: (
        tensors
        | {"attn_mask": torch.full((77, 77), -math.inf), "visual.transformer.resblocks.0.attn_mask": torch.zeros(2, 2)}
    ),
    "position ids": lambda tensors: tensors | {"text_model.embeddings.position_ids": torch.arange(77)},
}
WRITERS: dict[str, Callable[[Path, Weights, Change], Path]] = {
    "open_clip": lambda place, weights, change: write_open_clip(place, change(weights), quick_gelu=True),
    "transformers": lambda place, weights, change: write_transformers(
        place, change(transformers_names(weights)), named=True
    ),
    "OpenAI, state dict": lambda place, weights, change: write_openai_state(place / "ViT.pt", change(weights)),
    "OpenAI, archive": lambda place, weights, change: write_openai_archive(place / "ViT.pt", change(weights)),
}


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.parametrize("form", HARMLESS)
def test_harmless_forms_are_the_same_model(tmp_path: Path, weights: Weights, layout: str, form: str) -> None:
    path = WRITERS[layout](tmp_path, weights, HARMLESS[form])
    backbone = load_backbone(path, device="cpu", activation="quick_gelu")
    assert torch.equal(backbone.model.vision.class_embedding, weights["visual.class_embedding"])
    assert torch.equal(backbone.text.projection.weight, weights["text_projection"].T)
    assert torch.equal(backbone.model.logit_scale, weights["logit_scale"])


@pytest.mark.parametrize("layout", WRITERS)
def test_a_missing_logit_scale_is_what_training_ends_with(tmp_path: Path, weights: Weights, layout: str) -> None:
    path = WRITERS[layout](
        tmp_path, weights, lambda tensors: {name: value for name, value in tensors.items() if name != "logit_scale"}
    )
    scale = load_backbone(path, device="cpu", activation="quick_gelu").model.logit_scale
    assert float(scale.exp()) == pytest.approx(100)


def test_two_models_in_one_file_are_refused() -> None:
    with pytest.raises(ModelError, match=r"weights\.pt holds a\.weight twice, as a file of several models does"):
        towers_only({"a.weight": torch.ones(1), "model.a.weight": torch.ones(1)}, "weights.pt")
