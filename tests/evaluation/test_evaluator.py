"""The figures of one cell, held against the plain functions of oddlens.metrics."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from oddlens.data import Record
from oddlens.detection import Detection, Thresholds, ValueRange, resize_map
from oddlens.evaluation.cell_results import CellResult
from oddlens.evaluation.evaluator import Evaluator, median_of
from oddlens.evaluation.map_file import MapFile
from oddlens.evaluation.protocol import Protocol
from oddlens.evaluation.truth import Truth
from oddlens.metrics import image_metrics, pixel_aupro_legacy, pixel_metrics

SIDE, SIZE = 12, (20, 16)


@dataclass
class Picture:
    """An image of the test: what is found and what is true. A mask at the side of the maps, or None."""

    label: int
    score: float
    anomaly_map: NDArray[np.float32]
    mask: NDArray[np.bool_] | None
    ignore: NDArray[np.bool_] | None = None


@pytest.fixture
def pictures() -> list[Picture]:
    """Three normal and three abnormal images of noise, hotter at the defect."""
    generator = np.random.default_rng(2)
    made = []
    for number in range(6):
        anomaly_map = generator.random((SIDE, SIDE), dtype=np.float32)
        mask = np.zeros((SIDE, SIDE), bool)
        if number % 2:
            mask[2 : 4 + number, 3:6] = True
            anomaly_map[mask] += 0.3
        made.append(Picture(number % 2, float(anomaly_map.max()), anomaly_map, mask))
    return made


def evaluate(folder: Path, pictures: list[Picture], *, full_size: bool = False) -> CellResult:
    protocol = Protocol(full_size)
    evaluator = Evaluator(MapFile(folder), protocol)
    for number, picture in enumerate(pictures):
        defect = "block" if picture.label else "good"
        record = Record(Path(f"{number}.png"), None, picture.label, "bolt", defect, "test")
        found = Detection(picture.score, picture.anomaly_map, SIZE, Thresholds(), ValueRange(0, 1, "fixed"))
        evaluator.add(record, f"bolt/{number}.png", found, Truth(picture.mask, picture.ignore))
    result = CellResult(settings={}, counts={}, figures=dict.fromkeys(protocol.figures))
    evaluator.evaluate(result)
    return result


def test_all_figures_are_those_of_the_plain_functions(tmp_path: Path, pictures: list[Picture]) -> None:
    result = evaluate(tmp_path, pictures)
    image = image_metrics([p.label for p in pictures], [p.score for p in pictures])
    masks, maps = [p.mask for p in pictures], [p.anomaly_map for p in pictures]
    pixel = pixel_metrics(masks, maps)
    assert result.figures == {
        "image_auroc": image.auroc,
        "image_ap": image.ap,
        "image_f1_max": image.f1_max,
        "pixel_auroc": pixel.auroc,
        "pixel_ap": pixel.ap,
        "pixel_f1_max": pixel.f1_max,
        "pixel_aupro": pixel.aupro,
        "pixel_aupro_legacy": pixel_aupro_legacy(masks, maps),
        "pixel_fpr95": pixel.fpr95,
    }
    assert result.reasons == {}
    assert result.thresholds["image"] == image.f1_max_threshold
    assert result.thresholds["pixel"] == pixel.f1_max_threshold
    assert result.interval is not None
    assert result.interval[0] <= image.auroc <= result.interval[1]
    assert set(result.curves) == {"image_roc", "image_pr", "pixel_roc", "pixel_pr"}
    assert [score.path for score in result.scores] == [f"bolt/{number}.png" for number in range(6)]


def test_at_full_size_maps_are_brought_to_the_pictures(tmp_path: Path, pictures: list[Picture]) -> None:
    width, height = SIZE
    for picture in pictures:
        picture.mask = np.zeros((height, width), bool)
        picture.mask[3:9, 4:9] = picture.label == 1
    result = evaluate(tmp_path, pictures, full_size=True)
    wanted = pixel_metrics([p.mask for p in pictures], [resize_map(p.anomaly_map, SIZE) for p in pictures])
    assert result.figures["pixel_auroc"] == wanted.auroc
    assert result.figures["pixel_aupro"] == wanted.aupro
    assert result.figures["pixel_aupro_legacy"] is None
    assert "size of the maps" in result.reasons["pixel_aupro_legacy"]


def test_ignored_pixels_do_not_count(tmp_path: Path, pictures: list[Picture]) -> None:
    ignored = np.zeros((SIDE, SIDE), bool)
    ignored[:, :4] = True
    pictures[1].ignore = ignored
    result = evaluate(tmp_path, pictures)
    everywhere = [p.ignore if p.ignore is not None else np.zeros((SIDE, SIDE), bool) for p in pictures]
    wanted = pixel_metrics([p.mask for p in pictures], [p.anomaly_map for p in pictures], ignore=everywhere)
    assert result.figures["pixel_ap"] == wanted.ap
    assert result.figures["pixel_aupro"] == wanted.aupro
    assert "ignore" in result.reasons["pixel_aupro_legacy"]


def test_a_defect_that_nobody_drew_counts_for_the_image_only(tmp_path: Path, pictures: list[Picture]) -> None:
    pictures[3].mask = None
    result = evaluate(tmp_path, pictures)
    drawn = [p for p in pictures if p.mask is not None]
    assert result.figures["pixel_auroc"] == pixel_metrics([p.mask for p in drawn], [p.anomaly_map for p in drawn]).auroc
    assert (
        result.figures["image_auroc"] == image_metrics([p.label for p in pictures], [p.score for p in pictures]).auroc
    )
    assert result.notes == ("1 abnormal image has no mask: image figures only",)


def test_without_any_mask_there_are_image_figures_only(tmp_path: Path, pictures: list[Picture]) -> None:
    for picture in pictures:
        picture.mask = None if picture.label else picture.mask
    result = evaluate(tmp_path, pictures)
    assert result.figures["pixel_auroc"] is None
    assert result.reasons["pixel_auroc"] == "no abnormal test image has a mask"
    assert result.figures["image_auroc"] is not None
    assert set(result.curves) == {"image_roc", "image_pr"}
    assert result.notes == ()


def test_without_normal_pictures_there_are_pixel_figures_only(tmp_path: Path, pictures: list[Picture]) -> None:
    result = evaluate(tmp_path, [picture for picture in pictures if picture.label])
    assert {name for name, value in result.figures.items() if value is None} == {
        "image_auroc",
        "image_ap",
        "image_f1_max",
    }
    assert result.reasons["image_ap"] == "there is no normal test image"
    assert result.interval is None
    assert result.thresholds["image"] is None


def test_without_abnormal_pictures_there_are_no_figures(tmp_path: Path, pictures: list[Picture]) -> None:
    result = evaluate(tmp_path, [picture for picture in pictures if not picture.label])
    assert set(result.figures.values()) == {None}
    assert set(result.reasons) == set(result.figures)


def test_masks_that_may_be_black_on_white_are_reported(tmp_path: Path, pictures: list[Picture]) -> None:
    pictures[1].mask = ~pictures[1].mask
    assert evaluate(tmp_path, pictures).notes == (
        "1 mask marks nearly a whole image as defect: are they black on white?",
    )


def test_masks_that_vanish_at_the_maps_size_are_reported(tmp_path: Path, pictures: list[Picture]) -> None:
    pictures[1].mask = np.zeros((SIDE, SIDE), bool)
    assert evaluate(tmp_path, pictures).notes == ("1 mask is empty at 12 x 12 pixels, where no pixel counts as defect",)
    for picture in pictures:
        picture.mask = np.zeros((SIDE, SIDE), bool)
    assert "no defect pixel is left" in evaluate(tmp_path, pictures).reasons["pixel_aupro"]


def test_a_rule_that_gives_no_number_gives_none(tmp_path: Path, pictures: list[Picture]) -> None:
    for picture in pictures:
        picture.anomaly_map = np.ones((SIDE, SIDE), np.float32)
    result = evaluate(tmp_path, pictures)
    assert result.figures["pixel_auroc"] == 0.5
    assert result.figures["pixel_aupro_legacy"] is None
    assert "no number" in result.reasons["pixel_aupro_legacy"]


def evaluator_of(pictures: Sequence[Picture], maps: MapFile, protocol: Protocol, first: int) -> Evaluator:
    evaluator = Evaluator(maps, protocol)
    for number, picture in enumerate(pictures, start=first):
        defect = "block" if picture.label else "good"
        record = Record(Path(f"{number}.png"), None, picture.label, "bolt", defect, "test")
        found = Detection(picture.score, picture.anomaly_map, SIZE, Thresholds(), ValueRange(0, 1, "fixed"))
        evaluator.add(record, f"bolt/{number}.png", found, Truth(picture.mask, picture.ignore))
    return evaluator


def result_of(evaluator: Evaluator, protocol: Protocol) -> tuple[CellResult, float]:
    result = CellResult(settings={}, counts={}, figures=dict.fromkeys(protocol.figures))
    evaluator.evaluate(result)
    return result, evaluator.median


@st.composite
def drawn(draw: st.DrawFn) -> tuple[list[Picture], list[int]]:
    """Images with few different values, so that many tie, and where to divide them; parts may be empty."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pictures = []
    for _ in range(draw(st.integers(1, 7))):
        label = int(rng.integers(2))
        shape = SIDE, SIDE
        mask = (rng.random(shape) < 0.2) & bool(label)
        ignore = rng.random(shape) < 0.1 if rng.random() < 0.3 else None
        anomaly_map = rng.integers(0, 6, shape).astype(np.float32)
        known = None if label and rng.random() < 0.2 else mask
        pictures.append(Picture(label, float(rng.integers(4)), anomaly_map, known, ignore))
    return pictures, sorted(draw(st.lists(st.integers(0, len(pictures)), max_size=3)))


@settings(max_examples=30)
@given(drawn(), st.booleans())
def test_merged_evaluators_say_what_one_says_that_took_all(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[list[Picture], list[int]], elsewhere: bool
) -> None:
    pictures, cuts = made
    folder, protocol = tmp_path_factory.mktemp("merged"), Protocol(full_size=False)
    whole = result_of(evaluator_of(pictures, MapFile(folder), protocol, 0), protocol)
    parts = [
        evaluator_of(pictures[first:last], MapFile(folder, str(number) if elsewhere else None), protocol, first)
        for number, (first, last) in enumerate(pairwise([0, *cuts, len(pictures)]))
    ]
    merged, *others = (pickle.loads(pickle.dumps(part)) for part in parts) if elsewhere else parts
    for other in others:
        merged.merge(other)
    assert result_of(merged, protocol) == whole
    assert list(folder.iterdir()) == []


def test_the_median_is_of_every_seventh_value_and_of_many_maps_of_some_spread_evenly() -> None:
    rng = np.random.default_rng(4)
    maps = [rng.random((14, 10), dtype=np.float32) + number for number in range(10)]
    assert median_of(maps, most=200) == np.median(np.concatenate([each.ravel()[::7] for each in maps]))
    assert median_of(maps, most=50) == np.median(np.concatenate([each.ravel()[::7] for each in maps[::4]]))
    assert median_of(maps, most=1) == np.median(maps[0].ravel()[::7])
