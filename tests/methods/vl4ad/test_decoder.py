"""Learned masks on frames of any size: what is encoded once, and what questions make of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

import oddlens
from oddlens.backbone.backbone import Backbone
from oddlens.backbone.convnext import ConvNextTower
from oddlens.backbone.load import load_backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.errors import ModelError, UsageError
from oddlens.methods.base import Features
from oddlens.methods.vl4ad.decoder import DecoderMasks
from oddlens.methods.vl4ad.decoder_network import MaskDecoder
from oddlens.methods.vl4ad.mask_sums import mean_under
from oddlens.methods.weights import MethodWeights, read_weights, write_weights
from tests.small_streets import LINEAR, SHAPE, WORDS, frame, trained
from tests.tiny_convnext import convnext_weights, write_convnext

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_convnext(tmp_path_factory.mktemp("convnext"), convnext_weights())


@pytest.fixture(scope="module")
def backbone(model: Path) -> Backbone:
    return load_backbone(model, device="cpu")


@pytest.fixture(scope="module")
def decoder(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained at a short side of 32 pixels, three steps."""
    out = tmp_path_factory.mktemp("weights") / "decoder.safetensors"
    trained(backbone, out)
    return out


@pytest.fixture(scope="module")
def learned(decoder: Path) -> MethodWeights:
    return read_weights(decoder)


@pytest.fixture(scope="module")
def linear(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vision-only baseline, trained likewise."""
    out = tmp_path_factory.mktemp("linear") / "linear.safetensors"
    trained(backbone, out, LINEAR)
    return out


def encode(masks: DecoderMasks, backbone: Backbone, *pictures: Pixels) -> Features:
    return masks.encode(VisionPass(backbone, pictures, FeatureRequest(32)))


def of_frame(features: Features, number: int = 0) -> Features:
    return {name: value[number] for name, value in features.items()}


def values(masks: int, channels: int = 2) -> torch.Tensor:
    return torch.rand(masks, channels, generator=torch.Generator().manual_seed(0))


class TestFrames:
    @pytest.mark.parametrize(
        ("height", "width", "rows", "columns"),
        [(64, 96, 8, 12), (64, 64, 8, 8), (100, 41, 20, 8), (33, 200, 8, 48), (5, 7, 8, 11)],
    )
    def test_of_any_size_are_brought_to_the_short_side_of_the_training(
        self, backbone: Backbone, learned: MethodWeights, height: int, width: int, rows: int, columns: int
    ) -> None:
        picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        masks = DecoderMasks(backbone, learned)
        features = of_frame(encode(masks, backbone, picture))
        assert features["frame"].tolist() == [rows, columns]
        assert int(features["masks"]) == SHAPE.queries
        assert masks.spread(features, values(6)).shape == (2, rows, columns)

    def test_the_short_side_can_be_another(self, backbone: Backbone, learned: MethodWeights) -> None:
        masks = DecoderMasks(backbone, learned, short_side=64)
        assert encode(masks, backbone, frame()[0])["frame"].tolist() == [[16, 24]]

    def test_in_a_batch_are_as_they_are_alone(self, backbone: Backbone, learned: MethodWeights) -> None:
        masks = DecoderMasks(backbone, learned, window=32)
        pictures = [frame(0)[0], frame(1, 40, 40)[0], frame(2, 200, 40)[0]]
        together = encode(masks, backbone, *pictures)
        assert together["masks"].tolist() == [12, 6, 42]
        for number, picture in enumerate(pictures):
            alone = of_frame(encode(masks, backbone, picture))
            own = of_frame(together, number)
            real = int(own["masks"])
            assert torch.equal(own["embeddings"][:real], alone["embeddings"])
            assert not own["embeddings"][real:].any()
            assert torch.equal(masks.spread(own, values(real)), masks.spread(alone, values(real)))

    def test_are_padded_to_whole_cells_of_32_pixels_two_at_least(
        self, backbone: Backbone, learned: MethodWeights
    ) -> None:
        """A frame whose sides are no such multiples, beside the same network on the padded frame by hand."""
        picture = frame(0, 32, 76)[0]
        masks = DecoderMasks(backbone, learned)
        features = of_frame(encode(masks, backbone, picture))
        padded = F.pad(backbone_pixels(backbone, picture), (0, 20, 0, 32))
        with torch.inference_mode():
            (said,) = masks.network(backbone.vision.feature_maps(padded).maps, last_only=True)
        assert torch.equal(features["logits"], said.masks[0, :, :8, :19].half())
        assert torch.equal(features["embeddings"], said.classes[0])

    def test_what_is_kept_is_of_half_precision_and_no_larger_than_the_masks(
        self, backbone: Backbone, learned: MethodWeights
    ) -> None:
        features = encode(DecoderMasks(backbone, learned), backbone, frame()[0])
        assert features["logits"].dtype == torch.float16
        assert features["logits"].shape == (1, 6, 8, 12)


def backbone_pixels(backbone: Backbone, picture: Pixels) -> torch.Tensor:
    pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    return (pixels - torch.tensor(backbone.mean).view(1, 3, 1, 1)) / torch.tensor(backbone.std).view(1, 3, 1, 1)


class TestSpread:
    def test_a_value_goes_where_its_mask_is(self, backbone: Backbone, learned: MethodWeights) -> None:
        masks = DecoderMasks(backbone, learned)
        features = of_frame(encode(masks, backbone, frame()[0]))
        found = masks.spread(features, values(6))
        expected = torch.einsum("nhw,nc->chw", features["logits"].float().sigmoid(), values(6))
        torch.testing.assert_close(found, expected)

    def test_the_exact_map_has_the_working_resolution_and_is_hardly_another(
        self, backbone: Backbone, learned: MethodWeights
    ) -> None:
        quick, exact = (DecoderMasks(backbone, learned, exact=exact) for exact in (False, True))
        features = of_frame(encode(quick, backbone, frame()[0]))
        fine = exact.spread(features, values(6))
        assert fine.shape == (2, 32, 48)
        coarse = F.interpolate(quick.spread(features, values(6))[None], (32, 48), mode="bilinear")[0]
        assert float((fine - coarse).abs().mean()) < 0.02 * float(fine.abs().mean())


class TestWindows:
    def test_each_has_masks_of_its_own_and_together_they_cover_the_frame(
        self, backbone: Backbone, learned: MethodWeights
    ) -> None:
        masks = DecoderMasks(backbone, learned, window=32, overlap=0.5)
        features = of_frame(encode(masks, backbone, frame(0, 64, 128)[0]))
        assert features["windows"].tolist() == [[0, left, 8, 8] for left in (0, 4, 8)]
        assert int(features["masks"]) == 3 * SHAPE.queries

    def test_they_leave_no_grid(self, backbone: Backbone, learned: MethodWeights) -> None:
        """Where all windows say the same, the map says it too, at every pixel."""
        masks = DecoderMasks(backbone, learned, window=32, overlap=0.3)
        features = of_frame(encode(masks, backbone, frame(0, 70, 130)[0]))
        everywhere = features | {"logits": torch.full_like(features["logits"], 20.0)}
        one = torch.zeros(int(features["masks"]), 1)
        one[:: SHAPE.queries] = 3.0
        torch.testing.assert_close(masks.spread(everywhere, one), torch.full((1, 8, 15), 3.0))

    def test_each_is_seen_as_a_frame_of_its_own(self, backbone: Backbone, learned: MethodWeights) -> None:
        picture = frame(0, 32, 64)[0]
        masks = DecoderMasks(backbone, learned, window=32, overlap=0)
        both = of_frame(encode(masks, backbone, picture))
        for number in range(2):
            alone = of_frame(encode(masks, backbone, picture[:, 32 * number : 32 * (number + 1)]))
            own = slice(number * SHAPE.queries, (number + 1) * SHAPE.queries)
            assert torch.equal(both["logits"][own], alone["logits"])

    def test_a_frame_within_one_window_is_seen_whole(self, backbone: Backbone, learned: MethodWeights) -> None:
        whole, windowed = (DecoderMasks(backbone, learned, window=window) for window in (None, 64))
        first, second = (encode(masks, backbone, frame()[0]) for masks in (whole, windowed))
        assert all(torch.equal(first[name], second[name]) for name in first)


class TestWords:
    def test_may_change_without_the_network(self, model: Path, decoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        detector = oddlens.load("vl4ad", model, decoder, device="cpu")
        encoded = detector.encode([frame()[0], frame(1, 80, 50)[0]])
        before = detector.predict(encoded)
        monkeypatch.setattr(ConvNextTower, "feature_maps", lambda *_: pytest.fail("the tower ran again"))
        monkeypatch.setattr(MaskDecoder, "forward", lambda *_: pytest.fail("the decoder ran again"))
        with_unknown = detector.predict(encoded, ood=["caravan"])
        fewer = detector.predict(encoded, classes={"road": ["lane"], "rest": ["sky", "car"]})
        for plain, told, other in zip(before, with_unknown, fewer, strict=True):
            assert (told.anomaly_map >= plain.anomaly_map - 1e-6).all()
            assert told.anomaly_map.max() > plain.anomaly_map.max()
            assert other.label_names == ("road", "rest")

    def test_the_trained_ones_and_the_trained_temperature_are_the_usual_ones(self, model: Path, decoder: Path) -> None:
        detector = oddlens.load("vl4ad", model, decoder, device="cpu")
        assert detector.recipe.masks == "decoder"
        assert {name: list(words) for name, words in detector.recipe.classes.items()} == WORDS
        scale = read_weights(decoder).tensors["decoder.head.logit_scale"]
        assert detector.method.masks.temperature == pytest.approx(float(torch.exp(-scale)))

    def test_void_is_reported_by_the_trained_ones_whatever_is_asked(
        self, backbone: Backbone, learned: MethodWeights
    ) -> None:
        masks = DecoderMasks(backbone, learned)
        features = of_frame(encode(masks, backbone, frame()[0]))
        words = learned.tensors["words.concepts"]
        void = F.normalize(learned.tensors["decoder.head.void.weight"][0], dim=0)
        cosines = features["embeddings"] @ words.T
        columns = [cosines[:, :2].amax(dim=1), cosines[:, 2], cosines[:, 3:].amax(dim=1), features["embeddings"] @ void]
        expected = (torch.stack(columns, dim=1) / masks.temperature).softmax(dim=1)[:, -1]
        torch.testing.assert_close(features["void"], expected)

    def test_the_frozen_models_own_view_of_a_mask_is_kept_too(self, backbone: Backbone, learned: MethodWeights) -> None:
        masks = DecoderMasks(backbone, learned)
        logits = torch.randn(4, 8, 16, generator=torch.Generator().manual_seed(0))
        logits[1] = -1.0
        dense = torch.randn(1, 32, 2, 4, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            found = masks.pool(logits, dense)
            inside = F.interpolate(logits[None], (2, 4), mode="bilinear") > 0
            expected = F.normalize(backbone.vision.embed_pooled(mean_under(dense, inside)[0]), dim=-1)
        assert not found[1].any()
        for number in (0, 2, 3):
            torch.testing.assert_close(found[number], expected[number] * inside[0, number].any())

    def test_with_alpha_that_view_counts(self, model: Path, decoder: Path) -> None:
        detector = oddlens.load("vl4ad", model, decoder, device="cpu")
        encoded = detector.encode(frame()[0])
        (plain,), (both,) = detector.predict(encoded), detector.predict(encoded, alpha=0.4)
        assert not np.allclose(plain.anomaly_map, both.anomaly_map)


@pytest.mark.parametrize("weights", ["decoder", "linear"])
def test_a_calibrated_station_looks_at_frames_of_any_aspect(
    model: Path, weights: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    known = [rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(4)]
    detector = oddlens.load("vl4ad", model, request.getfixturevalue(weights), device="cpu")
    detector.calibrate(known, object_name="street")
    detector.save(tmp_path / "drive")
    narrow = np.ascontiguousarray(known[0][:, :40])
    station = oddlens.open_station(tmp_path / "drive")
    for each in (narrow, known[0]):
        (found,) = station.detect(each)
        assert np.isfinite(found.score)


class TestVisionOnly:
    def test_it_scores_by_its_own_classes(self, model: Path, linear: Path) -> None:
        detector = oddlens.load("vl4ad", model, linear, device="cpu")
        encoded = detector.encode(frame()[0])
        (found,) = detector.predict(encoded)
        masks = detector.method.masks
        logits = encoded.features["embeddings"][0]
        assert logits.shape == (6, 3)
        known = logits.softmax(dim=1) * (1 - encoded.features["void"][0])[:, None]
        expected = -masks.spread(of_frame(encoded.features), known).amax(dim=0)
        torch.testing.assert_close(torch.from_numpy(found.anomaly_map), expected)
        assert found.label_names == tuple(WORDS)
        assert "pooled" not in encoded.features

    def test_words_for_the_unknown_are_refused(self, model: Path, linear: Path) -> None:
        detector = oddlens.load("vl4ad", model, linear, device="cpu")
        encoded = detector.encode(frame()[0])
        with pytest.raises(UsageError, match=f"know {', '.join(WORDS)} and no words"):
            detector.predict(encoded, ood=["caravan"])

    def test_an_alpha_is_refused(self, model: Path, linear: Path) -> None:
        detector = oddlens.load("vl4ad", model, linear, device="cpu")
        with pytest.raises(UsageError, match="masks learned by words, and these masks are not"):
            detector.predict(detector.encode(frame()[0]), alpha=0.4)

    def test_both_are_reported_before_a_frame_is_read(self, model: Path, linear: Path) -> None:
        for query_field, sentence in (({"ood": ["caravan"]}, "no words"), ({"alpha": 0.4}, "masks learned by words")):
            with pytest.raises(UsageError, match=sentence):
                oddlens.load("vl4ad", model, linear, device="cpu", **query_field)


def test_what_is_of_dense_masks_only_is_refused(model: Path, decoder: Path) -> None:
    with pytest.raises(UsageError, match="position and local_from are of dense masks"):
        oddlens.load("vl4ad", model, decoder, device="cpu", local_from=1)


class TestOtherTowers:
    def test_the_embedded_model_and_a_plain_vit_carry_it_too(
        self, embedded_folder: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        for number, folder in enumerate((embedded_folder, open_clip_folder)):
            backbone = load_backbone(folder, device="cpu")
            out = tmp_path / f"{number}.safetensors"
            trained(backbone, out)
            (found,) = oddlens.load("vl4ad", folder, out, device="cpu").detect(frame()[0])
            assert found.anomaly_map.shape == (8, 12)
            assert np.isfinite(found.anomaly_map).all()


class TestRefusals:
    def test_weights_of_another_model(self, open_clip_folder: Path, decoder: Path) -> None:
        with pytest.raises(ModelError, match="was trained on the model"):
            oddlens.load("vl4ad", open_clip_folder, decoder, device="cpu")

    def test_a_file_of_an_author(self, backbone: Backbone) -> None:
        with pytest.raises(ModelError, match="is no mask decoder of ours"):
            DecoderMasks(backbone, MethodWeights("theirs.pth", {}))

    @pytest.mark.parametrize("gone", ["words.concepts", "decoder.head.pool.bias"])
    def test_a_file_that_lacks_something(
        self, backbone: Backbone, learned: MethodWeights, tmp_path: Path, gone: str
    ) -> None:
        tensors = {name: value for name, value in learned.tensors.items() if name != gone}
        write_weights(tmp_path / "w.safetensors", tensors, learned.provenance or {})
        with pytest.raises(ModelError, match=r"w\.safetensors"):
            DecoderMasks(backbone, read_weights(tmp_path / "w.safetensors"))

    @pytest.mark.parametrize("setting", ["short_side", "window"])
    def test_sides_smaller_than_a_cell(self, backbone: Backbone, learned: MethodWeights, setting: str) -> None:
        with pytest.raises(UsageError, match=f"{setting} cannot be 20"):
            DecoderMasks(backbone, learned, **{setting: 20})

    def test_missing_libraries(
        self, backbone: Backbone, learned: MethodWeights, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("oddlens.methods.vl4ad.decoder_shape.find_spec", lambda name: None)
        with pytest.raises(UsageError, match=r"pip install 'oddlens\[road\]'"):
            DecoderMasks(backbone, learned)


def test_the_shape_is_read_off_the_weights(backbone: Backbone, learned: MethodWeights) -> None:
    assert DecoderMasks(backbone, learned).shape == SHAPE
    assert replace(SHAPE, layers=1) != SHAPE
