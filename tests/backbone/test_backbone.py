"""A loaded backbone: text in any number and order, pixels as the model wants them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import load_backbone
from oddlens.backbone.tokenizer import clip_tokenizer
from oddlens.errors import UsageError
from tests.naive_clip import NaiveClip
from tests.tiny_clip import Weights, write_open_clip
from tests.tiny_dinov2 import write_dinov2
from tests.tiny_siglip import CONTEXT, their_siglip, write_siglip


@pytest.fixture(scope="module")
def backbone(open_clip_folder: Path) -> Backbone:
    return load_backbone(open_clip_folder, device="cpu")


class TestText:
    def test_every_prompt_is_embedded_by_itself(self, backbone: Backbone, weights: Weights) -> None:
        """Lengths that are mixed, and more prompts than run at once: each comes out in its place."""
        prompts = [f"{'very ' * (number * 7 % 11)}damaged part {number}" for number in range(70)]
        found = backbone.encode_text(prompts)
        assert found.shape == (70, 32)
        naive, tokens = NaiveClip(weights), clip_tokenizer()(prompts)
        for number in (0, 1, 33, 63, 64, 69):
            ids = tokens.ids[number, : int(tokens.ends[number]) + 1].tolist()
            assert (found[number] - naive.text(ids)).abs().max() < 2e-5

    def test_features_can_be_learned_against(self, backbone: Backbone) -> None:
        """What depends on them may be differentiated, though they themselves never learn."""
        features = torch.nn.functional.normalize(backbone.encode_text(["a part", "a damaged part"]), dim=-1)
        layer = torch.nn.Linear(8, 32)
        (layer(torch.ones(3, 8)) @ features.T).square().sum().backward()
        assert layer.weight.grad is not None
        assert layer.weight.grad.abs().sum() > 0


class TestPixels:
    def test_they_are_resized_to_a_square_and_normalised_by_the_models_own_values(
        self, backbone: Backbone, pictures: list[NDArray[np.uint8]]
    ) -> None:
        found = backbone.to_pixels(pictures, 56)
        assert found.shape == (8, 3, 56, 56)
        resized = np.asarray(Image.fromarray(pictures[1]).resize((56, 56), Image.Resampling.BICUBIC))
        expected = (resized / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.25, 0.3]
        assert np.abs(found[1].permute(1, 2, 0).numpy() - expected).max() < 1e-5

    def test_bilinear_is_another_way(self, backbone: Backbone, pictures: list[NDArray[np.uint8]]) -> None:
        assert not torch.allclose(
            backbone.to_pixels(pictures, 56), backbone.to_pixels(pictures, 56, "bilinear"), atol=0.1
        )


def test_the_model_does_not_learn_and_is_in_eval_mode(backbone: Backbone) -> None:
    assert not backbone.model.training
    assert not any(parameter.requires_grad for parameter in backbone.model.parameters())


def test_the_hash_is_that_of_the_files(open_clip_folder: Path, transformers_folder: Path) -> None:
    hashes = [
        load_backbone(folder, device="cpu").model_hash
        for folder in (open_clip_folder, open_clip_folder, transformers_folder)
    ]
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]
    assert len(hashes[0]) == 64


class TestAnotherActivation:
    def test_it_computes_as_a_model_that_says_so_itself(
        self, backbone: Backbone, weights: Weights, tmp_path: Path
    ) -> None:
        quick = load_backbone(write_open_clip(tmp_path, weights, quick_gelu=True), device="cpu")
        other = backbone.with_activation("quick_gelu")
        pixels = torch.rand(1, 3, 40, 40)
        for mine, its in ((other, quick), (backbone, backbone.with_activation("gelu"))):
            assert torch.equal(
                mine.vision.run_blocks(mine.vision.embed(pixels)).image,
                its.vision.run_blocks(its.vision.embed(pixels)).image,
            )
            assert mine.text.config == its.text.config
        assert not torch.equal(other.encode_text(["a part"]), backbone.encode_text(["a part"]))
        assert torch.equal(other.encode_text(["a part"]), quick.encode_text(["a part"]))
        assert other.fingerprint == backbone.fingerprint

    def test_nothing_but_the_shell_is_made_anew(self, backbone: Backbone) -> None:
        other = backbone.with_activation("quick_gelu")
        assert all(map(torch.Tensor.is_set_to, other.model.parameters(), backbone.model.parameters()))
        assert backbone.vision.config.activation == "gelu"
        assert backbone.with_activation("gelu") is backbone


def test_images_are_resized_as_the_models_makers_do(open_clip_folder: Path) -> None:
    backbone = load_backbone(open_clip_folder, device="cpu")
    images = [np.random.default_rng(0).integers(0, 256, (33, 47, 3), dtype=np.uint8)]
    bicubic, bilinear = backbone.to_pixels(images, 40, "bicubic"), backbone.to_pixels(images, 40, "bilinear")
    assert torch.equal(backbone.to_pixels(images, 40), bicubic)
    backbone.card = replace(backbone.card, interpolation="bilinear")
    assert torch.equal(backbone.to_pixels(images, 40), bilinear)
    assert not torch.equal(bicubic, bilinear)


class TestWithoutText:
    @pytest.fixture(scope="class")
    @classmethod
    def wordless(cls, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
        return load_backbone(write_dinov2(tmp_path_factory.mktemp("model") / "dino", registers=4), device="cpu")

    def test_what_needs_words_is_refused_in_one_sentence(self, wordless: Backbone) -> None:
        calls: list[Callable[[], object]] = [
            lambda: wordless.text,
            lambda: wordless.tokenizer,
            lambda: wordless.encode_text(["a part"]),
        ]
        assert not wordless.has_text
        for call in calls:
            with pytest.raises(UsageError) as error:
                call()
            assert str(error.value) == (
                "dino has no words: give a model with a text tower, a CLIP or a SigLIP (see 'oddlens models')"
            )

    def test_the_card_says_the_models_own_measures(self, wordless: Backbone) -> None:
        card = wordless.card
        assert (card.name, card.layout, card.kind) == ("dino", "dinov2", "DINOv2")
        assert (card.image_size, card.patch_size, card.layers, card.registers, card.embed_dim) == (40, 8, 4, 4, 0)
        assert not card.has_text

    def test_the_same_weights_have_the_same_fingerprint_and_others_another(
        self, wordless: Backbone, tmp_path: Path
    ) -> None:
        again = load_backbone(write_dinov2(tmp_path / "again", registers=4), device="cpu")
        other = load_backbone(write_dinov2(tmp_path / "other", registers=4, seed=1), device="cpu")
        assert wordless.fingerprint == again.fingerprint != other.fingerprint

    def test_there_is_one_variant_of_its_gelu(self, wordless: Backbone) -> None:
        assert wordless.with_activation("quick_gelu") is wordless


class TestSigLIP:
    @pytest.fixture(scope="class")
    @classmethod
    def theirs(cls) -> Any:
        return their_siglip()

    @pytest.fixture(scope="class")
    @classmethod
    def siglip(cls, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
        return load_backbone(write_siglip(tmp_path_factory.mktemp("siglip")), device="cpu")

    def test_text_is_theirs_padded_to_the_context(self, siglip: Backbone, theirs: Any) -> None:
        prompts = ["a photo", "photo of a part", "a"]
        tokens = siglip.tokenizer(prompts)
        padded = torch.ones(3, CONTEXT, dtype=torch.long)
        for row, (ids, end) in enumerate(zip(tokens.ids, tokens.ends.tolist(), strict=True)):
            padded[row, : end + 1] = ids[: end + 1]
        with torch.inference_mode():
            expected = theirs.get_text_features(padded)
        torch.testing.assert_close(siglip.encode_text(prompts), getattr(expected, "pooler_output", expected))

    def test_there_is_one_variant_of_its_gelu(self, siglip: Backbone) -> None:
        for activation in ("gelu", "quick_gelu", None):
            assert siglip.with_activation(activation) is siglip

    def test_the_card_says_the_models_own_measures(self, siglip: Backbone) -> None:
        assert (siglip.card.kind, siglip.card.layout, siglip.card.registers) == ("SigLIP", "siglip", 0)
        assert siglip.card.embed_dim == siglip.card.width == 48
