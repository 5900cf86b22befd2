"""Cells as files: kept whole, used again only with the same settings."""

import json
import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from oddlens.detection import RegionOfInterest
from oddlens.detector import Detector
from oddlens.errors import UsageError
from oddlens.evaluation import Benchmark, Key, Variant
from oddlens.evaluation.cell_results import read_cell, write_cell
from tests.evaluation.tiny_set import make_plan
from tests.mutations import mutate_json


def one_of(finished: Benchmark) -> Key:
    return Key("parts", "bolt", "winclip", Variant(2, 1))


def test_a_cell_comes_back_as_it_was_written(finished: Benchmark, tmp_path: Path) -> None:
    cell = finished.cells[one_of(finished)]
    write_cell(tmp_path / "cell.json", cell)
    assert read_cell(tmp_path / "cell.json", cell.settings) == cell


def test_a_cell_that_the_version_before_wrote_opens() -> None:
    path = Path(__file__).parents[1] / "fixtures" / "cell_3" / "winclip-2shot-seed0.json"
    written = json.loads(path.read_text())
    cell = read_cell(path, written["settings"])
    assert cell is not None
    read = json.loads(json.dumps(asdict(cell)))
    assert not any(score.pop("unseen") for score in read["scores"]), "it knew none"
    assert read == {name: value for name, value in written.items() if name != "sha256"}
    assert (cell.figures["image_auroc"], cell.evaluated_at, len(cell.scores)) == (1.0, (40, 40), 2)


def test_a_cell_that_was_edited_is_damaged(finished: Benchmark, tmp_path: Path) -> None:
    cell, path, rng = finished.cells[one_of(finished)], tmp_path / "cell.json", random.Random(11)
    write_cell(path, cell)
    sound = json.loads(path.read_text())
    for _ in range(50):
        changed = json.loads(mutate_json(sound, rng, text=False))
        if isinstance(changed, dict) and (changed := changed | {"settings": sound["settings"]}) != sound:
            path.write_text(json.dumps(changed))
            with pytest.raises(UsageError, match="is damaged: delete it"):
                read_cell(path, cell.settings)


def test_a_cell_that_cannot_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read \(.*\): change its permissions, or give another --out"):
        read_cell(tmp_path, {})


def test_a_cell_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_cell(tmp_path / "cell.json", {}) is None


def test_cells_lie_by_data_set_category_method_and_variant(tmp_path: Path) -> None:
    key = Key("my parts", "a/b", "winclip", Variant(4, 2))
    assert key.path(tmp_path) == tmp_path / "cells" / "my parts" / "a%2Fb" / "winclip-4shot-seed2.json"


def test_settings_say_what_the_numbers_depend_on(finished: Benchmark) -> None:
    settings = finished.cells[one_of(finished)].settings
    assert settings["object_name"] == "bolt"
    assert settings["recipe"]["temperature"] == 0.07
    assert len(settings["references"]) == 2
    assert all(reference.startswith("bolt/train/good/") for reference in settings["references"])
    assert all(len(settings[name]) == 64 for name in ("model_sha256", "data_sha256"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda detector: setattr(detector, "roi", RegionOfInterest(include=(((0, 0), (1, 0), (1, 1)),))), "roi"),
        (lambda detector: detector.set_thresholds(image=0.3), "thresholds"),
    ],
)
def test_what_was_set_on_a_detector_by_hand_makes_another_cell(
    change: Callable[[Detector], object], named: str, finished: Benchmark, small_set: Path, open_clip_folder: Path
) -> None:
    plan = make_plan(small_set, open_clip_folder)
    change(plan.detectors[0])
    with pytest.raises(UsageError, match=rf"other settings \({named}\)"):
        Benchmark(plan, finished.out).open()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"object_name": "screw"}, "object_name"),
        ({"references": []}, "references"),
        ({"data_sha256": "0" * 64, "full_size": True}, "images of the data set, or what they show, full_size"),
        ({"recipe": {"image_size": 40, "temperature": 0.01}}, "recipe image_size, recipe temperature"),
        ({"component_sizes": "by-area", "full_size": True}, "full_size, component_sizes"),
    ],
)
def test_a_cell_made_otherwise_is_refused_and_the_difference_named(
    tmp_path: Path, finished: Benchmark, change: dict[str, object], named: str
) -> None:
    cell = finished.cells[one_of(finished)]
    settings = cell.settings | {"recipe": {"image_size": 80, "temperature": 0.07}}
    path = tmp_path / "cell.json"
    path.write_text(json.dumps({"settings": settings | change}))
    with pytest.raises(UsageError, match=rf"other settings \({named}\)"):
        read_cell(path, settings)


def test_a_cell_of_an_earlier_version_is_refused(tmp_path: Path, finished: Benchmark) -> None:
    settings = finished.cells[one_of(finished)].settings
    path = tmp_path / "cell.json"
    path.write_text(json.dumps({"settings": settings | {"cell_format": 1}}))
    with pytest.raises(UsageError, match="is of another version of oddlens"):
        read_cell(path, settings)


@pytest.mark.parametrize(
    "content", ["", '{"settings": ', "[]", "{}", '{"settings": []}', '{"settings": "x"}', "[" * 100_000]
)
def test_a_damaged_cell_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cell.json"
    path.write_text(content)
    with pytest.raises(UsageError, match="is damaged"):
        read_cell(path, {})


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ('"label": 1', '"label": 0'),
        ('"image_auroc": ', '"image_auroc": 0'),
        ('"shown": [', '"shown": ["x", '),
        ('"scores": [', '"scores": [1, '),
        ('"sha256": "', '"sha256": "0'),
    ],
)
def test_a_cell_that_does_not_say_what_was_written_is_refused(
    tmp_path: Path, finished: Benchmark, what: str, instead: str
) -> None:
    cell = finished.cells[one_of(finished)]
    path = tmp_path / "cell.json"
    write_cell(path, cell)
    text = path.read_text()
    assert what in text
    path.write_text(text.replace(what, instead, 1))
    with pytest.raises(UsageError, match="is damaged: delete it, and it is measured again"):
        read_cell(path, cell.settings)


@pytest.mark.parametrize("content", ["[]", "3", "null", "[" * 100_000, '{"settings": NaN}', '{"settings": []}'])
def test_a_file_that_is_no_cell_is_refused(tmp_path: Path, finished: Benchmark, content: str) -> None:
    path = tmp_path / "cell.json"
    path.write_text(content)
    with pytest.raises(UsageError, match="is damaged: delete it, and it is measured again"):
        read_cell(path, finished.cells[one_of(finished)].settings)
