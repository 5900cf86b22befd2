"""The transformers layout of DINOv2: what a folder must hold, and what is said when it does not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from oddlens.backbone.dinov2 import Dinov2Config
from oddlens.backbone.layouts import dinov2, siglip
from oddlens.backbone.layouts.dinov2 import LAYOUT, config_of
from oddlens.errors import ModelError
from tests.tiny_clip import Weights, write_shards, write_transformers
from tests.tiny_dinov2 import LAYERS, PATCH, WIDTH, write_dinov2

ATTENTION = "encoder.layer.1.attention.attention"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With four registers."""
    return write_dinov2(tmp_path, registers=4)


def change_config(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


def change_weights(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    return folder


def sentence_on(folder: Path) -> str:
    with pytest.raises(ModelError) as error:
        dinov2.read(folder)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


class TestConfiguration:
    def test_the_published_shapes(self) -> None:
        """Of facebook/dinov2-small and facebook/dinov2-giant, from their config.json on the hub."""
        small = {
            "hidden_act": "gelu", "hidden_size": 384, "image_size": 518, "layer_norm_eps": 1e-06, "mlp_ratio": 4,
            "model_type": "dinov2", "num_attention_heads": 6, "num_channels": 3, "num_hidden_layers": 12, "patch_size": 14,
            "qkv_bias": True, "use_swiglu_ffn": False,
        }  # fmt: skip
        assert config_of(small, "") == Dinov2Config(518, 14, 384, 12, 6, 1536)
        giant = small | {
            "hidden_size": 1536,
            "num_attention_heads": 24,
            "num_hidden_layers": 40,
            "use_swiglu_ffn": True,
        }
        assert config_of(giant, "") == Dinov2Config(518, 14, 1536, 40, 24, 4096, activation="swiglu")
        assert config_of(small, "").grid == 37

    def test_what_equals_the_defaults_of_their_program_may_be_left_out(self) -> None:
        assert config_of({"model_type": "dinov2"}, "") == Dinov2Config(224, 14, 768, 12, 12, 3072)
        assert config_of({"model_type": "dinov2_with_registers"}, "") == Dinov2Config(
            224, 16, 768, 12, 12, 3072, registers=4, position="bicubic"
        )

    def test_a_folder_is_known_by_its_type(self, folder: Path, tmp_path: Path, weights: Weights) -> None:
        assert LAYOUT.recognise(folder)
        assert not siglip.LAYOUT.recognise(folder)
        assert not LAYOUT.recognise(write_transformers(tmp_path / "clip", weights))
        assert not LAYOUT.recognise(tmp_path / "nothing")
        (folder / "config.json").write_text("{")
        assert not LAYOUT.recognise(folder)

    @pytest.mark.parametrize("kind", ["clip", "dinov3_vit", None])
    def test_a_model_of_another_type_is_refused(self, folder: Path, kind: str | None) -> None:
        sentence = sentence_on(change_config(folder, model_type=kind))
        assert (
            f"of type {kind!r}, where oddlens reads 'dinov2', 'dinov2_with_registers', 'siglip' and 'clip'" in sentence
        )

    @pytest.mark.parametrize(
        ("name", "value"),
        [("num_channels", 4), ("qkv_bias", False), ("hidden_act", "relu"), ("use_swiglu_ffn", "yes"), ("hidden_size", 0),
         ("num_attention_heads", 5), ("image_size", [40, 48]), ("num_register_tokens", -1), ("layer_norm_eps", "small")],
    )  # fmt: skip
    def test_a_setting_that_cannot_be_computed_is_named(self, folder: Path, name: str, value: object) -> None:
        sentence = sentence_on(change_config(folder, **{name: value}))
        assert f"{folder / 'config.json'} sets {name} to {value!r}" in sentence

    @pytest.mark.parametrize("content", ["", "{", "[]"])
    def test_a_damaged_configuration_is_named(self, folder: Path, content: str) -> None:
        (folder / "config.json").write_text(content)
        assert str(folder / "config.json") in sentence_on(folder)

    def test_pixels_are_normalised_as_the_preprocessor_says_else_as_imagenet(self, folder: Path) -> None:
        loaded = dinov2.read(folder)
        assert (loaded.mean, loaded.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        assert loaded.files == (folder / "config.json", folder / "model.safetensors")
        look = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3]}
        (folder / "preprocessor_config.json").write_text(json.dumps(look))
        loaded = dinov2.read(folder)
        assert (loaded.mean, loaded.std) == ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
        assert folder / "preprocessor_config.json" in loaded.files


class TestWeights:
    def test_nothing_is_trained_and_everything_is_float32(self, folder: Path) -> None:
        def halve(tensors: dict[str, Tensor]) -> None:
            tensors.update({name: value.half() for name, value in tensors.items()})

        model = dinov2.read(change_weights(folder, halve)).model
        assert all(each.dtype == torch.float32 and not each.requires_grad for each in model.parameters())
        assert model.vision.position_embedding.shape == (1 + 25, WIDTH)
        assert (model.vision.config.layers, model.vision.config.patch_size) == (LAYERS, PATCH)

    def test_shards_are_read_and_all_counted(self, folder: Path) -> None:
        whole = dinov2.read(folder).model.state_dict()
        write_shards(folder, load_file(folder / "model.safetensors"))
        (folder / "model.safetensors").unlink()
        loaded = dinov2.read(folder)
        assert all(torch.equal(value, whole[name]) for name, value in loaded.model.state_dict().items())
        assert [path.name for path in loaded.files] == [
            "config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
        ]  # fmt: skip

    def test_a_folder_without_weights_says_which_files_are_searched(self, folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        assert "holds no weights: one of model.safetensors" in sentence_on(folder)
        assert not LAYOUT.recognise(folder)

    def test_the_mask_token_of_the_training_may_be_there_or_not(self, folder: Path) -> None:
        dinov2.read(change_weights(folder, lambda tensors: tensors.pop("embeddings.mask_token")))

    def test_missing_unexpected_and_misshapen_tensors_are_one_sentence(self, folder: Path) -> None:
        def spoil(tensors: dict[str, Tensor]) -> None:
            del tensors["encoder.layer.0.layer_scale1.lambda1"]
            tensors["classifier.weight"] = torch.zeros(1)
            tensors["embeddings.position_embeddings"] = torch.zeros(1, 17, WIDTH)

        sentence = sentence_on(change_weights(folder, spoil))
        assert "1 missing (vision.blocks.0.scale_1)" in sentence
        assert "1 unexpected (classifier.weight)" in sentence
        assert f"vision.position_embedding [17, {WIDTH}] instead of [26, {WIDTH}]" in sentence
        assert str(folder / "model.safetensors") in sentence

    @pytest.mark.parametrize("part", ["query", "key", "value"])
    def test_a_missing_attention_projection_is_reported(self, folder: Path, part: str) -> None:
        sentence = sentence_on(change_weights(folder, lambda tensors: tensors.pop(f"{ATTENTION}.{part}.bias")))
        assert "missing (vision.blocks.1.qkv.bias)" in sentence

    def test_registers_that_the_configuration_does_not_know_are_reported(self, folder: Path) -> None:
        sentence = sentence_on(change_config(folder, model_type="dinov2"))
        assert "unexpected (vision.register_tokens)" in sentence

    def test_registers_that_the_weights_do_not_hold_are_reported(self, tmp_path: Path) -> None:
        folder = change_config(write_dinov2(tmp_path), model_type="dinov2_with_registers")
        assert "missing (vision.register_tokens)" in sentence_on(folder)

    def test_an_mlp_under_a_configuration_of_swiglu_is_reported(self, folder: Path) -> None:
        assert "vision.blocks.0.fc_1.weight" in sentence_on(change_config(folder, use_swiglu_ffn=True))
