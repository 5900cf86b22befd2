"""The open_clip layout: what a folder must hold, and what is said when it does not."""

from pathlib import Path
from typing import Any

import pytest
import torch

from oddlens.backbone.layouts import open_clip
from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD
from oddlens.errors import ModelError
from tests.tiny_clip import Weights, random_weights, write_open_clip


def sentence_on(folder: Path) -> str:
    with pytest.raises(ModelError) as error:
        open_clip.read(folder)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


class TestConfiguration:
    @pytest.mark.parametrize("quick", [False, True])
    def test_gelu_is_exact_unless_the_configuration_says_quick(
        self, tmp_path: Path, weights: Weights, quick: bool
    ) -> None:
        config = open_clip.read(write_open_clip(tmp_path, weights, quick_gelu=quick)).model.vision.config
        assert config.activation == ("quick_gelu" if quick else "gelu")
        assert config.heads == 2

    def test_pixels_are_normalised_as_the_folder_says_else_as_clip_does(self, tmp_path: Path, weights: Weights) -> None:
        loaded = open_clip.read(write_open_clip(tmp_path, weights))
        assert (loaded.mean, loaded.std) == ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
        loaded = open_clip.read(write_open_clip(tmp_path, weights, change=lambda config: config.pop("preprocess_cfg")))
        assert (loaded.mean, loaded.std) == (CLIP_MEAN, CLIP_STD)

    def test_context_and_vocabulary_may_be_left_out(self, tmp_path: Path, weights: Weights) -> None:
        def forget(config: dict[str, Any]) -> None:
            del config["model_cfg"]["text_cfg"]["context_length"], config["model_cfg"]["text_cfg"]["vocab_size"]

        text = open_clip.read(write_open_clip(tmp_path, weights, change=forget)).model.text.config
        assert (text.context, text.vocabulary) == (77, 49408)

    @pytest.mark.parametrize(
        ("section", "setting", "told"),
        [
            ("vision_cfg", {"layers": [3, 4, 6, 3]}, "a ResNet"),
            ("vision_cfg", {"timm_model_name": "vit_base"}, "timm_model_name"),
            ("vision_cfg", {"attentional_pool": True}, "attentional_pool"),
            ("vision_cfg", {"pool_type": "avg"}, "pool_type"),
            ("vision_cfg", {"no_ln_pre": True}, "no_ln_pre"),
            ("text_cfg", {"hf_model_name": "roberta-base"}, "hf_model_name"),
            ("text_cfg", {"embed_cls": True}, "embed_cls"),
            ("text_cfg", {"no_causal_mask": True}, "no_causal_mask"),
            ("text_cfg", {"norm_kwargs": {"eps": 1e-6}}, "norm_kwargs"),
            ("text_cfg", {"hf_tokenizer_name": "bert-base-uncased"}, "hf_tokenizer_name"),
            ("text_cfg", {"tokenizer_kwargs": {"clean": "canonicalize"}}, "tokenizer_kwargs"),
            ("vision_cfg", {"global_average_pool": True}, "global_average_pool"),
            ("vision_cfg", {"ls_init_value": 0.1}, "ls_init_value"),
        ],
    )
    def test_towers_that_compute_something_else_are_refused(
        self, tmp_path: Path, weights: Weights, section: str, setting: dict[str, object], told: str
    ) -> None:
        write_open_clip(tmp_path, weights, change=lambda config: config["model_cfg"][section].update(setting))
        sentence = sentence_on(tmp_path)
        assert "is not a plain ViT CLIP" in sentence
        assert told in sentence

    def test_settings_that_spell_out_the_plain_tower_are_no_hindrance(self, tmp_path: Path, weights: Weights) -> None:
        def spell(config: dict[str, Any]) -> None:
            config["model_cfg"]["vision_cfg"].update(pool_type="tok", attentional_pool=False)
            config["model_cfg"]["text_cfg"].update(pool_type="argmax")

        open_clip.read(write_open_clip(tmp_path, weights, change=spell))

    @pytest.mark.parametrize("missing", ["embed_dim", "vision_cfg", "text_cfg"])
    def test_what_the_configuration_lacks_is_reported(self, tmp_path: Path, weights: Weights, missing: str) -> None:
        write_open_clip(tmp_path, weights, change=lambda config: config["model_cfg"].pop(missing))
        assert missing in sentence_on(tmp_path)
        write_open_clip(tmp_path, weights, change=lambda config: config["model_cfg"]["text_cfg"].pop("heads"))
        assert "heads" in sentence_on(tmp_path)
        write_open_clip(tmp_path, weights, change=lambda config: config.pop("model_cfg"))
        assert "model_cfg" in sentence_on(tmp_path)


class TestWeights:
    def test_a_state_dict_may_be_wrapped_as_training_programs_do(self, tmp_path: Path, weights: Weights) -> None:
        write_open_clip(tmp_path, weights, file="open_clip_pytorch_model.bin")
        wrapped = {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in weights.items()}}
        torch.save(wrapped, tmp_path / "open_clip_pytorch_model.bin")
        model = open_clip.read(tmp_path).model
        assert torch.equal(model.vision.class_embedding, weights["visual.class_embedding"])

    def test_missing_unexpected_and_misshapen_tensors_are_one_sentence(self, tmp_path: Path) -> None:
        weights = random_weights(1)
        weights["extra"] = torch.zeros(())
        weights["visual.proj"] = torch.zeros(128, 7)
        weights["text_projection"] = torch.zeros(2, 64, 32)
        del weights["visual.ln_post.weight"]
        sentence = sentence_on(write_open_clip(tmp_path, weights))
        assert "1 missing (vision.ln_post.weight)" in sentence
        assert "1 unexpected (extra)" in sentence
        assert "vision.projection.weight [7, 128] instead of [32, 128]" in sentence
        assert "text.projection.weight [2, 64, 32] instead of [32, 64]" in sentence

    @pytest.mark.parametrize(
        ("section", "setting", "told"),
        [
            (
                None,
                {"embed_dim": "32"},
                "model_cfg in {path} sets embed_dim to '32', where oddlens reads a positive whole number",
            ),
            (None, {"embed_dim": 1.5}, "sets embed_dim to 1.5"),
            ("vision_cfg", {"width": None}, "vision_cfg in {path} lacks width (oddlens reads a positive whole number)"),
            ("vision_cfg", {"width": 128.0}, "sets width to 128.0"),
            ("vision_cfg", {"layers": 10**9}, "sets layers to 1000000000, where"),
            ("vision_cfg", {"layers": 300}, "layers is 300, where 1 to 256 is possible"),
            ("vision_cfg", {"layers": -1}, "sets layers to -1"),
            ("vision_cfg", {"head_width": 0}, "sets head_width to 0"),
            ("vision_cfg", {"patch_size": 0}, "sets patch_size to 0"),
            ("vision_cfg", {"patch_size": 41}, "image_size 40 is less than patch_size 41"),
            ("vision_cfg", {"mlp_ratio": float("inf")}, "Infinity"),
            ("text_cfg", {"heads": 3}, "a width of 64 cannot be shared among 3 heads"),
            ("text_cfg", {"vocab_size": True}, "sets vocab_size to True"),
            ("text_cfg", {"context_length": 10**30}, "sets context_length to "),
        ],
    )
    def test_numbers_of_which_no_tower_can_be_made_are_reported(
        self, tmp_path: Path, weights: Weights, section: str | None, setting: dict[str, object], told: str
    ) -> None:
        def change(config: dict[str, Any]) -> None:
            (config["model_cfg"] if section is None else config["model_cfg"][section]).update(setting)

        folder = write_open_clip(tmp_path, weights, change=change)
        assert told.format(path=folder / "open_clip_config.json") in sentence_on(folder)

    @pytest.mark.parametrize(
        "look",
        [
            {"mean": [0.5, 0.5]},
            {"mean": ["a", 0, 0]},
            {"std": [0, 1, 1]},
            {"std": [-1, 1, 1]},
            {"mean": 0.5},
            {"std": [1, 1, 10**400]},
            {"mean": [0.5, 1e300, 0.5]},  # of which numpy would warn, and give no number
            {"std": [0.2, 0.2, 1e-300]},
        ],
    )
    def test_colours_that_no_picture_has_are_reported(
        self, tmp_path: Path, weights: Weights, look: dict[str, object]
    ) -> None:
        write_open_clip(tmp_path, weights, change=lambda config: config["preprocess_cfg"].update(look))
        assert "where oddlens reads three numbers" in sentence_on(tmp_path)

    def test_the_causal_mask_of_older_files_is_passed_over(self, tmp_path: Path, weights: Weights) -> None:
        open_clip.read(write_open_clip(tmp_path, weights | {"attn_mask": torch.zeros(77, 77)}))

    def test_the_files_are_configuration_weights_and_tokenizer(self, tmp_path: Path, weights: Weights) -> None:
        from oddlens.backbone.tokenizer import clip_tokenizer

        clip_tokenizer().save(write_open_clip(tmp_path, weights) / "tokenizer.json")
        names = [path.name for path in open_clip.read(tmp_path).files]
        assert names == ["open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json"]
