"""The maps of scenes, held against the plain functions of oddlens.metrics."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from oddlens.detection import Detection, Thresholds, ValueRange, resize_map
from oddlens.evaluation.cell_results import CellResult
from oddlens.evaluation.map_file import MapFile
from oddlens.evaluation.pixel_evaluator import PixelEvaluator
from oddlens.evaluation.protocol import BY_AREA, Protocol
from oddlens.evaluation.truth import Truth
from oddlens.metrics import ComponentSizes, component_metrics, per_image_pixel_metrics, pixel_metrics

WIDTH, HEIGHT = 48, 32
SIZES = ComponentSizes(6, 3)


@dataclass
class Frame:
    """A frame of the test: a map of half its size, and what is true at its own."""

    anomaly_map: np.ndarray
    mask: np.ndarray
    ignore: np.ndarray | None

    @property
    def compared(self) -> np.ndarray:
        return resize_map(self.anomaly_map, (WIDTH, HEIGHT))

    @property
    def ignored(self) -> np.ndarray:
        return np.zeros_like(self.mask) if self.ignore is None else self.ignore


@pytest.fixture
def frames() -> list[Frame]:
    """Three frames with two objects each and one with none, on noise; a strip of two of them does not count."""
    generator = np.random.default_rng(4)
    made = []
    for number in range(4):
        mask = np.zeros((HEIGHT, WIDTH), bool)
        if number:
            mask[4:12, 5 * number : 5 * number + 6] = mask[20:22, 30 : 30 + number] = True
        anomaly_map = generator.random((HEIGHT // 2, WIDTH // 2)).astype(np.float32) + 0.4 * mask[::2, ::2]
        ignore = np.zeros_like(mask)
        ignore[:, 28:31] = True
        made.append(Frame(anomaly_map.astype(np.float32), mask, ignore if number % 2 else None))
    return made


def evaluate(folder: Path, frames: list[Frame], protocol: Protocol, *, at_maps: bool = False) -> CellResult:
    evaluator = PixelEvaluator(MapFile(folder), protocol)
    for frame in frames:
        found = Detection(0, frame.anomaly_map, (WIDTH, HEIGHT), Thresholds(), ValueRange(0, 1, "fixed"))
        step = 2 if at_maps else 1
        ignore = None if frame.ignore is None else frame.ignore[::step, ::step]
        evaluator.add(bool(frame.mask.any()), found, Truth(frame.mask[::step, ::step], ignore))
    evaluator.finish()
    result = CellResult(settings={}, counts={}, figures=dict.fromkeys(protocol.figures))
    evaluator.evaluate(result)
    return result


def of(frames: list[Frame]) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    return [each.mask for each in frames], [each.compared for each in frames], [each.ignored for each in frames]


def test_pixels_of_frames_are_compared_at_their_own_size(tmp_path: Path, frames: list[Frame]) -> None:
    result = evaluate(tmp_path, frames, Protocol(True, SIZES))
    masks, maps, ignored = of(frames)
    wanted = pixel_metrics(masks, maps, ignore=ignored)
    for name in ("auroc", "ap", "f1_max", "aupro", "fpr95"):
        assert result.figures[f"pixel_{name}"] == getattr(wanted, name)
    assert result.thresholds["pixel"] == wanted.f1_max_threshold


def test_components_are_those_at_the_best_threshold_of_all_frames(tmp_path: Path, frames: list[Frame]) -> None:
    result = evaluate(tmp_path, frames, Protocol(True, SIZES))
    masks, maps, ignored = of(frames)
    wanted = component_metrics(masks, maps, ignored, SIZES)
    assert wanted.n_true == 5  # two small ones lie under what is ignored, or are too small
    assert result.figures["component_siou"] == wanted.siou
    assert result.figures["component_ppv"] == wanted.ppv
    assert result.figures["component_f1_mean"] == wanted.f1_mean
    assert result.components == {"found_from": 6, "true_from": 3, "found": wanted.n_found, "true": 5}


def test_by_area_components_are_smaller_in_small_frames(tmp_path: Path, frames: list[Frame]) -> None:
    result = evaluate(tmp_path, frames, Protocol(True, BY_AREA))
    assert (result.components["found_from"], result.components["true_from"]) == (1, 1)


def test_where_no_component_is_large_enough_there_is_a_reason(tmp_path: Path, frames: list[Frame]) -> None:
    result = evaluate(tmp_path, frames, Protocol(True, ComponentSizes(1, 1000)))
    assert result.figures["component_siou"] is None
    assert result.reasons == {"component_siou": "no true component has 1000 pixels"}


def test_components_are_not_searched_in_maps(tmp_path: Path, frames: list[Frame]) -> None:
    result = evaluate(tmp_path, frames, Protocol(False, SIZES), at_maps=True)
    assert result.figures["pixel_ap"] is not None
    assert result.figures["component_f1_mean"] is None
    assert "sizes of components are those of frames" in result.reasons["component_f1_mean"]
    assert result.components == {}


def test_image_by_image_is_reported_beside_the_pooled_figures(tmp_path: Path, frames: list[Frame]) -> None:
    result = evaluate(tmp_path, frames, Protocol(True, SIZES, per_image=True))
    wanted = per_image_pixel_metrics(*of(frames))
    for name in ("auroc", "ap", "fpr95"):
        assert result.figures[f"pixel_{name}_per_image"] == getattr(wanted, name)
        assert result.figures[f"pixel_{name}_per_image"] != result.figures[f"pixel_{name}"]


def test_image_by_image_needs_an_image_with_both_kinds_of_pixels(tmp_path: Path, frames: list[Frame]) -> None:
    frames[1].mask[:] = True
    result = evaluate(tmp_path, frames[:2], Protocol(True, SIZES, per_image=True))
    assert result.figures["pixel_ap"] is not None
    assert result.reasons["pixel_ap_per_image"] == "no image has pixels of both kinds"


def test_without_anything_unknown_no_figure_is_defined_and_all_say_why(tmp_path: Path, frames: list[Frame]) -> None:
    protocol = Protocol(True, SIZES, per_image=True)
    result = evaluate(tmp_path, frames[:1], protocol)
    assert set(result.figures.values()) == {None}
    told = {name for name in protocol.figures if not name.startswith("image_")}
    assert result.reasons == dict.fromkeys(told, "no abnormal test image has a mask")
