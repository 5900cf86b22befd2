"""The transformers layout of SigLIP: what a folder must hold, and what is said when it does not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from oddlens.backbone.layouts import dinov2, siglip
from oddlens.backbone.layouts.siglip import LAYOUT, config_of
from oddlens.backbone.siglip import SiglipConfig, SiglipTextConfig
from oddlens.errors import ModelError
from tests.tiny_siglip import CONTEXT, Kind, write_siglip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_siglip(tmp_path)


def change_config(folder: Path, part: str, **values: Any) -> Path:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    (config[part] if part else config).update(values)
    path.write_text(json.dumps(config))
    return folder


def change_weights(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    return folder


def sentence_on(folder: Path) -> str:
    with pytest.raises(ModelError) as error:
        siglip.read(folder)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


class TestConfiguration:
    def test_the_published_shapes(self) -> None:
        """Of google/siglip2-base-patch16-224 and google/siglip-so400m-patch14-384, from their config.json on the hub."""
        base = {"model_type": "siglip", "text_config": {"vocab_size": 256000}, "vision_config": {}}
        assert config_of(base, "") == (
            SiglipConfig(224, 16, 768, 12, 12, 3072),
            SiglipTextConfig(64, 256000, 768, 12, 12, 3072, 768, "gelu_tanh", 1e-6),
        )
        shape = {"hidden_size": 1152, "intermediate_size": 4304, "num_attention_heads": 16, "num_hidden_layers": 27}
        large = {"text_config": shape, "vision_config": shape | {"image_size": 384, "patch_size": 14}}
        vision, text = config_of(large, "")
        assert vision == SiglipConfig(384, 14, 1152, 27, 16, 4304)
        assert text == SiglipTextConfig(64, 32000, 1152, 27, 16, 4304, 1152, "gelu_tanh", 1e-6)
        assert vision.grid == 27  # 6 pixels at the edge are not looked at

    def test_a_folder_is_known_by_its_type(self, folder: Path) -> None:
        assert LAYOUT.recognise(folder)
        assert not dinov2.LAYOUT.recognise(folder)
        assert not LAYOUT.recognise(change_config(folder, "", model_type="siglip2"))

    @pytest.mark.parametrize("kind", ["siglip2", "clip", "siglip_vision_model", None])
    def test_a_model_of_another_type_is_refused(self, folder: Path, kind: str | None) -> None:
        sentence = sentence_on(change_config(folder, "", model_type=kind))
        assert (
            f"of type {kind!r}, where oddlens reads 'dinov2', 'dinov2_with_registers', 'siglip' and 'clip'" in sentence
        )

    @pytest.mark.parametrize(
        ("part", "name", "value"),
        [("vision_config", "vision_use_head", False), ("vision_config", "num_channels", 1),
         ("vision_config", "hidden_act", "relu"), ("vision_config", "image_size", "40"), ("vision_config", "patch_size", 0),
         ("text_config", "hidden_act", "silu"), ("text_config", "vocab_size", None),
         ("text_config", "num_attention_heads", 3), ("text_config", "projection_size", -1)],
    )  # fmt: skip
    def test_a_setting_that_cannot_be_computed_is_named(
        self, folder: Path, part: str, name: str, value: object
    ) -> None:
        sentence = sentence_on(change_config(folder, part, **{name: value}))
        told = f"lacks {name}" if value is None else f"sets {name} to {value!r}"
        assert f"{part} in {folder / 'config.json'} {told}" in sentence

    def test_texts_and_images_of_different_widths_are_refused(self, folder: Path) -> None:
        sentence = sentence_on(change_config(folder, "text_config", projection_size=40))
        assert "describes texts 40 wide and images 48 wide" in sentence

    def test_a_part_that_is_no_object_is_refused(self, folder: Path) -> None:
        sentence = sentence_on(change_config(folder, "", vision_config=[3]))
        assert f"vision_config in {folder / 'config.json'} is no JSON object" in sentence


class TestFolder:
    @pytest.mark.parametrize(("kind", "pad"), [("siglip", 1), ("siglip2", 0)])
    def test_what_it_holds(self, tmp_path: Path, kind: Kind, pad: int) -> None:
        """The padding token is the tokenizer's: the configuration of SigLIP 2 does not name it."""
        loaded = siglip.read(write_siglip(tmp_path, kind))
        assert loaded.tokenizer is not None
        assert loaded.tokenizer.context == CONTEXT
        assert loaded.model.text.config.pad == pad
        assert (loaded.mean, loaded.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
        assert [path.name for path in loaded.files] == ["config.json", "model.safetensors", "tokenizer.json"]
        assert loaded.model.logit_scale.shape == loaded.model.logit_bias.shape == ()
        assert all(each.dtype == torch.float32 and not each.requires_grad for each in loaded.model.parameters())

    def test_words_become_embeddings(self, folder: Path) -> None:
        """From a prompt to the joint space, alike for what the tokenizer makes alike."""
        loaded = siglip.read(folder)
        assert loaded.tokenizer is not None
        tokens = loaded.tokenizer(["a photo of a part", "A photo, of a PART!", "a photo"])
        same, also, other = loaded.model.text(tokens.ids, tokens.ends)
        assert torch.allclose(same, also, atol=1e-5)
        assert (same - other).abs().max() > 1e-2

    def test_pixels_are_normalised_as_the_preprocessor_says(self, folder: Path) -> None:
        look = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3]}
        (folder / "preprocessor_config.json").write_text(json.dumps(look))
        loaded = siglip.read(folder)
        assert (loaded.mean, loaded.std) == ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
        assert folder / "preprocessor_config.json" in loaded.files

    def test_without_its_tokenizer_it_is_refused(self, folder: Path) -> None:
        (folder / "tokenizer.json").unlink()
        assert "holds no tokenizer.json" in sentence_on(folder)

    def test_known_buffers_are_passed_over(self, folder: Path) -> None:
        buffer = {"vision_model.embeddings.position_ids": torch.arange(25)}
        siglip.read(change_weights(folder, lambda tensors: tensors.update(buffer)))

    def test_missing_unexpected_and_misshapen_tensors_are_one_sentence(self, folder: Path) -> None:
        def spoil(tensors: dict[str, Tensor]) -> None:
            del tensors["vision_model.head.attention.in_proj_bias"]
            tensors["text_model.extra"] = torch.zeros(1)
            tensors["text_model.embeddings.position_embedding.weight"] = torch.zeros(5, 32)

        sentence = sentence_on(change_weights(folder, spoil))
        assert "1 missing (vision.head.qkv.bias)" in sentence
        assert "1 unexpected (text_model.extra)" in sentence
        assert f"text.position_embedding [5, 32] instead of [{CONTEXT}, 32]" in sentence
