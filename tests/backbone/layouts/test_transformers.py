"""The transformers layout: what a folder must hold, and what is said when it does not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from oddlens.backbone.layouts import transformers
from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD
from oddlens.errors import ModelError
from tests.tiny_clip import Weights, random_weights, transformers_names, write_transformers

ATTENTION = "vision_model.encoder.layers.1.self_attn"


def rewrite(folder: Path, change: Callable[[Weights], object], weights: Weights) -> Path:
    """The folder with tensors changed after naming them transformers' way."""
    write_transformers(folder, weights)
    named = transformers_names(weights)
    change(named)
    save_file({name: value.contiguous() for name, value in named.items()}, folder / "model.safetensors")
    return folder


def sentence_on(folder: Path) -> str:
    with pytest.raises(ModelError) as error:
        transformers.read(folder)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


class TestConfiguration:
    def test_the_activation_is_the_one_named(self, tmp_path: Path, weights: Weights) -> None:
        folder = write_transformers(tmp_path, weights, activation="gelu")
        assert transformers.read(folder).model.vision.config.activation == "gelu"

    def test_what_equals_the_defaults_of_their_program_may_be_left_out(self, tmp_path: Path, weights: Weights) -> None:
        """CLIPConfig does not write them: QuickGELU, 77 tokens, 49,408 entries."""

        def forget(config: dict[str, Any]) -> None:
            del config["vision_config"]["hidden_act"], config["text_config"]["hidden_act"]
            del config["text_config"]["max_position_embeddings"], config["text_config"]["vocab_size"]

        text = transformers.read(
            write_transformers(tmp_path, weights, activation="gelu", change=forget)
        ).model.text.config
        assert (text.activation, text.context, text.vocabulary) == ("quick_gelu", 77, 49408)

    def test_pixels_are_normalised_as_the_preprocessor_says_else_as_clip_does(
        self, tmp_path: Path, weights: Weights
    ) -> None:
        folder = write_transformers(tmp_path, weights)
        loaded = transformers.read(folder)
        assert (loaded.mean, loaded.std) == ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
        assert folder / "preprocessor_config.json" in loaded.files
        (folder / "preprocessor_config.json").unlink()
        loaded = transformers.read(folder)
        assert (loaded.mean, loaded.std) == (CLIP_MEAN, CLIP_STD)
        assert loaded.files == (folder / "config.json", folder / "model.safetensors")

    @pytest.mark.parametrize("kind", ["siglip", "clip_vision_model", None])
    def test_a_model_of_another_type_is_refused(self, tmp_path: Path, weights: Weights, kind: str | None) -> None:
        folder = write_transformers(tmp_path, weights, change=lambda config: config.update(model_type=kind))
        sentence = sentence_on(folder)
        assert f"of type {kind!r}, where oddlens reads 'dinov2', 'dinov2_with_registers', 'siglip' and" in sentence

    @pytest.mark.parametrize("older", [{}, {"hidden_act": "gelu"}, {"hidden_act": "gelu", "num_attention_heads": 4}])
    def test_older_settings_win_with_their_defaults_as_transformers_has_it(
        self, tmp_path: Path, weights: Weights, older: dict[str, Any]
    ) -> None:
        from transformers import CLIPConfig

        def change(config: dict[str, Any]) -> None:
            for tower in ("vision_config", "text_config"):
                config[f"{tower}_dict"] = {
                    name: config[tower][name] for name in ("hidden_size", "num_attention_heads")
                } | older
                config[tower] |= {"layer_norm_eps": 1e-4, "num_attention_heads": 1}

        path = write_transformers(tmp_path, weights, change=change) / "config.json"
        theirs = CLIPConfig(**json.loads(path.read_text()))
        for ours, section in zip(
            transformers.read_config(path), (theirs.vision_config, theirs.text_config), strict=True
        ):
            assert (ours.width, ours.layers, ours.heads, ours.mlp_width, ours.activation, ours.eps) == (
                section.hidden_size, section.num_hidden_layers, section.num_attention_heads, section.intermediate_size,
                section.hidden_act, section.layer_norm_eps,
            )  # fmt: skip

    def test_settings_that_are_empty_are_not_there(self, tmp_path: Path, weights: Weights) -> None:
        """As OpenAI's own repositories have them."""
        write_transformers(tmp_path, weights, change=lambda config: config.update(text_config_dict=None))
        assert transformers.read(tmp_path).model.text.config.width == 64

    def test_an_unknown_activation_is_refused(self, tmp_path: Path, weights: Weights) -> None:
        sentence = sentence_on(write_transformers(tmp_path, weights, activation="gelu_new"))
        assert "sets hidden_act to 'gelu_new', where oddlens reads 'gelu' or 'quick_gelu'" in sentence

    @pytest.mark.parametrize("content", ["", "{", "[]", '"clip"'])
    def test_a_damaged_configuration_is_named(self, tmp_path: Path, weights: Weights, content: str) -> None:
        (write_transformers(tmp_path, weights) / "config.json").write_text(content)
        assert str(tmp_path / "config.json") in sentence_on(tmp_path)

    @pytest.mark.parametrize("value", [None, "wide", [64]])
    def test_a_measure_that_is_no_number_is_reported(self, tmp_path: Path, weights: Weights, value: object) -> None:
        write_transformers(tmp_path, weights, change=lambda config: config["vision_config"].update(hidden_size=value))
        verb = "lacks" if value is None else "sets"
        assert f"vision_config in {tmp_path / 'config.json'} {verb} hidden_size" in sentence_on(tmp_path)


class TestWeights:
    def test_the_files_of_a_sharded_model_are_all_counted(self, tmp_path: Path, weights: Weights) -> None:
        names = [path.name for path in transformers.read(write_transformers(tmp_path, weights, form="sharded")).files]
        assert names == [
            "config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors", "preprocessor_config.json",
        ]  # fmt: skip

    def test_a_missing_shard_is_named(self, tmp_path: Path, weights: Weights) -> None:
        shard = write_transformers(tmp_path, weights, form="sharded") / "model-00002-of-00002.safetensors"
        shard.unlink()
        assert f"{shard} does not exist" in sentence_on(tmp_path)

    @pytest.mark.parametrize(
        "index",
        [{}, {"weight_map": []}, {"weight_map": {}}, {"weight_map": {"a": 3}}, {"weight_map": {"a": "x.index.json"}}],
    )
    def test_an_index_that_names_no_shards_is_refused(self, tmp_path: Path, weights: Weights, index: object) -> None:
        path = write_transformers(tmp_path, weights, form="sharded") / "model.safetensors.index.json"
        path.write_text(json.dumps(index))
        assert f"{path} has no weight_map of .safetensors files beside it" in sentence_on(tmp_path)

    def test_a_folder_without_weights_says_which_files_are_searched(self, tmp_path: Path, weights: Weights) -> None:
        (write_transformers(tmp_path, weights) / "model.safetensors").unlink()
        assert "holds no weights: one of model.safetensors" in sentence_on(tmp_path)
        assert not transformers.recognise(tmp_path)

    def test_known_buffers_are_passed_over(self, tmp_path: Path, weights: Weights) -> None:
        buffer = {"text_model.embeddings.position_ids": torch.arange(77)}
        transformers.read(rewrite(tmp_path, lambda named: named.update(buffer), weights))

    def test_missing_unexpected_and_misshapen_tensors_are_one_sentence(self, tmp_path: Path, weights: Weights) -> None:
        def spoil(named: Weights) -> None:
            del named["vision_model.pre_layrnorm.bias"]
            named["vision_model.extra"] = torch.zeros(1)
            named["text_projection.weight"] = named["text_projection.weight"][:5]

        sentence = sentence_on(rewrite(tmp_path, spoil, weights))
        assert "1 missing (vision.ln_pre.bias)" in sentence
        assert "1 unexpected (vision_model.extra)" in sentence
        assert "1 unusable (text.projection.weight [5, 64] instead of [32, 64])" in sentence
        assert str(tmp_path / "model.safetensors") in sentence

    @pytest.mark.parametrize("part", ["q", "k", "v"])
    def test_a_missing_attention_projection_is_reported(self, tmp_path: Path, weights: Weights, part: str) -> None:
        sentence = sentence_on(rewrite(tmp_path, lambda named: named.pop(f"{ATTENTION}.{part}_proj.bias"), weights))
        assert "missing (vision.blocks.1.qkv.bias)" in sentence
        assert "unexpected (vision.blocks.1.self_attn." in sentence

    def test_a_misshapen_attention_projection_is_reported(self, tmp_path: Path, weights: Weights) -> None:
        name = f"{ATTENTION}.k_proj.weight"
        sentence = sentence_on(rewrite(tmp_path, lambda named: named.update({name: named[name][:, :7]}), weights))
        assert "missing (vision.blocks.1.qkv.weight)" in sentence
        assert "vision.blocks.1.self_attn.k_proj.weight" in sentence

    def test_many_faults_are_counted_and_a_few_named(self, tmp_path: Path) -> None:
        three_blocks = random_weights(1)
        folder = write_transformers(
            tmp_path, three_blocks, change=lambda config: config["vision_config"].update(num_hidden_layers=1)
        )
        assert "24 unexpected (vision.blocks." in sentence_on(folder)
        assert "and 20 more" in sentence_on(folder)
