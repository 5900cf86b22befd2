"""What every method keeps, zero-shot and, where its card says so, few-shot: the same promises for all of them."""

import json
import pickle
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import oddlens
from oddlens.detection import Detection, RegionOfInterest
from oddlens.detector import Detector
from oddlens.errors import Failure, ModelError, UsageError
from oddlens.methods.card import MethodCard
from oddlens.methods.recipe import held_fields, make_recipe
from oddlens.methods.registry import method_card, method_cards
from tests.contract.loaded import load_tiny

Pictures = list[NDArray[np.uint8]]
CARDS = [*method_cards().values(), method_card("winclip+patch-knn")]
FEW_SHOT = [card for card in CARDS if card.needs.references != "no"]
CASES = [(card, 0) for card in CARDS if card.needs.references != "required"] + [(card, 3) for card in FEW_SHOT]
SHOTS = {0: "zero-shot", 3: "few-shot"}


@pytest.fixture(scope="module", params=CASES, ids=[f"{card.name}-{SHOTS[shots]}" for card, shots in CASES])
def case(request: pytest.FixtureRequest) -> tuple[MethodCard, int]:
    """A method, and how many good examples it has."""
    found: tuple[MethodCard, int] = request.param
    return found


@pytest.fixture(scope="module")
def detector(
    case: tuple[MethodCard, int], open_clip_folder: Path, tmp_path_factory: pytest.TempPathFactory, pictures: Pictures
) -> Detector:
    """A detector of the method; not to be changed."""
    card, shots = case
    loaded = load_tiny(card.name, open_clip_folder, tmp_path_factory.mktemp("weights"))
    return loaded.add_references(pictures[5 : 5 + shots]) if shots else loaded


@pytest.fixture(scope="module")
def found(detector: Detector, pictures: Pictures) -> list[Detection]:
    """What it finds on five images of four sizes."""
    return detector.detect(pictures[:5], "nut")


def assert_same(found: Sequence[Detection | Failure], expected: Sequence[Detection], apart: float = 0) -> None:
    """Scores, maps and thresholds are the same: to the bit, or but for rounding."""
    assert len(found) == len(expected)
    for one, two in zip(found, expected, strict=True):
        assert isinstance(one, Detection)
        assert abs(one.score - two.score) <= apart
        assert one.anomaly_map.shape == two.anomaly_map.shape
        assert np.abs(one.anomaly_map - two.anomaly_map).max() <= apart
        assert one.thresholds == two.thresholds


class TestWhatIsFound:
    def test_scores_and_maps_are_finite_and_within_their_range(
        self, detector: Detector, found: list[Detection]
    ) -> None:
        low, high = detector.method.value_range(detector.references is not None)
        for each in found:
            assert np.isfinite(each.score)
            assert each.anomaly_map.dtype == np.float32
            assert low - 1e-5 <= each.anomaly_map.min() <= each.anomaly_map.max() <= high + 1e-5
            assert each.anomaly_map.max() > each.anomaly_map.min()

    def test_there_is_one_an_image_in_order(self, found: list[Detection], pictures: Pictures) -> None:
        assert [each.image_size for each in found] == [(each.shape[1], each.shape[0]) for each in pictures[:5]]
        assert len({each.score for each in found}) == 5

    def test_thresholds_come_of_good_examples(self, detector: Detector, found: list[Detection]) -> None:
        known = detector.references is not None
        for each in found:
            assert (each.thresholds.image is not None, each.thresholds.pixel is not None) == (known, known)

    def test_scores_and_maps_never_rise_as_good_examples_join(self, detector: Detector, pictures: Pictures) -> None:
        """What leave-one-out calibration rests on; a score that breaks it is said to promise nothing."""
        if detector.references is None:
            return
        calibration = detector.calibration("nut")
        assert calibration is not None
        assert calibration.unguaranteed == detector.method.unguaranteed
        encoded = detector.encode(pictures[:5])
        for count in range(detector.method.card.needs.least, 3):
            fewer, more = (detector.with_references(detector.references[:number]) for number in (count, count + 1))
            for one, other in zip(fewer.predict(encoded, "nut"), more.predict(encoded, "nut"), strict=True):
                rises = (other.anomaly_map > one.anomaly_map + 1e-6).any(), other.score > one.score + 1e-6
                assert not rises[0] or detector.method.unguaranteed_maps
                assert not rises[1] or detector.method.unguaranteed

    def test_another_name_of_the_object_counts_only_where_the_card_says_so(
        self, detector: Detector, found: list[Detection], pictures: Pictures
    ) -> None:
        card = detector.card
        other = detector.detect(pictures[:5], "knitted wool")
        if not card.needs.object_name:
            assert_same(other, found)
        elif card.needs.text:  # without words it may name what is cut out, of objects that are known
            assert any(one.score != two.score for one, two in zip(other, found, strict=True))

    def test_it_is_json(self, found: list[Detection]) -> None:
        for each in found:
            json.dumps(each.to_dict(), allow_nan=False)


class TestTheSame:
    """What an image gives is its own, by whatever way it comes."""

    def test_encoded_before_it_is_asked_about(
        self, detector: Detector, found: list[Detection], pictures: Pictures
    ) -> None:
        assert_same(detector.predict(detector.encode(pictures[:5]), "nut"), found)

    def test_one_by_one(self, detector: Detector, found: list[Detection], pictures: Pictures) -> None:
        alone = [each for picture in pictures[:5] for each in detector.detect(picture, "nut")]
        assert_same(alone, found, apart=1e-5)

    def test_in_another_order(self, detector: Detector, found: list[Detection], pictures: Pictures) -> None:
        assert_same(detector.detect(pictures[4::-1], "nut")[::-1], found, apart=1e-5)

    def test_as_they_come(self, detector: Detector, found: list[Detection], pictures: Pictures) -> None:
        def camera() -> Iterator[NDArray[np.uint8]]:
            yield from pictures[:5]

        assert_same(list(detector.detect_each(camera(), "nut")), found)

    def test_beside_a_bad_one(
        self, detector: Detector, found: list[Detection], pictures: Pictures, tmp_path: Path
    ) -> None:
        bad = tmp_path / "bad.png"
        bad.write_bytes(b"nothing")
        *before, failure, third, fourth, fifth = detector.detect_each([*pictures[:2], bad, *pictures[2:5]], "nut")
        assert isinstance(failure, Failure)
        assert "bad.png" in failure.reason
        assert_same([*before, third, fourth, fifth], found)

    def test_in_threads(self, detector: Detector, found: list[Detection], pictures: Pictures) -> None:
        with ThreadPoolExecutor(2) as pool:
            for each in pool.map(lambda _: detector.detect(pictures[:5], "nut"), range(4)):
                assert_same(each, found)

    def test_from_a_station(
        self, detector: Detector, found: list[Detection], pictures: Pictures, tmp_path: Path
    ) -> None:
        detector.save(tmp_path / "station")
        opened = oddlens.open_station(tmp_path / "station", device="cpu")
        assert opened.recipe == detector.recipe
        assert_same(opened.detect(pictures[:5], "nut"), found)

    def test_unpickled(self, detector: Detector, found: list[Detection], pictures: Pictures) -> None:
        assert_same(pickle.loads(pickle.dumps(detector)).detect(pictures[:5], "nut"), found)

    def test_with_a_recipe_that_changes_nothing(self, detector: Detector, pictures: Pictures) -> None:
        method = detector.method
        again = method.with_recipe(method.recipe)
        assert again is not method
        assert again.backbone is method.backbone
        features, text = detector.encode(pictures[:2]).features, method.encode_prompts("nut")
        if detector.references is None:
            assert torch.equal(again.score(features, text, None).scores, method.score(features, text, None).scores)


def detect_all(given: tuple[list[Detector], Pictures]) -> list[list[Detection]]:
    """What detectors find, in another process."""
    torch.set_num_threads(1)
    detectors, pictures = given
    return [detector.detect(pictures, "nut") for detector in detectors]


def test_a_worker_process_finds_the_same(open_clip_folder: Path, tmp_path: Path, pictures: Pictures) -> None:
    detectors = []
    for card, shots in CASES:
        loaded = load_tiny(card.name, open_clip_folder, tmp_path)
        detectors.append(loaded.add_references(pictures[5 : 5 + shots]) if shots else loaded)
    with get_context("spawn").Pool(1) as pool:
        elsewhere = pool.apply_async(detect_all, ((detectors, pictures[:2]),)).get(timeout=300)
    for detector, each in zip(detectors, elsewhere, strict=True):
        assert_same(each, detector.detect(pictures[:2], "nut"), apart=1e-5)  # threads may be other ones there


class TestRefusals:
    @pytest.mark.parametrize(
        "card", [card for card in CARDS if card.needs.references == "no"], ids=lambda card: card.name
    )
    def test_references_where_none_are_taken(
        self, card: MethodCard, open_clip_folder: Path, tmp_path: Path, pictures: Pictures
    ) -> None:
        detector = load_tiny(card.name, open_clip_folder, tmp_path)
        able = " or ".join(name for name, each in method_cards().items() if each.needs.references != "no")
        sentence = f"{card.name} takes no good examples: leave the references out, or take {able}, which use them"
        with pytest.raises(UsageError, match=f"^{sentence}$"):
            detector.add_references(pictures[:2])
        with pytest.raises(UsageError, match=f"^{sentence}$"):
            detector.method.fit(detector.encode(pictures[:2]).features)
        assert detector.references is None

    @pytest.mark.parametrize("card", [card for card in CARDS if card.needs.weights == "no"], ids=lambda card: card.name)
    def test_weights_where_none_are_taken(self, card: MethodCard, open_clip_folder: Path, tmp_path: Path) -> None:
        torch.save({"w": torch.zeros(1)}, tmp_path / "weights.pth")
        with pytest.raises(
            UsageError, match=f"^{re.escape(card.name)} takes no weights: leave them out, or give the method"
        ):
            oddlens.load(card.name, open_clip_folder, tmp_path / "weights.pth", "cpu")

    @pytest.mark.parametrize(
        "card", [card for card in CARDS if card.needs.weights == "required"], ids=lambda card: card.name
    )
    def test_no_weights_where_some_are_needed(self, card: MethodCard, open_clip_folder: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=f"^{card.name} needs .*: give as weights a file that 'oddlens train"):
            oddlens.load(card.name, open_clip_folder, device="cpu")
        torch.save({"something": torch.zeros(3)}, tmp_path / "weights.pth")
        with pytest.raises(ModelError, match=r"weights\.pth"):
            oddlens.load(card.name, open_clip_folder, tmp_path / "weights.pth", "cpu")

    def test_another_recipe_that_is_not_of_the_question(self, detector: Detector) -> None:
        recipe = detector.recipe
        size = next(name for name in held_fields(recipe) if name.endswith("image_size"))
        other = type(recipe)(**{**held_fields(recipe), size: 48})
        with pytest.raises(ValueError, match="may differ in query fields only"):
            detector.method.with_recipe(other)
        with pytest.raises(UsageError, match=f"{size} cannot change between questions"):
            detector.predict(detector.encode([]), **{size: 48})


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_every_recipe_is_plain_data_that_comes_back_from_json(card: MethodCard) -> None:
    recipe = make_recipe(card.recipe, {})
    plain = json.loads(json.dumps({each.name: getattr(recipe, each.name) for each in fields(recipe)}))
    assert make_recipe(card.recipe, plain) == recipe


def test_no_other_module_reaches_through_a_detector_to_its_method() -> None:
    """What a detector stands on is its own affair: others know detectors, predictors and cards. Only the export traces methods."""
    root = Path(oddlens.__file__).parent
    found = [
        f"{path.relative_to(root)}:{number}"
        for path in sorted(root.rglob("*.py"))
        if not {root / "detector", root / "export"} & {*path.parents}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(r"(detector|predictor)\.method\b", line)
    ]
    assert found == []


def test_nothing_outside_of_a_region_of_interest_counts(
    case: tuple[MethodCard, int], open_clip_folder: Path, tmp_path: Path, pictures: Pictures, found: Sequence[Detection]
) -> None:
    """The score is the largest value of the map inside, and nothing outside is marked, whatever the thresholds are."""
    card, shots = case
    detector = load_tiny(card.name, open_clip_folder, tmp_path)
    detector.roi = RegionOfInterest(
        include=(((0.1, 0), (0.6, 0), (0.5, 1)),), ignore=(((0.2, 0.2), (0.4, 0.2), (0.3, 0.5)),)
    )
    if shots:
        detector.add_references(pictures[5 : 5 + shots])
    detector.set_thresholds(image=-100, pixel=-100)
    for one, whole in zip(detector.detect(pictures[:5], "nut"), found, strict=True):
        height, width = whole.anomaly_map.shape
        inside = detector.roi.inside((width, height))
        assert np.array_equal(one.anomaly_map[inside], whole.anomaly_map[inside])
        assert (one.anomaly_map[~inside] == np.float32(detector.fixed_range.low)).all()
        assert one.score == whole.anomaly_map[inside].max()
        assert (one.mask() == detector.roi.inside(one.image_size)).all()
        assert sum(region.area for region in one.regions) == one.mask().sum()
