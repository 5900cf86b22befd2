from pathlib import Path

import cv2
import numpy as np
import pytest

from lab.synthetic import defects_of, write_mvtec
from oddlens.errors import UsageError


def files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_a_set_has_the_layout_of_mvtec_ad(tmp_path: Path) -> None:
    folders = write_mvtec(
        tmp_path, ["bead row", "woven surface"], 3, train_good=2, test_good=1, test_per_defect=1, size=64
    )
    assert folders == [tmp_path / "bead_row", tmp_path / "woven_surface"]
    assert {p.name for p in tmp_path.iterdir()} == {"bead_row", "woven_surface"}
    written = files(tmp_path / "bead_row")
    assert [p for p in written if p.startswith("train/")] == ["train/good/000.png", "train/good/001.png"]
    for defect in defects_of("bead row"):
        folder = defect.replace(" ", "_")
        image = cv2.imread(str(tmp_path / "bead_row" / "test" / folder / "000.png"))
        mask = cv2.imread(str(tmp_path / "bead_row" / "ground_truth" / folder / "000_mask.png"), cv2.IMREAD_UNCHANGED)
        assert image.shape == (64, 64, 3)
        assert mask.shape == (64, 64)
        assert set(np.unique(mask)) == {0, 255}
    assert len(written) == 2 + 1 + 2 * len(defects_of("bead row"))


def test_the_same_seed_writes_the_same_bytes_and_no_picture_twice(tmp_path: Path) -> None:
    for place in ("a", "b"):
        write_mvtec(tmp_path / place, ["crescent"], 1, train_good=2, test_good=2, test_per_defect=1, size=64)
    first, second = files(tmp_path / "a"), files(tmp_path / "b")
    assert first == second
    pictures = [data for name, data in first.items() if "ground_truth" not in name]
    assert len(set(pictures)) == len(pictures)


def test_what_is_there_already_is_kept(tmp_path: Path) -> None:
    (tmp_path / "arc").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        write_mvtec(tmp_path, ["arc"], 1, 1, 1, 1, 64)
    assert list((tmp_path / "arc").iterdir()) == []


def test_the_set_is_read_back_as_mvtec(tmp_path: Path) -> None:
    from oddlens.data import open_dataset

    write_mvtec(tmp_path, ["frame"], 2, train_good=2, test_good=1, test_per_defect=1, size=64)
    dataset = open_dataset(tmp_path)
    assert list(dataset.categories) == ["frame"]
