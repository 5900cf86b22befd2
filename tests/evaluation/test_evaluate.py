"""A job's cells: one pass through the towers, and the numbers that `detect` gives."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

import oddlens
from oddlens.backbone.backbone import Backbone
from oddlens.errors import OddlensError
from oddlens.evaluation import Benchmark, Key, Variant
from oddlens.evaluation.chunks import Chunks
from oddlens.evaluation.evaluate import CategoryScorer
from oddlens.evaluation.findings import CellFindings
from oddlens.evaluation.findings import finished as finished_cells
from oddlens.io.pixels import Pixels
from tests.evaluation.tiny_set import SIZE, make_plan, run_whole, write_set
from tests.tiny_layers import random_layers, write_authors_layers

FEW = Key("parts", "bolt", "winclip", Variant(2, 1))


def test_scores_are_those_of_detect_with_the_same_examples(
    finished: Benchmark, small_set: Path, open_clip_folder: Path
) -> None:
    cell = finished.cells[FEW]
    detector = oddlens.load("winclip", open_clip_folder)
    detector.add_references([small_set / path for path in cell.settings["references"]])
    found = detector.detect([small_set / score.path for score in cell.scores], "bolt")
    np.testing.assert_allclose([score.score for score in cell.scores], [each.score for each in found], atol=1e-6)
    assert cell.thresholds["calibrated"] == pytest.approx(found[0].threshold, abs=1e-6)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The images that went through the towers, as often as they did."""
    pictures: list[bytes] = []
    to_pixels = Backbone.to_pixels

    def counted(self: Backbone, batch: Sequence[Pixels], *look: Any) -> Tensor:
        pictures.extend(pixels.tobytes() for pixels in batch)
        return to_pixels(self, batch, *look)

    monkeypatch.setattr(Backbone, "to_pixels", counted)
    return pictures


def test_every_picture_runs_through_the_towers_once(
    small_set: Path, open_clip_folder: Path, tmp_path: Path, seen: list[bytes]
) -> None:
    run_whole(make_plan(small_set, open_clip_folder, shots=(0, 1, 2), seeds=(0, 1, 2)), tmp_path)
    assert len(seen) == len(set(seen)) == 2 * (3 + 3 + 3)


def test_chunks_that_are_kept_do_not_run_again_and_the_cells_are_the_same(
    open_clip_folder: Path, tmp_path: Path, seen: list[bytes]
) -> None:
    root = write_set(tmp_path / "parts", ("bolt",), normal=13, abnormal=4)
    plan, chunks = make_plan(root, open_clip_folder), Chunks(images=8)
    whole = run_whole(plan, tmp_path / "whole", chunks)
    benchmark = Benchmark(plan, tmp_path / "out")
    benchmark.open()
    (job,) = benchmark._jobs

    def score(advance: Callable[[int], None]) -> list[dict[Variant, CellFindings | OddlensError]]:
        scorer = CategoryScorer([job], plan, tmp_path / "out", chunks)
        assert scorer._detectors
        seen.clear()  # the references
        return scorer.score(range(17), advance, tmp_path / "kept")

    def stop(_: int) -> None:
        if len(seen) == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(stop)
    counted: list[int] = []
    (cells,) = finished_cells([job], score(counted.append))
    assert counted == [8, 8, 1]
    assert len(seen) == 1
    assert [vars(cell) | {"seconds": 0} for cell in cells.values()] == [
        vars(cell) | {"seconds": 0} for cell in whole.cells.values()
    ]


def test_methods_that_want_the_same_of_a_model_share_the_walk(
    small_set: Path, open_clip_folder: Path, tmp_path: Path, seen: list[bytes]
) -> None:
    first, second = (oddlens.load("winclip", open_clip_folder, temperature=value) for value in (0.07, 0.01))
    second.name = "winclip-sharp"
    done = run_whole(make_plan(small_set, open_clip_folder, shots=(0,), detectors=(first, second)), tmp_path)
    assert len(done.cells) == 2 * 2
    assert len(seen) == len(set(seen)) == 2 * (3 + 3)


def test_a_cell_does_not_depend_on_what_is_measured_with_it(
    finished: Benchmark, small_set: Path, open_clip_folder: Path, tmp_path: Path
) -> None:
    alone = run_whole(make_plan(small_set / "bolt", open_clip_folder, shots=(2,), seeds=(1,)), tmp_path)
    (cell,) = alone.cells.values()
    assert cell.figures == finished.cells[FEW].figures
    assert [score.score for score in cell.scores] == [score.score for score in finished.cells[FEW].scores]


def test_chunks_change_nothing_but_the_last_digits(
    finished: Benchmark, small_set: Path, open_clip_folder: Path, tmp_path: Path
) -> None:
    chunked = run_whole(make_plan(small_set, open_clip_folder), tmp_path, Chunks(images=4))
    for key, cell in finished.cells.items():
        ours, theirs = ([score.score for score in run.cells[key].scores] for run in (finished, chunked))
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
        assert chunked.cells[key].counts == cell.counts


def test_progress_is_reported_in_pictures(small_set: Path, open_clip_folder: Path, tmp_path: Path) -> None:
    benchmark = Benchmark(make_plan(small_set, open_clip_folder, shots=(0,)), tmp_path)
    benchmark.open()
    steps: list[int] = []
    list(benchmark.run(steps.append))
    assert sum(steps) == benchmark.pending == 12


@pytest.mark.parametrize(("full_size", "size"), [(False, (40, 40)), (True, SIZE)])
def test_raw_maps_lie_as_the_mvtec_evaluator_wants_them(
    small_set: Path, open_clip_folder: Path, tmp_path: Path, full_size: bool, size: tuple[int, int]
) -> None:
    plan = make_plan(small_set / "bolt", open_clip_folder, shots=(0,), maps=True, full_size=full_size)
    benchmark = run_whole(plan, tmp_path)
    (cell,) = benchmark.cells.values()
    folder = tmp_path / "maps" / "bolt" / "winclip-0shot" / "bolt" / "test"
    assert tmp_path / str(cell.maps) == folder
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.tiff")}
    assert found == {f"{defect}/{number:03}.tiff" for defect in ("good", "block") for number in range(3)}
    with Image.open(folder / "block" / "001.tiff") as tiff:
        assert (tiff.mode, tiff.size) == ("F", size)
        assert math.isfinite(np.asarray(tiff).max())
    assert cell.evaluated_at == (None if full_size else (40, 40))


@pytest.mark.parametrize("chunk", [32, 5])
def test_scores_of_a_set_are_those_of_the_whole_category(
    small_set: Path, open_clip_folder: Path, tmp_path: Path, chunk: int
) -> None:
    """Even where a chunk is a single image: six of them in chunks of five."""
    weights = write_authors_layers(tmp_path / "layers.pth", random_layers())
    detector = oddlens.load("april-gan", open_clip_folder, weights, image_score="transductive")
    plan = make_plan(small_set / "bolt", open_clip_folder, shots=(0, 2), seeds=(0,), detectors=(detector,))
    benchmark = run_whole(plan, tmp_path / "out", Chunks(images=chunk))
    (zero, few), pictures = benchmark.cells.values(), [small_set / "bolt" / path for path in _paths(benchmark)]
    alone = [each.score for each in detector.detect(pictures, "bolt")]
    np.testing.assert_allclose([each.score for each in zero.scores], alone, atol=1e-6)
    detector.add_references([small_set / "bolt" / path for path in few.settings["references"]])
    peaks = np.array(
        [
            each.anomaly_map.max()
            for each in detector.predict(detector.encode(pictures), "bolt", image_score="references")
        ]
    )
    expected = (alone + (peaks - peaks.min()) / (peaks.max() - peaks.min())) / 2
    np.testing.assert_allclose([each.score for each in few.scores], expected, atol=1e-5)
    assert few.thresholds["calibrated"] is None
    assert few.figures["image_auroc"] is not None


def _paths(benchmark: Benchmark) -> list[str]:
    return [score.path for score in next(iter(benchmark.cells.values())).scores]


def test_a_set_of_one_picture_is_skipped_with_the_reason(open_clip_folder: Path, tmp_path: Path) -> None:
    weights = write_authors_layers(tmp_path / "layers.pth", random_layers())
    detector = oddlens.load("april-gan", open_clip_folder, weights, image_score="transductive")
    root = write_set(tmp_path / "one", ["bolt"], train=1, normal=0, abnormal=1)
    benchmark = run_whole(make_plan(root, open_clip_folder, shots=(1,), detectors=(detector,)), tmp_path / "out")
    assert not benchmark.cells
    assert all("there is 1: give two or more" in skipped.reason for skipped in benchmark.skipped)


def test_no_map_is_left_where_none_was_requested(finished: Benchmark) -> None:
    assert sorted(path.name for path in finished.out.iterdir()) == ["cells", "picks"]
