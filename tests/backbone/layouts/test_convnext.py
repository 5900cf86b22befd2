"""ConvNeXt CLIPs in open_clip's layout: the maps that timm's names mean, and what is said of other heads and trunks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.errors import ModelError, UsageError
from tests.tiny_clip import Weights
from tests.tiny_convnext import DEPTHS, EMBED_DIM, WIDTHS, convnext_weights, naive_stages, write_convnext


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_convnext(tmp_path_factory.mktemp("convnext"), convnext_weights())


def sentence_on(folder: Path) -> str:
    with pytest.raises(ModelError) as error:
        load_backbone(folder, device="cpu")
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize(("name", "eps"), [("convnext_base", 1e-6), ("convnext_xxlarge", 1e-5)])
def test_its_maps_are_those_of_the_trunk(tmp_path: Path, name: str, eps: float) -> None:
    weights = {key: value.clone() for key, value in convnext_weights(1).items()}
    weights["visual.trunk.stem.0.weight"] *= 1e-3  # so small that eps shows
    weights["visual.trunk.stem.0.bias"] *= 1e-3
    tower = load_backbone(write_convnext(tmp_path, weights, name), device="cpu").vision
    pixels = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        seen = tower.feature_maps(pixels)
    for ours, plain, stride in zip(seen.maps, naive_stages(weights, pixels, eps), tower.strides, strict=True):
        assert ours.shape[-2:] == (64 // stride, 96 // stride)
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)
    assert seen.dense is seen.maps[-1]


@pytest.mark.parametrize("hidden", [0, 48])
def test_means_of_the_last_map_go_through_the_head(tmp_path: Path, hidden: int) -> None:
    weights = convnext_weights(2, hidden)
    tower = load_backbone(write_convnext(tmp_path, weights), device="cpu").vision
    pooled = torch.randn(3, WIDTHS[-1], generator=torch.Generator().manual_seed(0))
    norm = "visual.trunk.head.norm."
    plain = F.layer_norm(pooled, pooled.shape[1:], weights[norm + "weight"], weights[norm + "bias"], 1e-6)
    if hidden:
        fc = "visual.head.mlp."
        plain = F.gelu(plain @ weights[fc + "fc1.weight"].T + weights[fc + "fc1.bias"]) @ weights[fc + "fc2.weight"].T
    else:
        plain = plain @ weights["visual.head.proj.weight"].T
    torch.testing.assert_close(tower.embed_pooled(pooled), plain)


def test_the_card_and_the_shape_are_read_off_the_weights(folder: Path) -> None:
    backbone = load_backbone(folder, device="cpu")
    config = backbone.vision.config
    assert (config.depths, config.widths, config.embed_dim) == (DEPTHS, WIDTHS, EMBED_DIM)
    assert (backbone.card.layers, backbone.card.width, backbone.card.image_size) == (sum(DEPTHS), WIDTHS[-1], 64)
    assert backbone.mean == (0.5, 0.4, 0.3)
    assert not any(parameter.requires_grad for parameter in backbone.model.parameters())


def test_its_text_tower_is_that_of_any_open_clip_model(folder: Path, open_clip_folder: Path) -> None:
    convnext, vit = (load_backbone(path, device="cpu") for path in (folder, open_clip_folder))
    assert torch.equal(convnext.encode_text(["a caravan"]), vit.encode_text(["a caravan"]))
    assert convnext.fingerprint != vit.fingerprint


def test_a_method_that_needs_patch_tokens_refuses_it_in_one_sentence(folder: Path) -> None:
    with pytest.raises(
        UsageError,
        match=r"winclip needs patch tokens, which .* \(ConvNeXt CLIP\) does not have: give a CLIP with a ViT",
    ):
        oddlens.load("winclip", folder, device="cpu")


@pytest.mark.parametrize("setting", [{"timm_pool": "abs_attn"}, {"timm_pool": "rot_attn"}, {"timm_proj": ""}])
def test_another_head_is_refused(tmp_path: Path, setting: dict[str, Any]) -> None:
    write_convnext(tmp_path, convnext_weights(), change=lambda config: config["vision_cfg"].update(setting))
    ((name, value),) = setting.items()
    assert f"sets {name} to {value!r}, where oddlens reads" in sentence_on(tmp_path)


def test_a_trunk_of_another_kind_is_refused(tmp_path: Path) -> None:
    write_convnext(tmp_path, convnext_weights(), "vit_base_patch16_224")
    assert "timm_model_name" in sentence_on(tmp_path)
    write_convnext(
        tmp_path, convnext_weights(), change=lambda config: config["text_cfg"].update(hf_model_name="roberta-base")
    )
    assert "hf_model_name" in sentence_on(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda w: w.pop("visual.trunk.stages.2.blocks.1.norm.bias"), "1 missing (vision.stages.2.blocks.1.norm.bias)"),
        (lambda w: w.pop("visual.trunk.stages.1.downsample.1.weight"), "whose weights lack 'vision.stages.1.reduce.weight'"),
        (lambda w: w.update({"visual.trunk.stages.0.blocks.0.mlp.grn.weight": torch.zeros(1)}), "1 unexpected"),
        (lambda w: w.update({"visual.trunk.stem.1.weight": torch.zeros(5)}), "1 unusable (vision.stages.0.norm.weight"),
        (lambda w: w.update({"visual.head.proj.weight": torch.zeros(7, 32)}), "vision.projection.weight [7, 32]"),
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit_are_named(tmp_path: Path, spoil: Callable[[Weights], Any], told: str) -> None:
    weights = convnext_weights()
    spoil(weights)
    assert told in sentence_on(write_convnext(tmp_path, weights))
