"""Road scenes from their folders to the figures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import oddlens
from oddlens.data import open_dataset, read_ignore, read_mask
from oddlens.encoding import EncodedBatch, Encoder, Prepared
from oddlens.evaluation import Benchmark, Key, Variant, summarise
from oddlens.evaluation.chunks import Chunks
from oddlens.evaluation.html_report import write_report
from oddlens.evaluation.markdown_tables import write_table
from oddlens.metrics import ComponentSizes, component_metrics, pixel_metrics, segmentation_metrics
from tests.evaluation.scenes import plan_of, street
from tests.evaluation.test_html_report import Page
from tests.evaluation.tiny_set import run_whole

CAMVID = Key("camvid-ood", "camvid", "vl4ad", Variant(0))


def test_every_road_layout_is_measured_for_every_method(scenes: Benchmark, roads: dict[str, Path]) -> None:
    assert scenes.skipped == []
    assert {(key.dataset, key.method) for key in scenes.cells} == {
        (layout, method) for layout in roads for method in ("winclip", "vl4ad")
    }
    for key, cell in scenes.cells.items():
        lacking = {name for name, value in cell.figures.items() if value is None}
        assert lacking == set(cell.reasons)
        assert cell.evaluated_at is None
        assert (cell.figures["pixel_fpr95"] is None) == (key.dataset == "cityscapes")  # it shows nothing unknown


def test_figures_are_those_of_the_plain_functions_on_what_detect_finds(
    scenes: Benchmark, roads: dict[str, Path], open_clip_folder: Path
) -> None:
    cell = scenes.cells[CAMVID]
    frames = open_dataset(roads["camvid-ood"]).select(split="test").records
    found = street(open_clip_folder).detect([frame.image for frame in frames])
    masks, maps = [read_mask(frame) for frame in frames], [each.heatmap() for each in found]
    ignored = [read_ignore(frame) for frame in frames]
    pixel = pixel_metrics(masks, maps, ignore=ignored)
    component = component_metrics(masks, maps, ignored, ComponentSizes(1, 1))
    assert cell.figures["pixel_ap"] == pytest.approx(pixel.ap, abs=1e-6)
    assert cell.figures["pixel_fpr95"] == pytest.approx(pixel.fpr95, abs=1e-6)
    assert cell.figures["component_f1_mean"] == pytest.approx(component.f1_mean, abs=1e-6)
    assert cell.components["true"] == component.n_true == 1


def test_known_classes_are_those_that_detect_finds(
    scenes: Benchmark, roads: dict[str, Path], open_clip_folder: Path
) -> None:
    data = open_dataset(roads["camvid-ood"]).select(split="test")
    found = street(open_clip_folder).detect([frame.image for frame in data])
    stripes = ([0] * 6 + [1] * 6 + [255] * 4, [0] * 6 + [255] * 10)
    truths = [np.tile(np.array(row, np.uint8), (12, 1)) for row in stripes]
    guesses = []
    for each in found:
        rows, columns = (np.arange(n) * m // n for n, m in zip((12, 16), each.labels.shape, strict=True))
        guesses.append(each.labels[np.ix_(rows, columns)])
    wanted = segmentation_metrics(truths, guesses, 2)
    cell = scenes.cells[CAMVID]
    assert cell.figures["miou"] == pytest.approx(wanted.miou)
    assert set(cell.class_iou) == {"sky", "road"}


def test_without_the_data_sets_classes_there_is_no_miou_and_a_reason(scenes: Benchmark) -> None:
    blind = scenes.cells[Key("camvid-ood", "camvid", "winclip", Variant(0))]
    assert (blind.figures["miou"], blind.reasons["miou"]) == (None, "the method recognises no classes")
    other = scenes.cells[Key("street-hazards", "street-hazards", "vl4ad", Variant(0))]
    assert other.reasons["miou"] == (
        "the method does not know 'unlabeled', 'building', 'fence', and 9 more of the data set's classes"
    )


def test_street_hazards_has_its_authors_figures_too(scenes: Benchmark) -> None:
    for key, cell in scenes.cells.items():
        assert ("pixel_ap_per_image" in cell.figures) == (key.dataset == "street-hazards")
    assert scenes.cells[Key("street-hazards", "street-hazards", "winclip", Variant(0))].figures["pixel_ap_per_image"]


def test_both_sizes_of_comparison_are_reported(finished: Benchmark, scenes: Benchmark) -> None:
    both = summarise(scenes.plan, finished.cells | scenes.cells, [])["evaluation"]["pixels_compared_at"]
    assert both.endswith("authors' rule; those of scenes with label files at each image's own size")
    assert summarise(scenes.plan, scenes.cells, [])["evaluation"]["pixels_compared_at"] == "each image's own size"


def test_components_and_classes_are_on_the_page(scenes: Benchmark) -> None:
    document = summarise(scenes.plan, scenes.cells, [])
    page = Page(write_report(document, scenes.cells))
    assert "components count from 10 true and 50 found pixels on" in page.text
    assert "intersection over union of the known classes" in page.text
    assert "pixel, image by image" in page.text
    assert "PRO (legacy)" not in page.text
    text = write_table(document)
    assert "camvid: no miou: the method recognises no classes" in text
    assert "pixel_aupro_legacy" not in text


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, roads: dict[str, Path], open_clip_folder: Path) -> Benchmark:
    """Zero-shot and one shot, of a method that takes good examples and one that does not."""
    detectors = oddlens.load("winclip", open_clip_folder), street(open_clip_folder)
    plan = plan_of([roads["camvid-ood"]], *detectors, shots=(0, 1))
    return run_whole(plan, tmp_path_factory.mktemp("runs") / "few")


def test_a_method_that_takes_no_good_examples_lacks_only_its_own_cells_with_examples(few: Benchmark) -> None:
    assert [(key.method, key.variant) for key in few.cells] == [
        ("winclip", Variant(0)),
        ("winclip", Variant(1, 0)),
        ("winclip", Variant(1, 1)),
        ("vl4ad", Variant(0)),
    ]
    assert [(skip.key.method, skip.key.variant.shots) for skip in few.skipped] == [("vl4ad", 1), ("vl4ad", 1)]
    assert all("takes no good examples" in skip.reason for skip in few.skipped)


def test_nothing_runs_for_cells_that_are_refused_anyway(few: Benchmark) -> None:
    again = Benchmark(few.plan, few.out)
    again.open()
    assert again.pending == 0
    assert len(again.skipped) == 2


def test_where_nobody_insists_they_are_no_part_of_the_plan(few: Benchmark) -> None:
    again = Benchmark(replace(few.plan, report_unsupported=False), few.out)
    again.open()
    assert again.pending == 0
    assert again.skipped == []


def test_of_large_frames_fewer_are_held_at_once(
    roads: dict[str, Path], open_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    encode_all = Encoder.encode_all

    def counted(self: Encoder, images: Sequence[Prepared], batch_size: int) -> list[EncodedBatch]:
        held.append(len(images))
        return encode_all(self, images, batch_size)

    monkeypatch.setattr(Encoder, "encode_all", counted)
    plan = plan_of([roads["road-anomaly"]], oddlens.load("winclip", open_clip_folder))
    (cell,) = run_whole(plan, tmp_path, Chunks(pixels=16 * 12, batch_size=2)).cells.values()
    assert held == [2, 1]
    assert len(cell.scores) == 3
