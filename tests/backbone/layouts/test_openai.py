"""OpenAI's layout: one file, whose shapes tell the architecture."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from oddlens.backbone.layouts import openai
from oddlens.errors import ModelError
from tests.tiny_clip import Shape, Weights, random_weights, write_openai_archive, write_openai_state


def sentence_on(path: Path) -> str:
    with pytest.raises(ModelError) as error:
        openai.read(path)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert str(path) in sentence
    return sentence


@pytest.mark.parametrize("write", [write_openai_state, write_openai_archive])
def test_the_shapes_tell_the_architecture(write: type, tmp_path: Path) -> None:
    shape = Shape(
        image_size=48, patch_size=16, width=192, layers=2, text_width=128, text_layers=4, embed_dim=48, context=40, vocabulary=300
    )  # fmt: skip
    model = openai.read(write(tmp_path / "ViT.pt", random_weights(1, shape))).model
    vision, text = model.vision.config, model.text.config
    assert (vision.image_size, vision.patch_size, vision.width, vision.layers, vision.heads) == (48, 16, 192, 2, 3)
    assert (text.width, text.layers, text.heads, text.context, text.vocabulary) == (128, 4, 2, 40, 300)
    assert (vision.embed_dim, text.embed_dim, vision.mlp_width, text.mlp_width) == (48, 48, 768, 512)


def test_their_archive_says_quick_gelu_and_a_state_dict_nothing(tmp_path: Path, weights: Weights) -> None:
    archive = openai.read(write_openai_archive(tmp_path / "a.pt", weights))
    assert archive.says_activation
    assert archive.model.vision.config.activation == "quick_gelu"
    path = write_openai_state(tmp_path / "b.pt", weights)
    assert not openai.read(path).says_activation
    assert openai.read(path).files == (path,)
    known = openai.read(path).with_activation("gelu")
    assert known.says_activation
    assert known.model.text.config.activation == "gelu"


def test_the_same_names_in_safetensors_are_read_too(tmp_path: Path, weights: Weights) -> None:
    save_file(weights, tmp_path / "ViT.safetensors")
    assert torch.equal(
        openai.read(tmp_path / "ViT.safetensors").model.text.position_embedding, weights["positional_embedding"]
    )


def test_a_resnet_is_refused(tmp_path: Path) -> None:
    resnet = {
        "visual.conv1.weight": torch.zeros(32, 3, 3, 3),
        "visual.attnpool.positional_embedding": torch.zeros(50, 64),
    }
    torch.save(resnet, tmp_path / "RN50.pt")
    assert "is not a ViT CLIP in OpenAI's layout" in sentence_on(tmp_path / "RN50.pt")


def test_another_models_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.pt")
    assert "is not a ViT CLIP in OpenAI's layout" in sentence_on(tmp_path / "other.pt")


def test_missing_unexpected_and_misshapen_tensors_are_one_sentence(tmp_path: Path) -> None:
    weights = random_weights(1)
    weights["visual.ln_pre.weight"] = torch.zeros(5)
    weights["extra"] = torch.zeros(1)
    del weights["ln_final.bias"]
    for path in (write_openai_state(tmp_path / "a.pt", weights), write_openai_archive(tmp_path / "b.pt", weights)):
        sentence = sentence_on(path)
        assert "1 missing (text.ln_final.bias)" in sentence
        assert "1 unexpected (extra)" in sentence
        assert "1 unusable (vision.ln_pre.weight [5] instead of [128])" in sentence


@pytest.mark.parametrize("width", [96, 1280])
def test_a_width_that_does_not_tell_the_number_of_heads_is_refused(tmp_path: Path, width: int) -> None:
    """OpenAI's heads are 64 wide; those of open_clip's ViT-H are 80 wide."""
    weights = random_weights(1, Shape(width=width, layers=1, text_layers=1, vocabulary=10))
    said = sentence_on(write_openai_state(tmp_path / "ViT-H.pt", weights))
    assert f"a width of {width} does not determine it, only a configuration beside the weights does" in said


def test_positions_that_are_no_square_are_refused(tmp_path: Path) -> None:
    weights = random_weights(1)
    weights["visual.positional_embedding"] = weights["visual.positional_embedding"][:-1]
    assert "25 positions are no square and one" in sentence_on(write_openai_state(tmp_path / "ViT.pt", weights))
