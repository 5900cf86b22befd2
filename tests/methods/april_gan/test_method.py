"""APRIL-GAN against a plain restatement, its weights, and the two ways to a few-shot score."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.detector import Detector
from oddlens.encoding import joined
from oddlens.errors import ModelError, UsageError
from oddlens.inference.runner import run
from oddlens.inference.task import Task
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from oddlens.methods.common.templates import load_states, load_templates
from tests.naive_clip import NaiveClip
from tests.tiny_clip import Shape, Weights, random_weights, write_open_clip
from tests.tiny_layers import random_layers, write_authors_layers, write_layers

Pictures = list[NDArray[np.uint8]]
SMALL = Shape(layers=2, text_layers=1)
SIDE = 5


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the tiny CLIP's three blocks, as the authors write them. Not to be written to."""
    return write_authors_layers(tmp_path_factory.mktemp("weights") / "layers.pth", random_layers())


@pytest.fixture(scope="module")
def loaded(open_clip_folder: Path, weights_file: Path) -> Detector:
    """Without references; not to be given any."""
    return oddlens.load("april-gan", open_clip_folder, weights_file, "cpu")


@pytest.fixture
def detector(loaded: Detector) -> Detector:
    """A detector of the test's own, on the same towers."""
    return Detector(loaded.name, loaded.method, loaded.notes, loaded.weights)


class NaiveAprilGAN:
    """texts: [2, embed_dim], unit norm. layers: the learned tensors; taps: the blocks that they follow."""

    def __init__(self, clip: NaiveClip, texts: Tensor, layers: dict[str, Tensor], taps: tuple[int, ...]) -> None:
        self.clip = clip
        self.texts = texts
        self.layers = {name: value.double() for name, value in layers.items()}
        self.taps = taps

    def look(self, picture: NDArray[np.uint8]) -> tuple[Tensor, list[Tensor]]:
        """The whole picture's embedding, and the patches after each tapped block."""
        resized = Image.fromarray(picture).resize((40, 40), Image.Resampling.BICUBIC)
        pixels = (np.asarray(resized) / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.25, 0.3]
        tokens = self.clip.tokens(torch.tensor(pixels).permute(2, 0, 1))
        hidden = self.clip.hidden(tokens)
        return self.clip.image(tokens), [hidden[tap][1:] for tap in self.taps]

    def enlarged(self, patches: Tensor) -> Tensor:
        """[25] -> [40, 40]: between the centres of the outer patches, which lie in the corners."""
        places = np.linspace(0, SIDE - 1, 40)
        spread = torch.tensor(np.stack([np.interp(places, range(SIDE), row) for row in np.eye(SIDE)], axis=1))
        return spread @ patches.view(SIDE, SIDE) @ spread.T

    def probability(self, picture: NDArray[np.uint8]) -> float:
        whole, _ = self.look(picture)
        return float((100 * F.normalize(whole, dim=0) @ self.texts.T).softmax(dim=0)[1])

    def words_map(self, picture: NDArray[np.uint8]) -> Tensor:
        total = torch.zeros(40, 40, dtype=torch.float64)
        for number, patches in enumerate(self.look(picture)[1]):
            joint = patches @ self.layers[f"fc.{number}.weight"].T + self.layers[f"fc.{number}.bias"]
            logits = 100 * F.normalize(joint, dim=1) @ self.texts.T
            both = torch.stack([self.enlarged(logits[:, state]) for state in (0, 1)])
            total += both.softmax(dim=0)[1]
        return total

    def map(self, picture: NDArray[np.uint8], references: Pictures) -> Tensor:
        total = self.words_map(picture)
        known = [self.look(each)[1] for each in references]
        for number, patches in enumerate(self.look(picture)[1]):
            if references:
                rows = F.normalize(torch.cat([each[number] for each in known]), dim=1)
                total += self.enlarged((1 - F.normalize(patches, dim=1) @ rows.T).amin(dim=1))
        return total

    def score(self, picture: NDArray[np.uint8], references: Pictures) -> float:
        """Beside the references, of which each is held against the others."""
        if not references:
            return self.probability(picture)
        others = [references[:number] + references[number + 1 :] for number in range(len(references))]
        peaks = [float(self.map(each, rest).max()) for each, rest in zip(references, others, strict=True)]
        return (self.probability(picture) + float(self.map(picture, references).max()) / np.mean(peaks)) / 2


def restated(folder: Path, weights: Weights, layers: dict[str, Tensor], taps: tuple[int, ...]) -> NaiveAprilGAN:
    backbone = load_backbone(folder, device="cpu")
    states, templates = load_states("april_gan"), load_templates("april_gan")
    means = []
    for each in (states.normal, states.abnormal):
        lines = [template.replace("{}", state.replace("{}", "metal_nut")) for template in templates for state in each]
        means.append(F.normalize(backbone.encode_text(lines).double(), dim=1).mean(dim=0))
    return NaiveAprilGAN(NaiveClip(weights), F.normalize(torch.stack(means), dim=1), layers, taps)


class TestAgainstTheRestatement:
    @pytest.mark.parametrize(("seed", "shots"), [(11, 0), (12, 1), (13, 2), (14, 4)])
    def test_any_model_and_any_number_of_references(
        self, tmp_path: Path, pictures: Pictures, seed: int, shots: int
    ) -> None:
        weights, layers = random_weights(seed, SMALL), random_layers(count=2, seed=seed)
        write_open_clip(tmp_path / "model", weights, SMALL)
        file = write_authors_layers(tmp_path / "layers.pth", layers)
        detector = oddlens.load("april-gan", tmp_path / "model", file, "cpu")
        assert detector.recipe.layers == (1, 2)
        naive, references = restated(tmp_path / "model", weights, layers, (1, 2)), pictures[2 : 2 + shots]
        if shots:
            detector.add_references(references)
        for found, query in zip(detector.detect(pictures[:2], "metal_nut"), pictures[:2], strict=True):
            assert found.score == pytest.approx(naive.score(query, references), abs=1e-5)
            assert np.abs(found.anomaly_map - naive.map(query, references).numpy()).max() < 2e-5


class TestWeights:
    def test_the_authors_file_and_ours_say_the_same(
        self, open_clip_folder: Path, loaded: Detector, pictures: Pictures, tmp_path: Path
    ) -> None:
        ours = write_layers(tmp_path / "a.safetensors", random_layers(), loaded.method.backbone, loaded.recipe)
        other = oddlens.load("april-gan", open_clip_folder, ours, "cpu")
        assert other.recipe == loaded.recipe
        for one, two in zip(loaded.detect(pictures[:2]), other.detect(pictures[:2]), strict=True):
            assert one.score == two.score
            assert np.array_equal(one.anomaly_map, two.anomaly_map)

    def test_ours_bring_the_layers_that_they_were_trained_for(
        self, open_clip_folder: Path, loaded: Detector, tmp_path: Path
    ) -> None:
        recipe = AprilGANRecipe(image_size=48, layers=(2,))
        file = write_layers(tmp_path / "a.safetensors", random_layers(count=1), loaded.method.backbone, recipe)
        assert oddlens.load("april-gan", open_clip_folder, file, "cpu").recipe == recipe

    def test_without_any_the_error_says_where_to_get_some(self, open_clip_folder: Path) -> None:
        with pytest.raises(UsageError, match=r"'oddlens train april-gan'.*exps/pretrained/mvtec_pretrained\.pth"):
            oddlens.load("april-gan", open_clip_folder, device="cpu")

    @pytest.mark.parametrize(
        ("layers", "told"),
        [
            (random_layers(count=4), "holds 4 linear layers from width 128 to 32"),
            (random_layers(width=64), "holds 3 linear layers from width 64 to 32"),
            (random_layers(embed_dim=16), "holds 3 linear layers from width 128 to 16"),
            ({"ctx_pos": torch.zeros(1, 12, 8)}, "holds no linear layers of one kind"),
            (random_layers() | {"fc.0.bias": torch.zeros(31)}, "holds 3 linear layers"),
            (random_layers() | {"more": torch.zeros(1)}, "holds 3 linear layers"),
        ],
    )
    def test_those_of_another_model_are_refused_in_one_sentence(
        self, open_clip_folder: Path, tmp_path: Path, layers: dict[str, Tensor], told: str
    ) -> None:
        file = write_authors_layers(tmp_path / "layers.pth", layers)
        with pytest.raises(ModelError) as error:
            oddlens.load("april-gan", open_clip_folder, file, "cpu")
        assert f"{file} {told}" in str(error.value)
        assert "needs 3 linear layers from width 128 to 32, for the blocks 1, 2, 3:" in str(error.value)

    def test_loading_leaves_the_random_numbers_alone(self, open_clip_folder: Path, weights_file: Path) -> None:
        torch.manual_seed(3)
        before = torch.random.get_rng_state()
        oddlens.load("april-gan", open_clip_folder, weights_file, "cpu")
        assert torch.equal(torch.random.get_rng_state(), before)


class TestActivation:
    """The two folders hold the same weights; the second one's mean QuickGELU."""

    def test_exact_gelu_whatever_the_model_was_trained_with(
        self, loaded: Detector, transformers_folder: Path, weights_file: Path, pictures: Pictures
    ) -> None:
        (expected,) = loaded.detect(pictures[0])
        (found,) = oddlens.load("april-gan", transformers_folder, weights_file, "cpu").detect(pictures[0])
        assert np.abs(found.anomaly_map - expected.anomaly_map).max() < 1e-5

    def test_the_models_own_by_name(
        self, loaded: Detector, transformers_folder: Path, weights_file: Path, pictures: Pictures
    ) -> None:
        (gelu,) = loaded.detect(pictures[0])
        own = oddlens.load("april-gan", transformers_folder, weights_file, "cpu", activation=None)
        assert own.method.backbone.vision.config.activation == "quick_gelu"
        assert np.abs(own.detect(pictures[0])[0].anomaly_map - gelu.anomaly_map).max() > 1e-3


def usual_peaks(detector: Detector) -> list[float]:
    """The peak of every good example, with the others as its memory."""
    references, text = detector.references, detector.method.encode_prompts("part")
    assert references is not None
    peaks = []
    for number in range(len(references)):
        others = joined([references[each : each + 1] for each in range(len(references)) if each != number])
        memory = detector.method.fit(others.features).with_values({"usual_peak": torch.ones(())})
        peaks.append(float(detector.method.score(references[number : number + 1].features, text, memory).maps.amax()))
    return peaks


class TestScoresBesideReferences:
    def test_an_image_as_odd_as_the_good_ones_adds_a_half(self, detector: Detector, pictures: Pictures) -> None:
        """Its peak is held against the mean peak of the good examples, each looked at with the others as its memory."""
        detector.add_references(pictures[:4])
        for found in detector.detect(pictures[4:]):
            usual = np.mean(usual_peaks(detector))
            assert found.score == pytest.approx((found.parts["text"] + found.parts["peak"] / usual) / 2, abs=1e-6)

    def test_thresholds_are_on_the_scale_of_the_scores(self, detector: Detector, pictures: Pictures) -> None:
        """Good pictures' own scores, each with the others as references but on the scale of all of them."""
        calibration = detector.add_references(pictures[:4]).calibrate()
        peaks = torch.tensor(usual_peaks(detector), dtype=torch.float64)
        assert detector.references is not None
        text = detector.method.encode_prompts("part")
        words = detector.method.score(detector.references.features, text, None).scores
        scores = (words + peaks / peaks.mean()) / 2
        assert calibration.thresholds.image == pytest.approx(float(scores.max()), abs=1e-6)
        assert calibration.promise.startswith("The threshold promises no false-alarm rate: april-gan divides its score")

    def test_a_single_one_is_held_against_the_words(self, detector: Detector, pictures: Pictures) -> None:
        (alone,) = detector.detect(pictures[1])
        (found,) = detector.add_references(pictures[1]).detect(pictures[0])
        expected = found.parts["text"] + found.parts["peak"] / float(alone.anomaly_map.max())
        assert found.score == pytest.approx(expected / 2, abs=1e-6)
        assert found.threshold is None

    def test_copies_of_one_picture_as_references_upset_nothing(self, detector: Detector, pictures: Pictures) -> None:
        detector.references = joined([detector.encode(pictures[1])] * 3)
        found = detector.detect(pictures)
        assert all(np.isfinite(each.score) for each in found)
        assert len({each.score for each in found}) == len(pictures)


class TestTransductiveScores:
    """They are of a whole test set, so an evaluation has them and no detector: see tests/evaluation/test_set_scores.py."""

    @pytest.fixture
    def transductive(self, open_clip_folder: Path, weights_file: Path, pictures: Pictures) -> Detector:
        detector = oddlens.load("april-gan", open_clip_folder, weights_file, "cpu", image_score="transductive")
        return detector.add_references(pictures[:2])

    def test_every_way_to_single_images_is_refused(
        self, transductive: Detector, pictures: Pictures, tmp_path: Path
    ) -> None:
        encoded = transductive.encode(pictures[:2])
        for ask in (
            lambda: transductive.detect(pictures),
            lambda: transductive.detect_each(pictures),
            lambda: transductive.predict(encoded),
            lambda: next(run(transductive, Task("part", (tmp_path / "a.png", tmp_path / "b.png")))),
        ):
            with pytest.raises(UsageError, match=r"a whole set of images at once.*: give image_score='references'"):
                ask()

    def test_without_references_the_score_is_the_probability(
        self, transductive: Detector, loaded: Detector, pictures: Pictures
    ) -> None:
        alone = Detector(transductive.name, transductive.method)
        assert alone.detect(pictures[0])[0].score == loaded.detect(pictures[0])[0].score

    def test_the_question_may_choose(self, detector: Detector, transductive: Detector, pictures: Pictures) -> None:
        encoded = detector.add_references(pictures[:2]).encode(pictures)
        expected = detector.predict(encoded)
        found = transductive.predict(encoded, image_score="references")
        assert [each.score for each in found] == [each.score for each in expected]
        with pytest.raises(UsageError, match="a whole set of images at once"):
            detector.predict(encoded, image_score="transductive")


class TestFeatures:
    def test_a_reference_itself_shows_what_the_words_show(self, detector: Detector, pictures: Pictures) -> None:
        (words,) = detector.detect(pictures[0])
        (found,) = detector.add_references(pictures[:3]).detect(pictures[0])
        assert np.abs(found.anomaly_map - words.anomaly_map).max() < 1e-5

    def test_maps_lie_within_their_range(self, detector: Detector, pictures: Pictures) -> None:
        for shots, highest in ((0, 3), (2, 9)):
            if shots:
                detector.add_references(pictures[:shots])
            low, high = detector.method.value_range(shots > 0)
            assert (low, high) == (0, highest)
            for found in detector.detect(pictures):
                assert low <= found.anomaly_map.min() <= found.anomaly_map.max() <= high

    def test_tokens_may_be_kept_in_half_precision_in_a_station_too(
        self, open_clip_folder: Path, weights_file: Path, pictures: Pictures, tmp_path: Path
    ) -> None:
        whole, half = (
            oddlens.load("april-gan", open_clip_folder, weights_file, "cpu", memory_dtype=kind).add_references(
                pictures[:3]
            )
            for kind in ("float32", "float16")
        )
        assert half.references is not None
        assert half.references.features["tokens:2"].dtype == torch.float16
        for one, two in zip(whole.detect(pictures), half.detect(pictures), strict=True):
            assert 0 < np.abs(one.anomaly_map - two.anomaly_map).max() < 0.02
        sizes = []
        for name, each in (("whole", whole), ("half", half)):
            each.save(tmp_path / name)
            digest = json.loads((tmp_path / name / "station.json").read_text())["references"]["file_sha256"]
            sizes.append((tmp_path / name / "files" / f"{digest}.safetensors").stat().st_size)
        assert sizes[1] < 0.6 * sizes[0]
        opened = oddlens.open_station(tmp_path / "half", "cpu")
        assert opened.recipe == half.recipe
        for one, two in zip(half.detect(pictures[3:]), opened.detect(pictures[3:]), strict=True):
            assert one.to_dict() == two.to_dict()
            assert np.array_equal(one.anomaly_map, two.anomaly_map)


class TestTheEmbeddedKind:
    """A model with a stem: its card names what references are compared by."""

    @pytest.fixture
    def embedded(self, embedded_folder: Path, tmp_path: Path) -> Detector:
        file = write_authors_layers(tmp_path / "layers.pth", random_layers(2, 32, 16))
        return oddlens.load("april-gan", embedded_folder, file, "cpu")

    def test_layers_are_its_blocks_and_references_its_stem(self, embedded: Detector, pictures: Pictures) -> None:
        assert embedded.recipe.layers == (1, 2)
        assert embedded.method.request.taps == (1, 2, "stem")
        assert "layers (1, 2) for the 2 vision blocks of this model, instead of (6, 12, 18, 24)" in embedded.notes[1]
        assert len(embedded.add_references(pictures[:2]).detect(pictures[2:])) == 6

    def test_taps_given_by_hand_win_over_the_models_own(self, embedded: Detector, embedded_folder: Path) -> None:
        assert embedded.weights is not None
        other = oddlens.load("april-gan", embedded_folder, embedded.weights, "cpu", reference_taps=(2,))
        assert other.method.request.taps == (1, 2)

    def test_one_tap_weighs_as_much_as_the_layers_together(self, embedded: Detector, pictures: Pictures) -> None:
        (words,) = embedded.detect(pictures[0])
        (found,) = embedded.add_references(pictures[1:3]).detect(pictures[0])
        assert embedded.references is not None
        query = embedded.encode(pictures[0]).features["tokens:stem"]
        distance = embedded.method.fit(embedded.references.features).distance("tokens:stem", query).view(4, 4)
        added = found.anomaly_map - words.anomaly_map
        assert added[[0, 0, -1, -1], [0, -1, 0, -1]] == pytest.approx(
            2 * distance[[0, 0, -1, -1], [0, -1, 0, -1]].numpy(), abs=1e-5
        )
