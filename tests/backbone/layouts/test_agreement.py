"""One model in every layout: the same weights give the same embeddings, whatever they lie in."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import load_backbone
from oddlens.backbone.tensors import aligned
from tests.tiny_clip import (
    Weights,
    write_clip_vocabulary,
    write_open_clip,
    write_openai_archive,
    write_openai_state,
    write_transformers,
)

PROMPTS = ["a photo of a part.", "damaged metal_nut with flaw"]


def with_vocabulary(folder: Path, weights: Weights) -> Path:
    write_transformers(folder, weights)
    write_clip_vocabulary(folder)
    return folder


WRITERS: dict[str, Callable[[Path, Weights], Path]] = {
    "transformers, one file": lambda place, weights: write_transformers(place, weights),
    "transformers, shards": lambda place, weights: write_transformers(place, weights, form="sharded"),
    "transformers, pytorch_model.bin": lambda place, weights: write_transformers(place, weights, form="bin"),
    "transformers, shards of pytorch_model.bin": lambda place, weights: write_transformers(
        place, weights, form="sharded bin"
    ),
    "transformers, vocab.json and merges.txt": with_vocabulary,
    "open_clip, .bin": lambda place, weights: write_open_clip(
        place, weights, file="open_clip_pytorch_model.bin", quick_gelu=True
    ),
    "open_clip, text tower under text.": lambda place, weights: write_open_clip(
        place, weights, quick_gelu=True, text_prefix="text."
    ),
    "OpenAI, state dict": lambda place, weights: write_openai_state(place / "ViT.pt", weights),
    "OpenAI, TorchScript archive": lambda place, weights: write_openai_archive(place / "ViT.pt", weights),
}


def embeddings(backbone: Backbone) -> tuple[Tensor, Tensor]:
    pixels = torch.randn(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    vision = backbone.vision
    return vision.project(vision.run_blocks(vision.embed(pixels)).image), backbone.encode_text(PROMPTS)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, weights: Weights) -> tuple[Tensor, Tensor]:
    folder = write_open_clip(tmp_path_factory.mktemp("open-clip"), weights, quick_gelu=True)
    return embeddings(load_backbone(folder, device="cpu"))


@pytest.mark.parametrize("layout", WRITERS)
def test_it_gives_the_same_embeddings(
    layout: str, expected: tuple[Tensor, Tensor], weights: Weights, tmp_path: Path
) -> None:
    lone = "quick_gelu" if layout == "OpenAI, state dict" else None  # which does not say what its weights mean
    backbone = load_backbone(WRITERS[layout](tmp_path, weights), device="cpu", activation=lone)
    for ours, theirs in zip(embeddings(backbone), expected, strict=True):
        assert torch.equal(ours, theirs)
    assert (backbone.card.image_size, backbone.card.patch_size, backbone.card.layers) == (40, 8, 3)
    assert (backbone.card.width, backbone.card.embed_dim) == (128, 32)
    assert all(parameter.dtype == torch.float32 for parameter in backbone.model.parameters())
    # On a processor whose kernels do not look at it, this alone can fail.
    assert all(aligned(tensor) is tensor for tensor in backbone.model.state_dict(keep_vars=True).values())


def test_other_weights_give_other_embeddings(expected: tuple[Tensor, Tensor], weights: Weights, tmp_path: Path) -> None:
    """The comparison above can fail: one LayerNorm's bias less, and both change."""
    for name in ("visual.ln_pre.bias", "ln_final.bias"):
        weights = weights | {name: torch.zeros_like(weights[name])}
    found = embeddings(load_backbone(write_transformers(tmp_path, weights), device="cpu"))
    assert not any(torch.allclose(ours, theirs, atol=1e-3) for ours, theirs in zip(found, expected, strict=True))


def test_the_logit_scale_is_kept(weights: Weights, open_clip_folder: Path) -> None:
    model = load_backbone(open_clip_folder, device="cpu").model
    assert torch.equal(model.logit_scale, weights["logit_scale"])
