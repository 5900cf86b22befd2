"""Methods on models of other kinds: what needs a joint space only runs on a SigLIP, and what needs words refuses a DINOv2."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from oddlens.methods.registry import method_cards
from tests.contract.test_export import exported, images, pixels_of
from tests.tiny_dinov2 import write_dinov2
from tests.tiny_layers import random_layers, write_layers
from tests.tiny_siglip import Kind, write_siglip


@pytest.fixture(scope="module", params=["siglip", "siglip2"])
def siglip_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kind: Kind = request.param
    return write_siglip(tmp_path_factory.mktemp(kind), kind, context=160)  # a vocabulary of letters makes long prompts


@pytest.fixture(scope="module")
def dinov2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dinov2(tmp_path_factory.mktemp("dinov2"), registers=4)


def noise(count: int) -> list[Pixels]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (60, 50, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize("method", ["winclip", "anovl", "vl4ad"])
def test_a_siglip_serves_methods_that_work_from_words(siglip_folder: Path, method: str) -> None:
    detector = oddlens.load(method, siglip_folder, device="cpu")
    first, second = detector.detect(noise(2), "part")
    assert (first.anomaly_map.ndim, first.image_size) == (2, (50, 60))
    assert np.isfinite([first.score, second.score]).all()
    assert np.isfinite(first.anomaly_map).all()
    assert first.score != second.score


def test_good_examples_serve_on_a_siglip(siglip_folder: Path) -> None:
    """An image that is among them is at no distance from them, one that is not is."""
    good, other = noise(2)
    detector = oddlens.load("winclip", siglip_folder, device="cpu")
    plain = detector.detect([good, other], "part")
    known, unknown = detector.add_references([good]).detect([good, other], "part")
    assert known.score == pytest.approx(plain[0].score / 2, abs=1e-5)
    assert unknown.score > plain[1].score / 2 + 1e-3


def test_trained_layers_serve_on_the_siglip_that_they_were_trained_on(siglip_folder: Path, tmp_path: Path) -> None:
    recipe = AprilGANRecipe(image_size=40, layers=(1, 3), activation=None)
    backbone = load_backbone(siglip_folder, device="cpu")
    weights = write_layers(tmp_path / "layers.safetensors", random_layers(2, 48, 48), backbone, recipe)
    detector = oddlens.load("april-gan", siglip_folder, weights, device="cpu")
    good, other = noise(2)
    first, second = detector.detect([good, other], "part")
    assert np.isfinite([first.score, second.score]).all()
    known, unknown = detector.add_references([good]).detect([good, other], "part")
    assert np.abs(known.anomaly_map - first.anomaly_map).max() < 1e-4  # at no distance from itself
    assert (unknown.anomaly_map - second.anomaly_map).min() > 0


def test_the_image_is_what_the_head_pools_and_no_token(siglip_folder: Path) -> None:
    method = oddlens.load("winclip", siglip_folder, device="cpu").method
    pixels = torch.randn(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = method.encode(pass_pixels(method.backbone, pixels, method.request))
        vision = method.backbone.vision
        expected = vision.run_blocks(vision.embed(pixels)).image
    torch.testing.assert_close(found["image"], F.normalize(expected, dim=-1))


@pytest.mark.parametrize("siglip_folder", ["siglip2"], indirect=True)  # the kinds differ in their tokenizers alone
@pytest.mark.parametrize(("method", "recipe"), [("winclip", {}), ("anovl", {"adapt": False}), ("vl4ad", {})])
def test_methods_on_a_siglip_are_graphs_too(siglip_folder: Path, method: str, recipe: dict[str, bool]) -> None:
    detector = oddlens.load(method, siglip_folder, device="cpu", **recipe)
    given = images(detector, 3)
    run = exported(detector, pixels_of(detector, given[:2]), None)
    scores, maps = run(pixels_of(detector, given), {}, {})
    for found, score, anomaly_map in zip(detector.detect(given), scores, maps, strict=True):
        assert found.score == pytest.approx(float(score), abs=1e-5)
        assert np.abs(found.anomaly_map - anomaly_map.numpy()).max() < 1e-5


@pytest.mark.parametrize("method", [name for name, card in method_cards().items() if card.needs.text])
def test_a_model_without_words_is_refused_in_one_sentence(dinov2_folder: Path, method: str) -> None:
    with pytest.raises(UsageError) as error:
        oddlens.load(method, dinov2_folder, device="cpu")
    assert str(error.value) == (
        f"{method} needs a text tower, which {dinov2_folder.name} (DINOv2) does not have: give a CLIP with a ViT as the model, see "
        "'oddlens models'"
    )


WITHOUT_WORDS = pytest.mark.parametrize(
    "method", [name for name, card in method_cards().items() if not card.needs.text]
)


def check_that_references_serve(method: str, folder: Path) -> None:
    good, other = noise(2)
    detector = oddlens.load(method, folder, device="cpu").add_references(good)
    known, unknown = detector.detect([good, other])
    assert 0 <= known.score < unknown.score


@WITHOUT_WORDS
@pytest.mark.parametrize("folder", ["dinov2_folder", "embedded_folder"])
def test_a_method_without_words_runs_on_every_vit(method: str, folder: str, request: pytest.FixtureRequest) -> None:
    check_that_references_serve(method, request.getfixturevalue(folder))


@WITHOUT_WORDS
def test_a_method_without_words_runs_on_a_siglip(method: str, siglip_folder: Path) -> None:
    check_that_references_serve(method, siglip_folder)


def test_learned_prompts_are_refused_on_a_siglip(siglip_folder: Path) -> None:
    with pytest.raises(
        UsageError, match=r"anomalyclip needs a text tower that takes learned prompts, which .* \(SigLIP\)"
    ):
        oddlens.load("anomalyclip", siglip_folder, device="cpu")
