"""The figures of one cell, held against the plain functions of oddlens.metrics."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from oddlens.data import Record
from oddlens.detection import Detection, Thresholds, ValueRange, resize_map
from oddlens.evaluation.evaluator import Evaluator
from oddlens.evaluation.measured import Measured
from oddlens.evaluation.protocol import Protocol
from oddlens.evaluation.truth import Truth
from oddlens.metrics import image_metrics, pixel_aupro_legacy, pixel_metrics

SIDE, SIZE = 12, (20, 16)


@dataclass
class Picture:
    """A picture of the test: what is found and what is true. A mask at the side of the maps, or None."""

    label: int
    score: float
    anomaly_map: NDArray[np.float32]
    mask: NDArray[np.bool_] | None
    ignore: NDArray[np.bool_] | None = None


@pytest.fixture
def pictures() -> list[Picture]:
    """Three normal and three abnormal pictures of noise, hotter at the defect."""
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


def measure(folder: Path, pictures: list[Picture], *, full_size: bool = False) -> Measured:
    meter = Evaluator(folder, Protocol(full_size))
    for number, picture in enumerate(pictures):
        defect = "block" if picture.label else "good"
        record = Record(Path(f"{number}.png"), None, picture.label, "bolt", defect, "test")
        found = Detection(picture.score, picture.anomaly_map, SIZE, Thresholds(), ValueRange(0, 1, "fixed"))
        meter.add(record, f"bolt/{number}.png", found, Truth(picture.mask, picture.ignore))
    return meter.measure()


def test_all_figures_are_those_of_the_plain_functions(tmp_path: Path, pictures: list[Picture]) -> None:
    measured = measure(tmp_path, pictures)
    image = image_metrics([p.label for p in pictures], [p.score for p in pictures])
    masks, maps = [p.mask for p in pictures], [p.anomaly_map for p in pictures]
    pixel = pixel_metrics(masks, maps)
    assert measured.figures == {
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
    assert measured.reasons == {}
    assert measured.thresholds["image"] == image.f1_max_threshold
    assert measured.thresholds["pixel"] == pixel.f1_max_threshold
    assert measured.interval is not None
    assert measured.interval[0] <= image.auroc <= measured.interval[1]
    assert set(measured.curves) == {"image_roc", "image_pr", "pixel_roc", "pixel_pr"}
    assert [score.path for score in measured.scores] == [f"bolt/{number}.png" for number in range(6)]


def test_at_full_size_maps_are_brought_to_the_pictures(tmp_path: Path, pictures: list[Picture]) -> None:
    width, height = SIZE
    for picture in pictures:
        picture.mask = np.zeros((height, width), bool)
        picture.mask[3:9, 4:9] = picture.label == 1
    measured = measure(tmp_path, pictures, full_size=True)
    wanted = pixel_metrics([p.mask for p in pictures], [resize_map(p.anomaly_map, SIZE) for p in pictures])
    assert measured.figures["pixel_auroc"] == wanted.auroc
    assert measured.figures["pixel_aupro"] == wanted.aupro
    assert measured.figures["pixel_aupro_legacy"] is None
    assert "size of the maps" in measured.reasons["pixel_aupro_legacy"]


def test_ignored_pixels_do_not_count(tmp_path: Path, pictures: list[Picture]) -> None:
    ignored = np.zeros((SIDE, SIDE), bool)
    ignored[:, :4] = True
    pictures[1].ignore = ignored
    measured = measure(tmp_path, pictures)
    everywhere = [p.ignore if p.ignore is not None else np.zeros((SIDE, SIDE), bool) for p in pictures]
    wanted = pixel_metrics([p.mask for p in pictures], [p.anomaly_map for p in pictures], ignore=everywhere)
    assert measured.figures["pixel_ap"] == wanted.ap
    assert measured.figures["pixel_aupro"] == wanted.aupro
    assert "ignore" in measured.reasons["pixel_aupro_legacy"]


def test_a_defect_that_nobody_drew_counts_for_the_image_only(tmp_path: Path, pictures: list[Picture]) -> None:
    pictures[3].mask = None
    measured = measure(tmp_path, pictures)
    drawn = [p for p in pictures if p.mask is not None]
    assert (
        measured.figures["pixel_auroc"] == pixel_metrics([p.mask for p in drawn], [p.anomaly_map for p in drawn]).auroc
    )
    assert (
        measured.figures["image_auroc"] == image_metrics([p.label for p in pictures], [p.score for p in pictures]).auroc
    )
    assert measured.notes == ("1 abnormal picture has no mask: image figures only",)


def test_without_any_mask_there_are_image_figures_only(tmp_path: Path, pictures: list[Picture]) -> None:
    for picture in pictures:
        picture.mask = None if picture.label else picture.mask
    measured = measure(tmp_path, pictures)
    assert measured.figures["pixel_auroc"] is None
    assert measured.reasons["pixel_auroc"] == "no abnormal test picture has a mask"
    assert measured.figures["image_auroc"] is not None
    assert set(measured.curves) == {"image_roc", "image_pr"}
    assert measured.notes == ()


def test_without_normal_pictures_there_are_pixel_figures_only(tmp_path: Path, pictures: list[Picture]) -> None:
    measured = measure(tmp_path, [picture for picture in pictures if picture.label])
    assert {name for name, value in measured.figures.items() if value is None} == {
        "image_auroc",
        "image_ap",
        "image_f1_max",
    }
    assert measured.reasons["image_ap"] == "there is no normal test picture"
    assert measured.interval is None
    assert measured.thresholds["image"] is None


def test_without_abnormal_pictures_there_are_no_figures(tmp_path: Path, pictures: list[Picture]) -> None:
    measured = measure(tmp_path, [picture for picture in pictures if not picture.label])
    assert set(measured.figures.values()) == {None}
    assert set(measured.reasons) == set(measured.figures)


def test_masks_that_may_be_black_on_white_are_told(tmp_path: Path, pictures: list[Picture]) -> None:
    pictures[1].mask = ~pictures[1].mask
    assert measure(tmp_path, pictures).notes == (
        "1 mask marks nearly a whole picture as defect: are they black on white?",
    )


def test_masks_that_vanish_at_the_maps_size_are_told(tmp_path: Path, pictures: list[Picture]) -> None:
    pictures[1].mask = np.zeros((SIDE, SIDE), bool)
    assert measure(tmp_path, pictures).notes == (
        "1 mask is empty at 12 x 12 pixels, where all pixels then count as normal",
    )
    for picture in pictures:
        picture.mask = np.zeros((SIDE, SIDE), bool)
    assert "no defect pixel is left" in measure(tmp_path, pictures).reasons["pixel_aupro"]


def test_a_rule_that_gives_no_number_gives_none(tmp_path: Path, pictures: list[Picture]) -> None:
    for picture in pictures:
        picture.anomaly_map = np.ones((SIDE, SIDE), np.float32)
    measured = measure(tmp_path, pictures)
    assert measured.figures["pixel_auroc"] == 0.5
    assert measured.figures["pixel_aupro_legacy"] is None
    assert "no number" in measured.reasons["pixel_aupro_legacy"]
