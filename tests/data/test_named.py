"""Data sets under the names that their results carry."""

import json
import shutil
from pathlib import Path

import pytest

from oddlens.errors import UsageError
from oddlens.evaluation import open_sources
from tests.evaluation.tiny_set import write_set


def test_a_data_set_is_called_like_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    assert [source.name for source in open_sources([tmp_path / "mine"])] == ["mine"]
    assert [source.name for source in open_sources(["."])] == ["mine"]
    assert [source.name for source in open_sources(["../mine/bolt"])] == ["bolt"]


def test_a_listing_gives_its_own_name_except_meta_json(tmp_path: Path) -> None:
    write_set(tmp_path / "mine")
    row = {"image": "bolt/test/good/000.png", "label": 0, "category": "bolt"}
    (tmp_path / "mine" / "short.jsonl").write_text(json.dumps(row) + "\n")
    record = {"img_path": "bolt/test/good/000.png", "mask_path": "", "specie_name": "good", "anomaly": 0}
    (tmp_path / "mine" / "meta.json").write_text(json.dumps({"train": {"bolt": []}, "test": {"bolt": [record]}}))
    assert open_sources([tmp_path / "mine" / "short.jsonl"])[0].name == "short"
    assert open_sources([tmp_path / "mine" / "meta.json"])[0].name == "mine"


def test_two_data_sets_of_one_name_are_refused(tmp_path: Path) -> None:
    first, second = write_set(tmp_path / "a" / "mine"), write_set(tmp_path / "b" / "mine")
    with pytest.raises(UsageError, match="same name"):
        open_sources([first, second])


def test_none_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="no data set"):
        open_sources([])


def test_pictures_without_a_label_are_no_test_pictures(tmp_path: Path) -> None:
    write_set(tmp_path)
    rows = [
        {"image": "bolt/test/good/000.png", "label": 0},
        {"image": "bolt/test/good/001.png", "split": "unlabelled"},
        {"image": "bolt/test/block/000.png", "label": 1},
        {"image": "bolt/train/good/001.png", "label": 0, "split": "train"},
        {"image": "bolt/train/good/000.png", "label": 0, "split": "train"},
        {"image": "bolt/test/block/001.png", "label": 1, "split": "train"},
    ]
    listing = tmp_path / "some.jsonl"
    listing.write_text("".join(json.dumps(row | {"category": "bolt"}) + "\n" for row in rows))
    source = open_sources([listing])[0]
    assert [record.image.name for record in source.tests("bolt")] == ["000.png", "000.png"]
    assert list(source.normals("bolt")) == ["bolt/train/good/000.png", "bolt/train/good/001.png"]


def test_test_images_that_are_training_images_can_be_left_out(tmp_path: Path) -> None:
    root = write_set(tmp_path / "mine")
    shutil.copy(root / "bolt/train/good/001.png", root / "bolt/test/good/001.png")
    shutil.copy(root / "bolt/train/good/001.png", root / "metal_nut/test/good/001.png")  # not of its own category
    (whole,) = open_sources([root])
    clean = whole.without_copies()
    assert clean.names_left_out("bolt") == ["bolt/test/good/001.png"]
    assert whole.names_left_out("bolt") == clean.names_left_out("metal_nut") == []
    assert len(clean.tests("bolt")) == len(whole.tests("bolt")) - 1
    assert clean.tests("metal_nut") == whole.tests("metal_nut")
    assert clean.dataset == whole.dataset
