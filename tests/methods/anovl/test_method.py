"""AnoVL against a plain restatement, and what adaptation must not do: depend on other pictures, touch CLIP, grow."""

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.encoding import EncodedBatch, joined
from oddlens.errors import UsageError
from oddlens.methods.anovl.adapter import draw_noise, draw_start
from oddlens.methods.anovl.augmentations import views
from oddlens.methods.anovl.method import AnoVL
from oddlens.methods.anovl.recipe import AnoVLRecipe
from oddlens.methods.common.templates import load_states
from oddlens.methods.common.tiling import cut, tiling
from tests.naive_clip import NaiveClip
from tests.tiny_clip import Shape, Weights, random_weights, write_open_clip

Pictures = list[NDArray[np.uint8]]
SMALL = Shape(layers=2, text_layers=1)


def load(folder: Path, **changed: Any) -> Detector:
    """One view, unless more are asked for: the views are a matter of their own."""
    return oddlens.load("anovl", model=folder, device="cpu", **{"views": 1, **changed})


@pytest.fixture(scope="module")
def detector(open_clip_folder: Path) -> Detector:
    return load(open_clip_folder)


def far(one: Detection, other: Detection) -> float:
    return float(np.abs(one.anomaly_map - other.anomaly_map).max())


def prompts(object_name: str) -> tuple[list[str], list[str]]:
    """The sentences for an object, in no particular order."""
    found: tuple[list[str], list[str]] = ([], [])
    for photo in ("industrial photo", "industrial image", "manufacturing image"):
        an = "an" if photo.startswith("i") else "a"
        kinds = ["cropped", "close-up", "bright", "dark", "jpeg corrupted", "blurry"]
        frames = [f"a {kind} {photo} of {article} {{}}" for kind in kinds for article in ("a", "the")]
        for article in ("a", "the"):
            frames += [f"{an} {photo} of {article} {size}{{}}" for size in ("", "small ", "large ")]
            frames += [
                f"{an} {photo} of {article} {{}} for {aim}" for aim in ("visual inspection", "anomaly detection")
            ]
        states = load_states("anovl")
        for sentences, phrases in zip(found, (states.normal, states.abnormal), strict=True):
            sentences += [frame.format(state.format(object_name)) for frame in frames for state in phrases]
    return found


class NaiveAnoVL:
    """One picture at a time, in float64, without adaptation."""

    def __init__(self, clip: NaiveClip, folder: Path, object_name: str, temperature: float) -> None:
        encode = load_backbone(folder, device="cpu").encode_text
        means = [encode(sentences).double().mean(dim=0) for sentences in prompts(object_name)]
        self.texts = torch.stack([F.normalize(mean, dim=0) for mean in means])
        self.clip, self.temperature = clip, temperature

    def pixels(self, picture: NDArray[np.uint8]) -> Tensor:
        resized = Image.fromarray(picture).resize((40, 40), Image.Resampling.BILINEAR)
        return torch.tensor((np.asarray(resized) / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.25, 0.3]).permute(2, 0, 1)

    def abnormal(self, features: Tensor) -> Tensor:
        cosines = F.normalize(features, dim=-1) @ self.texts.T / self.temperature
        return 1 / (1 + (cosines[..., 0] - cosines[..., 1]).exp())

    def score(self, seen: list[Tensor]) -> float:
        return float(sum(self.abnormal(self.clip.image(self.clip.tokens(view))) for view in seen)) / len(seen)

    def local(self, pixels: Tensor) -> Tensor:
        return self.clip.project(self.clip.local(self.clip.tokens(pixels), 1)[self.clip.layers][1:])

    def anomaly_map(self, local: Tensor) -> Tensor:
        """Means of three by three, the border's values going on beyond it, then up to 40 pixels, corner on corner."""
        found = self.abnormal(local).view(5, 5)
        near = [[min(max(place + step, 0), 4) for step in (-1, 0, 1)] for place in range(5)]
        means = torch.stack([torch.stack([found[rows][:, columns].mean() for columns in near]) for rows in near])
        places = torch.linspace(0, 4, 40, dtype=torch.float64)
        weights = (1 - (places[:, None] - torch.arange(5)).abs()).clamp(min=0)
        return weights @ means @ weights.T


class TestAgainstTheRestatement:
    @pytest.mark.parametrize(("seed", "temperature", "count"), [(11, 1.0, 1), (12, 0.07, 1), (13, 1.0, 22)])
    def test_scores_and_maps_of_any_model(
        self, tmp_path: Path, pictures: Pictures, seed: int, temperature: float, count: int
    ) -> None:
        weights = random_weights(seed, SMALL)
        write_open_clip(tmp_path, weights, SMALL)
        naive = NaiveAnoVL(NaiveClip(weights), tmp_path, "metal_nut", temperature)
        detector = load(tmp_path, views=count, temperature=temperature, adapt=False)
        for found, picture in zip(detector.detect(pictures[:2], "metal_nut"), pictures, strict=False):
            pixels = naive.pixels(picture)
            seen = [view[0] for view in views(pixels[None])][:count]
            assert found.score == pytest.approx(naive.score(seen), abs=5e-6)
            assert np.abs(found.anomaly_map - naive.anomaly_map(naive.local(pixels)).numpy()).max() < 5e-6

    @pytest.mark.parametrize("adapter", ["text", "linear"])
    def test_adaptation(self, open_clip_folder: Path, weights: Weights, pictures: Pictures, adapter: str) -> None:
        naive = NaiveAnoVL(NaiveClip(weights), open_clip_folder, "nut", 1.0)
        detector = load(open_clip_folder, adapter=adapter, steps=3, seed=5)
        embeddings = detector.method.encode_prompts("nut")["sentences"].double()
        start = draw_start(924 if adapter == "text" else 32, 32, seed=5)
        weight, bias = parameters = [part.double().requires_grad_() for part in start]
        optimiser = torch.optim.AdamW(parameters, 1e-3)
        local = naive.local(naive.pixels(pictures[1]))

        def adapted(tokens: Tensor) -> Tensor:
            inner = F.normalize(tokens, dim=1) @ weight.T + bias
            return (tokens + (inner.tanh() @ embeddings if adapter == "text" else inner)) / 2

        for noise in draw_noise((3, 25, 32), 0.055, seed=5):
            real, noisy = naive.abnormal(adapted(local)), naive.abnormal(adapted(local + noise))
            entropy = -real * real.log() - (1 - real) * (1 - real).log()
            loss = (entropy - 0.5 * noisy.log() - 0.5 * (1 - real).log()).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        (found,) = detector.detect(pictures[1], "nut")
        with torch.no_grad():
            assert np.abs(found.anomaly_map - naive.anomaly_map(adapted(local)).numpy()).max() < 5e-5


class TestWhatAPictureGivesIsItsOwn:
    @pytest.fixture(scope="class")
    @classmethod
    def alone(cls, detector: Detector, pictures: Pictures) -> list[Detection]:
        return [detector.detect(picture, "nut")[0] for picture in pictures]

    def test_however_many_are_adapted_together(
        self, detector: Detector, pictures: Pictures, alone: list[Detection]
    ) -> None:
        fewer = AnoVL(detector.method.backbone, detector.recipe, adapting_bytes=3 << 20)
        for one, other in zip(alone, Detector("anovl", fewer).detect(pictures, "nut"), strict=True):
            assert far(one, other) < 1e-5

    def test_again_bit_by_bit(self, detector: Detector, pictures: Pictures, alone: list[Detection]) -> None:
        (again,) = detector.detect(pictures[0], "nut")
        assert np.array_equal(again.anomaly_map, alone[0].anomaly_map)
        assert again.score == alone[0].score

    def test_adaptation_changes_the_map_and_not_the_score(
        self, detector: Detector, pictures: Pictures, alone: list[Detection]
    ) -> None:
        plain = detector.predict(detector.encode(pictures), "nut", adapt=False)
        for adapted, other in zip(alone, plain, strict=True):
            assert far(adapted, other) > 1e-4
            assert adapted.score == pytest.approx(other.score, abs=1e-6)


class TestTheKeptOptimiser:
    """The released code makes one optimiser a class and never empties it."""

    def test_maps_depend_on_what_was_asked_before(self, open_clip_folder: Path, pictures: Pictures) -> None:
        clean, released = load(open_clip_folder, recipe="clean"), load(open_clip_folder, recipe="released")
        encoded = [released.encode(picture) for picture in pictures[:2]]
        first, second = (released.predict(each, "nut")[0] for each in encoded)
        assert far(first, clean.predict(encoded[0], "nut")[0]) < 1e-5
        assert far(second, clean.predict(encoded[1], "nut")[0]) > 1e-5
        assert far(first, released.predict(encoded[0], "nut")[0]) > 1e-5

    def test_it_goes_on_within_a_batch_in_order(self, open_clip_folder: Path, pictures: Pictures) -> None:
        one, other = load(open_clip_folder, recipe="released"), load(open_clip_folder, recipe="released")
        together = one.detect(pictures[:3], "nut")
        for picture, found in zip(pictures, together, strict=False):
            assert far(found, other.detect(picture, "nut")[0]) < 1e-5

    def test_it_begins_anew_with_every_object_name_and_detector(
        self, open_clip_folder: Path, pictures: Pictures
    ) -> None:
        detector = load(open_clip_folder, recipe="released")
        encoded = detector.encode(pictures[0])
        (fresh,) = detector.predict(encoded, "nut")
        detector.predict(encoded, "nut")
        assert far(detector.predict(encoded, "bolt")[0], load(open_clip_folder).predict(encoded, "bolt")[0]) < 1e-5
        assert far(Detector("anovl", detector.method).predict(encoded, "nut")[0], fresh) == 0

    def test_it_begins_anew_in_what_is_unpickled(self, open_clip_folder: Path, pictures: Pictures) -> None:
        detector = load(open_clip_folder, recipe="released")
        encoded = detector.encode(pictures[0])
        (fresh,) = detector.predict(encoded, "nut")
        other = pickle.loads(pickle.dumps(detector))
        assert far(other.predict(encoded, "nut")[0], fresh) == 0

    def test_it_is_forgotten_with_the_text_it_belongs_to(self, open_clip_folder: Path, pictures: Pictures) -> None:
        detector = load(open_clip_folder, recipe="released")
        method = detector.method
        assert isinstance(method, AnoVL)
        features = detector.encode(pictures[:1]).features
        for _ in range(3):
            method.score(features, method.encode_prompts("nut"), None)
        assert method.adapter_count == 0


class TestClipIsLeftAlone:
    @pytest.fixture(scope="class")
    @classmethod
    def many(cls, detector: Detector, pictures: Pictures) -> EncodedBatch:
        return joined([detector.encode(pictures)] * 13)

    def test_not_a_bit_of_it_changes_over_a_hundred_pictures(self, detector: Detector, many: EncodedBatch) -> None:
        model = detector.method.backbone.model
        before = {name: value.clone() for name, value in model.state_dict().items()}
        assert len(detector.predict(many, "nut")) > 100
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert all(parameter.grad is None for parameter in model.parameters())

    @pytest.mark.skipif(sys.platform != "linux", reason="what a process holds now is read from /proc")
    def test_memory_does_not_grow_over_five_hundred_pictures(self, detector: Detector, many: EncodedBatch) -> None:
        """One adapter is 0.35 MB here with its moments, 500 would be 177 MB."""
        detector.predict(many, "nut", steps=1)
        before = resident()
        for _ in range(5):
            detector.predict(many, "nut", steps=1)
        assert resident() - before < 40 << 20


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class TestDomains:
    def test_the_sentences_are_462_for_each_state(self, detector: Detector) -> None:
        text = detector.method.encode_prompts("nut")
        ours = detector.method.backbone.encode_text([line for lines in prompts("nut") for line in lines])
        assert text["sentences"].shape == (924, 32)
        assert torch.allclose(text["sentences"].norm(dim=1), torch.ones(924), atol=1e-5)
        for first in (0, 462):
            mean = F.normalize(ours[first : first + 462].mean(dim=0), dim=0)
            assert torch.allclose(text["prototypes"][first // 462], mean, atol=1e-6)

    @pytest.mark.parametrize(("name", "domain"), [("carpet", "texture"), ("wood", "texture"), ("nut", "object")])
    def test_auto_knows_the_textures_of_mvtec_ad(self, detector: Detector, name: str, domain: str) -> None:
        backbone = detector.method.backbone
        told = {each: AnoVL(backbone, AnoVLRecipe(domain=each)).encode_prompts(name)["prototypes"] for each in DOMAINS}
        assert torch.equal(told["auto"], told[domain])
        assert not torch.allclose(told["object"], told["texture"], atol=1e-4)

    def test_a_question_may_say_which(self, detector: Detector, pictures: Pictures) -> None:
        encoded = detector.encode(pictures[:1])
        (plain,) = detector.predict(encoded, "fabric")
        (texture,) = detector.predict(encoded, "fabric", domain="texture")
        assert far(plain, texture) > 1e-6
        assert far(plain, detector.predict(encoded, "fabric", domain="object")[0]) == 0


DOMAINS: Any = ("auto", "object", "texture")


class TestTiles:
    """Pictures of 40 x 40, 60 x 50, 31 x 80 and 90 x 45 pixels: one, two, three and two tiles of 40."""

    @pytest.fixture(scope="class")
    @classmethod
    def wide(cls, open_clip_folder: Path) -> Detector:
        return load(open_clip_folder, tiles="wide", adapter="linear")

    def test_maps_have_the_pictures_aspect(self, wide: Detector, pictures: Pictures) -> None:
        shapes = [found.anomaly_map.shape for found in wide.detect(pictures[:4])]
        assert shapes == [(40, 40), (48, 40), (40, 103), (80, 40)]

    def test_scores_are_means_over_the_tiles(self, wide: Detector, detector: Detector, pictures: Pictures) -> None:
        for found, picture in zip(wide.detect(pictures[:4], "nut"), pictures, strict=False):
            tiles = cut(picture, tiling(picture, 40), "bilinear")
            scores = [each.score for each in detector.detect(tiles, "nut")]
            assert found.score == pytest.approx(sum(scores) / len(scores), abs=1e-6)

    def test_without_adaptation_maps_are_those_of_the_tiles(
        self, wide: Detector, detector: Detector, pictures: Pictures
    ) -> None:
        picture = pictures[3]
        (found,) = wide.predict(wide.encode(picture), "nut", adapt=False)
        tiles = detector.encode(cut(picture, tiling(picture, 40), "bilinear"))
        upper, lower = (each.anomaly_map for each in detector.predict(tiles, "nut", adapt=False))
        assert np.abs(found.anomaly_map - np.concatenate([upper, lower])).max() < 1e-6

    def test_alone_or_among_pictures_of_other_aspects(self, wide: Detector, pictures: Pictures) -> None:
        for together, picture in zip(wide.detect(pictures, "nut"), pictures, strict=True):
            (alone,) = wide.detect(picture, "nut")
            assert far(together, alone) < 1e-5
            assert together.score == pytest.approx(alone.score, abs=1e-6)

    def test_the_loss_is_of_pixels(self, open_clip_folder: Path, pictures: Pictures) -> None:
        """A square picture has one tile, and yet another map than where the loss is of patches."""
        square, plain = load(open_clip_folder, tiles="wide"), load(open_clip_folder)
        assert far(square.detect(pictures[0], "nut")[0], plain.detect(pictures[0], "nut")[0]) > 1e-6
        encoded = square.encode(pictures[0])
        (tile,) = square.predict(encoded, "nut", adapt=False)
        assert far(tile, plain.predict(plain.encode(pictures[0]), "nut", adapt=False)[0]) < 1e-6

    def test_all_views_of_every_tile_count(self, open_clip_folder: Path, pictures: Pictures) -> None:
        many = load(open_clip_folder, tiles="wide", views=22)
        assert many.encode(pictures[:4]).features["views"].shape == (4, 3 * 22, 32)
        tiles = cut(pictures[1], tiling(pictures[1], 40), "bilinear")
        scores = [each.score for each in load(open_clip_folder, views=22).detect(tiles, "nut")]
        assert many.detect(pictures[:4], "nut")[1].score == pytest.approx(sum(scores) / 2, abs=1e-6)


def test_a_walk_may_be_shared_with_a_method_that_wants_more_of_it(detector: Detector, pictures: Pictures) -> None:
    method = detector.method
    pixels = method.backbone.to_pixels(pictures[:2], 40, "bilinear")
    more = FeatureRequest(40, "bilinear", taps=(3,), local_taps=(1, 2))
    alone, shared = (
        method.encode(pass_pixels(method.backbone, pixels, request))
        for request in (method.request, method.request.joined(more))
    )
    assert all(torch.allclose(shared[name], value, atol=1e-5) for name, value in alone.items())


class TestSettings:
    def test_the_default_is_clean_and_of_the_models_own_size(self, open_clip_folder: Path) -> None:
        recipe = oddlens.load("anovl", model=open_clip_folder, device="cpu").recipe
        assert recipe == AnoVLRecipe(image_size=40)
        assert (recipe.views, recipe.adapt, recipe.optimiser) == (22, True, "fresh")

    def test_the_released_settings_for_visa(self, open_clip_folder: Path) -> None:
        recipe = oddlens.load("anovl", model=open_clip_folder, device="cpu", recipe="released-visa").recipe
        assert (recipe.tiles, recipe.views, recipe.adapter, recipe.optimiser) == ("wide", 1, "linear", "kept")

    @pytest.mark.parametrize("size", [24, 59, 64])
    def test_any_size_and_a_model_with_a_stem_of_its_own(
        self, open_clip_folder: Path, embedded_folder: Path, pictures: Pictures, size: int
    ) -> None:
        for folder in (open_clip_folder, embedded_folder):
            found = load(folder, image_size=size).detect(pictures[:2])
            assert all(each.anomaly_map.shape == (size, size) for each in found)

    @pytest.mark.parametrize("temperature", [1e-4, 0.07, 1.0])
    def test_maps_and_scores_are_probabilities(
        self, detector: Detector, pictures: Pictures, temperature: float
    ) -> None:
        for found in detector.predict(detector.encode(pictures[:2]), temperature=temperature):
            assert 0 <= found.score <= 1
            assert np.isfinite(found.anomaly_map).all()
            assert 0 <= found.anomaly_map.min() <= found.anomaly_map.max() <= 1

    @pytest.mark.parametrize(("temperature", "expected"), [(1.0, (0.4, 0.6)), (0.07, (0.0, 1.0))])
    def test_colours_span_what_the_temperature_makes_of_cosines(
        self, detector: Detector, temperature: float, expected: tuple[float, float]
    ) -> None:
        method = AnoVL(detector.method.backbone, AnoVLRecipe(temperature=temperature))
        assert method.value_range(with_references=False) == expected

    def test_an_adapters_part_is_at_most_the_whole(self, open_clip_folder: Path) -> None:
        with pytest.raises(UsageError, match=r"ratio 1\.5 is more than the whole"):
            load(open_clip_folder, ratio=1.5)
