"""WinCLIP and WinCLIP+ against a plain restatement: every window run alone, every mean taken by hand."""

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
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.detector import Detector
from oddlens.errors import UsageError
from oddlens.methods.base import Features, Method
from oddlens.methods.common.templates import load_states, load_templates
from oddlens.methods.winclip.method import WinCLIP
from oddlens.methods.winclip.recipe import WinCLIPRecipe
from tests.naive_clip import NaiveClip
from tests.tiny_clip import Shape, Weights, random_weights, write_open_clip

Pictures = list[NDArray[np.uint8]]
SMALL = Shape(layers=2, text_layers=1)
SIDE = 5


def encode(method: Method, pixels: Tensor) -> Features:
    return method.encode(pass_pixels(method.backbone, pixels, method.request))


class NaiveWinCLIP:
    """sentences: embeddings of the normal and of the abnormal prompts, one a row."""

    def __init__(self, clip: NaiveClip, sentences: tuple[Tensor, Tensor], temperature: float, fusion: str) -> None:
        self.clip = clip
        self.texts = torch.stack([F.normalize(each.double().mean(dim=0), dim=0) for each in sentences])
        self.temperature = temperature
        self.fusion = fusion

    def look(self, picture: NDArray[np.uint8]) -> dict[str, Tensor]:
        """What is seen of a picture: whole, windows of 2 and 3 patches, patches after the last block."""
        resized = Image.fromarray(picture).resize((40, 40), Image.Resampling.BICUBIC)
        pixels = (np.asarray(resized) / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.25, 0.3]
        tokens = self.clip.tokens(torch.tensor(pixels).permute(2, 0, 1))
        return {
            "whole": self.clip.image(tokens),
            "2": self.clip.windows(tokens, (SIDE, SIDE), 2),
            "3": self.clip.windows(tokens, (SIDE, SIDE), 3),
            "patch": self.clip.hidden(tokens)[-1][1:],
        }

    def abnormal(self, features: Tensor) -> Tensor:
        return (F.normalize(features, dim=-1) @ self.texts.T / self.temperature).softmax(dim=-1)[..., 1]

    def over_windows(self, scores: Tensor, size: int) -> Tensor:
        """At every patch the harmonic mean of the scores of the windows over it."""
        found = torch.empty(SIDE, SIDE, dtype=torch.float64)
        corners = SIDE - size + 1
        for row in range(SIDE):
            for column in range(SIDE):
                inside = [
                    float(scores[top * corners + left])
                    for top in range(corners)
                    for left in range(corners)
                    if top <= row < top + size and left <= column < left + size
                ]
                found[row, column] = len(inside) / sum(1 / score for score in inside)
        return found

    def nearest(self, query: Tensor, references: list[Tensor]) -> Tensor:
        known = F.normalize(torch.cat(references), dim=-1)
        return torch.stack([(0.5 * (1 - known @ row)).min() for row in F.normalize(query, dim=-1)])

    def detect(self, picture: NDArray[np.uint8], references: Pictures) -> tuple[float, Tensor]:
        seen = self.look(picture)
        score = float(self.abnormal(seen["whole"]))
        small, large = (self.over_windows(self.abnormal(seen[str(size)]), size) for size in (2, 3))
        zero = 3 / (1 / small + 1 / large + 1 / score)
        if not references:
            return score, zero
        known = [self.look(each) for each in references]
        patch = self.nearest(seen["patch"], [each["patch"] for each in known]).view(SIDE, SIDE)
        small, large = (
            self.over_windows(self.nearest(seen[str(size)], [each[str(size)] for each in known]), size)
            for size in (2, 3)
        )
        few = (patch + small + large) / 3
        fused = {"sum": zero + few, "mean": (zero + few) / 2, "harmonic": 1 / (1 / zero + 1 / few)}
        return (score + float(few.max())) / 2, fused[self.fusion]


def restated(folder: Path, weights: Weights, temperature: float = 0.07, fusion: str = "sum") -> NaiveWinCLIP:
    backbone = load_backbone(folder, device="cpu")
    states, templates = load_states("winclip"), load_templates("paper")
    normal, abnormal = (
        [template.replace("{}", state.replace("{}", "metal_nut")) for template in templates for state in each]
        for each in (states.normal, states.abnormal)
    )
    sentences = backbone.encode_text(normal), backbone.encode_text(abnormal)
    return NaiveWinCLIP(NaiveClip(weights), sentences, temperature, fusion)


@pytest.fixture(scope="module")
def zero_shot(open_clip_folder: Path) -> Detector:
    return oddlens.load("winclip", model=open_clip_folder, device="cpu")


class TestAgainstTheRestatement:
    def hold(self, detector: Detector, naive: NaiveWinCLIP, queries: Pictures, references: Pictures) -> None:
        for detection, query in zip(detector.detect(queries, "metal_nut"), queries, strict=True):
            score, small = naive.detect(query, references)
            expected = F.interpolate(small[None, None], (40, 40), mode="bilinear", align_corners=False)[0, 0]
            assert detection.score == pytest.approx(score, abs=5e-6)
            assert np.abs(detection.anomaly_map - expected.numpy()).max() < 5e-6

    @pytest.mark.parametrize(
        ("seed", "shots", "fusion"),
        [(11, 0, "sum"), (12, 1, "sum"), (13, 2, "mean"), (14, 3, "sum"), (15, 4, "harmonic"), (16, 5, "mean")],
    )
    def test_any_model_any_number_of_references_and_every_fusion(
        self, tmp_path: Path, pictures: Pictures, seed: int, shots: int, fusion: str
    ) -> None:
        weights = random_weights(seed, SMALL)
        write_open_clip(tmp_path, weights, SMALL)
        references = pictures[2 : 2 + shots]
        detector = oddlens.load("winclip", model=tmp_path, device="cpu", fusion=fusion)
        if shots:
            detector.add_references(references)
        self.hold(detector, restated(tmp_path, weights, fusion=fusion), pictures[:2], references)

    def test_another_temperature(self, open_clip_folder: Path, weights: Weights, pictures: Pictures) -> None:
        detector = oddlens.load("winclip", model=open_clip_folder, device="cpu", temperature=0.5)
        self.hold(detector, restated(open_clip_folder, weights, temperature=0.5), pictures[:1], [])


class TestReferences:
    def test_a_reference_itself_is_at_no_distance(self, open_clip_folder: Path, pictures: Pictures) -> None:
        """Distances of zero upset no harmonic mean: the map is the zero-shot map, the score half its own."""
        detector = oddlens.load("winclip", model=open_clip_folder, device="cpu")
        (before,) = detector.detect(pictures[0])
        (after,) = detector.add_references(pictures[:3]).detect(pictures[0])
        assert np.abs(after.anomaly_map - before.anomaly_map).max() < 1e-5
        assert after.score == pytest.approx(before.score / 2, abs=1e-5)

    def test_the_last_block_is_compared_unless_others_are_named(self, zero_shot: Detector, pictures: Pictures) -> None:
        method = zero_shot.method
        pixels = method.backbone.to_pixels(pictures[:2], 40)
        vision = method.backbone.vision
        taps = vision.run_blocks(vision.embed(pixels, "bicubic"), taps=(2, 3)).taps
        found = encode(method, pixels)["reference:patch"]
        assert torch.allclose(found, F.normalize(taps[3][:, 1:], dim=-1))
        both = encode(WinCLIP(method.backbone, WinCLIPRecipe(image_size=40, reference_taps=(2, 3))), pixels)
        expected = torch.cat([F.normalize(taps[block][:, 1:], dim=-1) for block in (2, 3)], dim=-1)
        assert torch.allclose(both["reference:patch"], expected)

    def test_tokens_can_be_compared_after_the_final_norm(self, zero_shot: Detector, pictures: Pictures) -> None:
        """As anomalib compares them; nothing else changes."""
        method = zero_shot.method
        pixels = method.backbone.to_pixels(pictures[:2], 40)
        vision = method.backbone.vision
        tokens = vision.run_blocks(vision.embed(pixels, "bicubic"), taps=(3,)).taps[3][:, 1:]
        expected = F.layer_norm(tokens, tokens.shape[-1:], vision.ln_post.weight, vision.ln_post.bias, 1e-5)
        normed = WinCLIP(method.backbone, WinCLIPRecipe(image_size=40, reference_tokens="normed"))
        one, other = encode(method, pixels), encode(normed, pixels)
        assert torch.allclose(other["reference:patch"], F.normalize(expected, dim=-1), atol=1e-6)
        assert (one["reference:patch"] - other["reference:patch"]).abs().max() > 1e-2
        assert all(torch.equal(one[name], other[name]) for name in one if name != "reference:patch")

    def test_a_model_that_names_features_for_references_is_compared_by_them(
        self, embedded_folder: Path, pictures: Pictures
    ) -> None:
        """Windows too: by the means of their patches."""
        detector = oddlens.load("winclip", model=embedded_folder, device="cpu")
        vision = detector.method.backbone.vision
        pixels = detector.method.backbone.to_pixels(pictures[:1], 64)
        patches = F.normalize(vision.embed(pixels).raw["stem"].flatten(2).transpose(1, 2), dim=-1)
        found = encode(detector.method, pixels)
        assert torch.allclose(found["reference:patch"], patches, atol=1e-6)
        last = patches.view(4, 4, -1)[2:, 2:].flatten(0, 1).mean(dim=0)
        assert torch.allclose(found["reference:window2"][0, -1], last, atol=1e-6)

    def test_naming_blocks_by_hand_wins_over_the_models_own(self, embedded_folder: Path, pictures: Pictures) -> None:
        detector = oddlens.load("winclip", model=embedded_folder, device="cpu", reference_taps=[2])
        found = encode(detector.method, detector.method.backbone.to_pixels(pictures[:1], 64))
        assert found["reference:patch"].shape == (1, 16, 32)
        assert torch.equal(found["reference:window2"], found["window2"])


class TestValues:
    @pytest.mark.parametrize("temperature", [1e-6, 1e-4, 1.0, 1e6])
    def test_maps_and_scores_are_finite_and_within_their_range(
        self, open_clip_folder: Path, pictures: Pictures, temperature: float
    ) -> None:
        detector = oddlens.load("winclip", model=open_clip_folder, device="cpu", temperature=temperature)
        for shots in (0, 2):
            if shots:
                detector.add_references(pictures[:shots])
            low, high = detector.method.value_range(shots > 0)
            for detection in detector.detect(pictures):
                assert 0 <= detection.score <= 1
                assert np.isfinite(detection.anomaly_map).all()
                assert low <= detection.anomaly_map.min()
                assert detection.anomaly_map.max() <= high

    @pytest.mark.parametrize(("fusion", "expected"), [("sum", (0, 2)), ("mean", (0, 1)), ("harmonic", (0, 1))])
    def test_the_range_grows_where_two_maps_are_summed(
        self, zero_shot: Detector, fusion: Any, expected: tuple[int, int]
    ) -> None:
        method = WinCLIP(zero_shot.method.backbone, WinCLIPRecipe(fusion=fusion))
        assert method.value_range(with_references=False) == (0, 1)
        assert method.value_range(with_references=True) == expected

    def test_the_map_has_the_recipes_size(self, open_clip_folder: Path, pictures: Pictures) -> None:
        detector = oddlens.load("winclip", model=open_clip_folder, device="cpu", image_size=59)
        assert detector.detect(pictures[0])[0].anomaly_map.shape == (59, 59)


class TestSettings:
    def test_prototypes_are_two_of_unit_length(self, zero_shot: Detector) -> None:
        found = zero_shot.method.encode_prompts("bottle")["prototypes"]
        assert found.shape == (2, 32)
        assert torch.allclose(found.norm(dim=1), torch.ones(2), atol=1e-6)

    def test_the_ports_templates_give_other_prototypes(self, zero_shot: Detector) -> None:
        port = WinCLIP(zero_shot.method.backbone, WinCLIPRecipe(templates="port21")).encode_prompts("bottle")[
            "prototypes"
        ]
        assert not torch.allclose(port, zero_shot.method.encode_prompts("bottle")["prototypes"], atol=1e-4)

    def test_window_sizes_can_be_chosen(self, open_clip_folder: Path, pictures: Pictures) -> None:
        detector = oddlens.load("winclip", model=open_clip_folder, device="cpu", window_sizes=[2])
        features = detector.encode(pictures[:2]).features
        assert sorted(features) == ["image", "reference:patch", "reference:window2", "window2"]
        assert features["window2"].shape == (2, 16, 32)

    def test_a_window_that_does_not_fit_is_refused(self, open_clip_folder: Path, pictures: Pictures) -> None:
        detector = oddlens.load("winclip", model=open_clip_folder, device="cpu", window_sizes=[2, 6])
        with pytest.raises(UsageError, match="a window of 6x6 patches does not fit a grid of 5x5"):
            detector.detect(pictures[0])

    def test_features_that_the_model_does_not_have_are_refused(
        self, open_clip_folder: Path, pictures: Pictures
    ) -> None:
        for taps in ((9,), ("stem",)):
            detector = oddlens.load("winclip", model=open_clip_folder, device="cpu", reference_taps=taps)
            with pytest.raises(UsageError, match="this model has"):
                detector.detect(pictures[0])
