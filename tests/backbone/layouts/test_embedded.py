"""The embedded model's layout: what was trained in a folder, the stem from its package."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from oddlens.backbone.efficientnet import HybridStem, trunk_file
from oddlens.backbone.layouts import embedded
from oddlens.backbone.load import load_backbone
from oddlens.backbone.normalisation import LITE_MEAN, LITE_STD
from oddlens.errors import ModelError
from tests.tiny_clip import write_embedded


def sentence_on(folder: Path) -> str:
    with pytest.raises(ModelError) as error:
        embedded.read(folder)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


def test_it_reads_what_was_described(embedded_folder: Path) -> None:
    loaded = embedded.read(embedded_folder)
    told = json.loads((embedded_folder / embedded.CONFIG).read_text())
    assert embedded.describe(loaded.model) == told
    assert isinstance(loaded.model.vision.stem, HybridStem)
    assert (loaded.mean, loaded.std) == (LITE_MEAN, LITE_STD)
    assert loaded.tokenizer.size == loaded.model.text.config.vocabulary


def test_its_files_are_its_own_and_the_stems(embedded_folder: Path) -> None:
    names = ["oddlens_model.json", "model.safetensors", "tokenizer.json"]
    assert embedded.read(embedded_folder).files == (*(embedded_folder / name for name in names), trunk_file())


def test_what_was_trained_is_what_lies_in_the_folder(embedded_folder: Path) -> None:
    state = embedded.read(embedded_folder).model.state_dict()
    for name, value in load_file(embedded_folder / embedded.WEIGHTS).items():
        assert torch.equal(state[name], value.float())


def test_a_model_of_this_layout_is_matched_by_its_stem_wherever_it_lies(embedded_folder: Path) -> None:
    assert load_backbone(embedded_folder, device="cpu").card.reference_taps == ("stem",)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda config: config.pop("text"),
        lambda config: config.update(vision=3),
        lambda config: config["vision"].pop("width"),
        lambda config: config["vision"].update(colour="red"),
        lambda config: config["vision"].update(activation="gelu_tanh"),
        lambda config: config["vision"].update(embed_dim=64),
    ],
)
def test_a_configuration_of_something_else_is_refused(tmp_path: Path, spoil: Any) -> None:
    path = write_embedded(tmp_path) / embedded.CONFIG
    config = json.loads(path.read_text())
    spoil(config)
    path.write_text(json.dumps(config))
    assert str(path) in sentence_on(tmp_path)


def test_one_number_that_is_not_finite_is_reported(tmp_path: Path) -> None:
    path = write_embedded(tmp_path) / embedded.WEIGHTS
    tensors = load_file(path)
    tensors["vision.blocks.0.fc_1.bias"][5] = float("nan")
    save_file(tensors, path)
    assert "1 unusable (vision.blocks.0.fc_1.bias with numbers that are not finite)" in sentence_on(tmp_path)


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path = write_embedded(tmp_path) / embedded.WEIGHTS
    tensors = load_file(path)
    tensors["vision.extra"] = tensors.pop("vision.ln_pre.bias")
    save_file(tensors, path)
    sentence = sentence_on(tmp_path)
    assert "1 missing (vision.ln_pre.bias)" in sentence
    assert "1 unexpected (vision.extra)" in sentence
    path.unlink()
    assert f"{path} does not exist" in sentence_on(tmp_path)
