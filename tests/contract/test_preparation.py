"""Tiles, padding and cropping, for every method that scores an image at the tower's size: the same promises for all of them."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import oddlens
from oddlens.detection import Detection, RegionOfInterest
from oddlens.detector import Detector
from oddlens.errors import OddlensWarning, UsageError
from oddlens.io.preparation import Preparation
from oddlens.methods.card import MethodCard
from oddlens.methods.registry import method_cards
from tests.contract.loaded import load_tiny

Pictures = list[NDArray[np.uint8]]
WHOLE = ("vl4ad",)
"""Methods that cut images themselves."""
CARDS = [card for card in method_cards().values() if card.name not in WHOLE]
CASES = [(card, 0) for card in CARDS if card.needs.references != "required" and not card.needs.set]
CASES += [(card, 3) for card in CARDS if card.needs.references != "no"]
WAYS = (Preparation((2, 2)), Preparation("auto", 0.3, "pad"), Preparation(fit="pad"), Preparation(fit="crop"))


@pytest.fixture(scope="module")
def large() -> Pictures:
    """Six images that are not square, of three sizes."""
    rng = np.random.default_rng(8)
    sizes = ((70, 120), (100, 60), (130, 90))
    return [rng.integers(number, 120 + 20 * number, (*sizes[number % 3], 3), np.uint8) for number in range(6)]


@pytest.fixture(scope="module", params=CASES, ids=[f"{card.name}-{shots}" for card, shots in CASES])
def case(request: pytest.FixtureRequest) -> tuple[MethodCard, int]:
    found: tuple[MethodCard, int] = request.param
    return found


@pytest.fixture(scope="module")
def plain(case: tuple[MethodCard, int], open_clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """The method without references; not to be changed."""
    return load_tiny(case[0].name, open_clip_folder, tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module", params=WAYS, ids=str)
def detector(
    request: pytest.FixtureRequest, plain: Detector, case: tuple[MethodCard, int], large: Pictures
) -> Detector:
    """The method with a way to prepare images; not to be changed."""
    made = plain.with_references(None)
    made.preparation = request.param
    return made.add_references(large[: case[1]]) if case[1] else made


@pytest.fixture(scope="module")
def found(detector: Detector, large: Pictures) -> list[Detection]:
    return detector.detect(large[3:], "nut")


def assert_same(found: list[Detection], expected: list[Detection], apart: float = 0.0) -> None:
    for one, two in zip(found, expected, strict=True):
        assert abs(one.score - two.score) <= apart
        assert one.anomaly_map.shape == two.anomaly_map.shape
        assert np.abs(one.anomaly_map - two.anomaly_map).max() <= apart
        assert one.thresholds == two.thresholds or apart


def test_there_is_one_map_of_the_whole_image(detector: Detector, found: list[Detection], large: Pictures) -> None:
    low, high = detector.method.value_range(detector.references is not None)
    assert [each.image_size for each in found] == [(each.shape[1], each.shape[0]) for each in large[3:]]
    for each, image in zip(found, large[3:], strict=True):
        assert np.isfinite(each.score)
        assert each.anomaly_map.dtype == np.float32
        assert low - 1e-5 <= each.anomaly_map.min() < each.anomaly_map.max() <= high + 1e-5
        assert each.heatmap().shape == image.shape[:2]


def test_images_do_not_depend_on_their_neighbours(detector: Detector, found: list[Detection], large: Pictures) -> None:
    assert_same([detector.detect(image, "nut")[0] for image in large[3:]], found, apart=1e-5)
    assert_same(detector.predict(detector.encode(large[3:]), "nut"), found)


def test_the_score_is_the_largest_of_the_tiles(
    detector: Detector, found: list[Detection], plain: Detector, large: Pictures
) -> None:
    """Those that are cut by hand and scored one by one."""
    if detector.references is not None:
        return  # with references the memory has tiles too
    for image, each in zip(large[3:], found, strict=True):
        assert detector.preparation is not None
        layout = detector.preparation.layout(each.image_size, plain.method.request.image_size)
        views = layout.views(image, plain.method.request.interpolation)
        assert each.score == pytest.approx(max(one.score for one in plain.detect(views, "nut")), abs=1e-5)


def test_a_reference_is_left_out_with_all_its_tiles(detector: Detector, plain: Detector, large: Pictures) -> None:
    """So that a threshold never rests on tiles of one image that are like each other."""
    if detector.references is None:
        return
    calibration = detector.calibration("nut")
    assert calibration is not None
    assert len(calibration) == 3
    if detector.method.unguaranteed and detector.method.card.falling_maps:
        return  # what divides the scores is made of all references
    for number in range(3):
        alone = plain.with_references(None)
        alone.preparation = detector.preparation
        alone.add_references([image for other, image in enumerate(large[:3]) if other != number])
        (expected,) = alone.detect(large[number], "nut")
        assert calibration.scores[number] == pytest.approx(expected.score, abs=1e-5, rel=1e-5)
        if not detector.method.unguaranteed_maps:
            assert calibration.peaks[number] == pytest.approx(float(expected.anomaly_map.max()), abs=1e-5)


def test_a_region_of_interest_is_of_the_whole_image(detector: Detector, large: Pictures) -> None:
    """It comes after the maps of tiles were joined."""
    inner = detector.with_references(detector.references)
    inner.roi = RegionOfInterest(include=(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),))
    found, whole = (each.detect(large[3:], "nut") for each in (inner, detector))
    for one, other in zip(found, whole, strict=True):
        half = other.anomaly_map.shape[1] // 2
        assert np.array_equal(one.anomaly_map[:, : half - 1], other.anomaly_map[:, : half - 1])
        assert (one.anomaly_map[:, half + 1 :] == detector.fixed_range.low).all()
        assert one.score == pytest.approx(one.anomaly_map.max(), abs=1e-6)


def test_what_is_cropped_away_sets_no_scale(plain: Detector, case: tuple[MethodCard, int], large: Pictures) -> None:
    """A calibration takes of a map only what was looked at: it is that of the centres alone."""
    if case[1]:
        return
    cropped = plain.with_references(None)
    cropped.preparation = Preparation(fit="crop")
    long = [np.tile(image[:60, :60], (1, 4, 1)) for image in large]
    calibration = cropped.calibrate(long)
    centres = plain.with_references(None).calibrate([each[:, 90:150] for each in long])
    assert calibration.usual == pytest.approx(centres.usual, abs=1e-4)
    assert calibration.peaks == pytest.approx(centres.peaks, abs=1e-4)
    cropped.roi = RegionOfInterest(include=(((0.0, 0.0), (0.2, 0.0), (0.2, 1.0), (0.0, 1.0)),))
    with pytest.raises(UsageError, match="the region of interest lies where fit crop cuts images off"):
        cropped.calibrate(long)


def test_it_is_there_in_copies_and_named_in_results(
    detector: Detector, found: list[Detection], large: Pictures
) -> None:
    assert_same(pickle.loads(pickle.dumps(detector)).detect(large[3:], "nut"), found)
    assert detector.with_references(detector.references).preparation == detector.preparation
    assert detector.preparation is not None
    assert detector.identity.to_dict()["preparation"] == detector.preparation.to_dict()


def test_a_station_has_it(detector: Detector, found: list[Detection], large: Pictures, tmp_path: Path) -> None:
    detector.save(tmp_path / "station")
    opened = oddlens.open_station(tmp_path / "station", device="cpu")
    assert opened.preparation == detector.preparation
    assert opened.identity.preparation == detector.identity.preparation
    assert_same(opened.detect(large[3:], "nut"), found)


def test_more_references_may_come(detector: Detector, plain: Detector, large: Pictures) -> None:
    if detector.references is None:
        return
    step_by_step = plain.with_references(None)
    step_by_step.preparation = detector.preparation
    for image in large[:3]:
        step_by_step.add_references(image)
    assert_same(step_by_step.detect(large[3:], "nut"), detector.detect(large[3:], "nut"), apart=1e-5)


def test_the_default_changes_nothing(plain: Detector, large: Pictures) -> None:
    same = plain.with_references(None)
    same.preparation = Preparation.of("1x1", None, "squash")
    assert same.preparation is None
    assert same.identity == plain.identity
    assert "preparation" not in plain.identity.to_dict()
    if plain.method.card.needs.references != "required":
        assert_same(same.detect(large[:3], "nut"), plain.detect(large[:3], "nut"))


def test_references_bind_it(plain: Detector, case: tuple[MethodCard, int], large: Pictures) -> None:
    if not case[1]:
        return
    bound = plain.with_references(None)
    bound.preparation = Preparation((2, 1))
    bound.add_references(large[:2])
    with pytest.raises(
        UsageError, match=r"the references were encoded with tiles 2x1, overlap 0\.2, fit squash: set tiles"
    ):
        bound.preparation = Preparation()
    with pytest.raises(UsageError, match="were encoded with other tiles or another fit than fit squash"):
        plain.with_references(bound.references)
    with pytest.raises(UsageError, match="were encoded with other tiles or another fit than tiles 2x1"):
        bound.predict(plain.encode(large[3:]))


def test_a_calibration_is_for_its_preparation(plain: Detector, large: Pictures) -> None:
    if plain.method.card.needs.references == "required":
        return
    calibrated = plain.with_references(None)
    calibrated.calibrate(large[:4])
    with pytest.warns(OddlensWarning, match="the calibration was made with fit squash and is dropped: calibrate again"):
        calibrated.preparation = Preparation((2, 2))
    assert calibrated.calibration() is None


@pytest.mark.parametrize("name", WHOLE)
def test_methods_that_cut_images_themselves_say_so(name: str, open_clip_folder: Path, tmp_path: Path) -> None:
    detector = load_tiny(name, open_clip_folder, tmp_path)
    sentence = f"with this recipe {name} takes images whole and cuts them itself: leave tiles, overlap and fit out"
    for way in WAYS:
        with pytest.raises(UsageError, match=f"^{sentence}$"):
            detector.preparation = way
    detector.preparation = Preparation()


def test_a_recipe_with_tiles_of_its_own_keeps_them(open_clip_folder: Path, tmp_path: Path, large: Pictures) -> None:
    own = load_tiny("anovl", open_clip_folder, tmp_path, tiles="wide")
    assert (own.recipe.tiles, own.preparation) == ("wide", None)
    ours = load_tiny("anovl", open_clip_folder, tmp_path, tiles="2x2")
    assert (ours.recipe.tiles, ours.preparation) == ("none", Preparation((2, 2)))
    with pytest.raises(UsageError, match="tiles cannot be 'wise'"):
        load_tiny("winclip", open_clip_folder, tmp_path, tiles="wise")
    with pytest.raises(UsageError, match="tiles"):
        load_tiny("anovl", open_clip_folder, tmp_path, tiles="wise")
    with pytest.raises(UsageError, match="with this recipe anovl takes images whole"):
        own.preparation = Preparation((2, 2))
