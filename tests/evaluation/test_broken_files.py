"""A file of a data set that cannot be used takes the figures of its category, in every layout: they would be of another set."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.data import Record, open_dataset, write_manifest
from oddlens.data.layouts import LAYOUTS
from oddlens.errors import DataError
from oddlens.evaluation import Benchmark
from tests.data.small_sets import SMALL_SETS, mask, picture
from tests.evaluation.tiny_set import make_plan, run_whole, write_set

every_layout = pytest.mark.parametrize("layout", [each.name for each in LAYOUTS])
MASK_LESS = {"covid", "folder", "head-ct", "yes-no"}
"""The small sets without a mask."""


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def broaden(file: Path) -> None:
    with Image.open(file) as stored:
        values = np.repeat(np.asarray(stored), 2, axis=1)
    Image.fromarray(values).save(file)


def truth_of(record: Record) -> Path | None:
    return record.mask or record.classes or record.ignore


def victim(root: Path, layout: str) -> Record:
    """A test image, with a mask where the set has any; in layouts where only a mask labels images there is one more."""
    if layout == "images-and-masks":
        picture(root / "images" / "0.png")
        mask(root / "masks" / "0.png")
    tests = [record for record in open_dataset(root).select(split="test") if record.label is not None]
    return max(tests, key=lambda record: truth_of(record) is not None)


def measure(root: Path, model: Path, out: Path) -> Benchmark:
    return run_whole(make_plan(root, model, shots=[0], seeds=[0]), out)


def assert_no_figures(root: Path, model: Path, out: Path, category: str) -> None:
    try:
        run = measure(root, model, out)
    except DataError:  # the file is the whole listing
        return
    assert category not in {key.category for key in run.cells}
    assert category in {skip.key.category for skip in run.skipped if not skip.by_nature}


@every_layout
def test_an_image_that_cannot_be_read(layout: str, tmp_path: Path, open_clip_folder: Path) -> None:
    root = SMALL_SETS[layout](tmp_path)
    record = victim(root, layout)
    assert measure(root, open_clip_folder, tmp_path / "sound").cells
    cut(record.image)
    assert_no_figures(root, open_clip_folder, tmp_path / "out", record.category)


@every_layout
@pytest.mark.parametrize("damage", [cut, broaden])
def test_a_mask_that_cannot_be_used(
    layout: str, damage: Callable[[Path], None], tmp_path: Path, open_clip_folder: Path
) -> None:
    root = SMALL_SETS[layout](tmp_path)
    record, file = victim(root, layout), truth_of(victim(root, layout))
    if file is None:
        assert layout in MASK_LESS
        return
    if damage is broaden and file.suffix == ".json":
        pytest.skip("shapes have the size that their file states")
    damage(file)
    assert_no_figures(root, open_clip_folder, tmp_path / "out", record.category)


@pytest.mark.parametrize(
    ("layout", "file"), [("kolektor-sdd", "kos01/Part0_label.bmp"), ("kolektor-sdd2", "test/10000_GT.png")]
)
def test_the_black_mask_of_a_normal_image_that_cannot_be_read(
    layout: str, file: str, tmp_path: Path, open_clip_folder: Path
) -> None:
    root = SMALL_SETS[layout](tmp_path)
    cut(root / file)
    assert_no_figures(root, open_clip_folder, tmp_path / "out", root.name)


def test_every_variant_and_method_says_it_of_a_mask(tmp_path: Path, open_clip_folder: Path) -> None:
    root = write_set(tmp_path / "parts", ("bolt",))
    cut(root / "bolt" / "ground_truth" / "block" / "002_mask.png")
    detectors = tuple(oddlens.load(name, open_clip_folder) for name in ("winclip", "patch-knn"))
    run = run_whole(make_plan(root, open_clip_folder, shots=(2,), detectors=detectors), tmp_path / "out")
    assert not run.cells
    assert len(run.skipped) == 4
    assert all("002_mask.png" in skip.reason for skip in run.skipped)


def test_a_listed_good_example_that_is_not_there_gives_no_other_one_its_place(
    tmp_path: Path, open_clip_folder: Path
) -> None:
    root = write_set(tmp_path / "parts", ("bolt", "nut"))
    write_manifest(open_dataset(root), root / "list.jsonl")
    (root / "bolt" / "train" / "good" / "002.png").unlink()
    run = run_whole(make_plan(root / "list.jsonl", open_clip_folder, shots=(0, 1), seeds=(0,)), tmp_path / "out")
    assert {(key.category, key.variant.shots) for key in run.cells} == {("bolt", 0), ("nut", 0), ("nut", 1)}
    (skip,) = run.skipped
    assert (skip.key.category, skip.key.variant.shots) == ("bolt", 1)
    assert "list.jsonl lists" in skip.reason
    assert "bolt/train/good/002.png" in skip.reason.replace("\\", "/")


@pytest.mark.parametrize(("split", "figures"), [("test", set()), ("train", {0})])
def test_a_row_that_says_not_what_its_image_shows(
    split: str, figures: set[int], tmp_path: Path, open_clip_folder: Path
) -> None:
    """It takes the figures that its image would be a part of: those of all shots, or those with good examples."""
    root = write_set(tmp_path / "parts", ("bolt",))
    write_manifest(open_dataset(root), root / "list.jsonl")
    rows = (root / "list.jsonl").read_text().splitlines()
    faulty = next(number for number, row in enumerate(rows) if f'"split": "{split}"' in row)
    rows[faulty] = rows[faulty].replace('"label": 0', '"label": "gut"').replace('"label": 1', '"label": "defekt"')
    (root / "list.jsonl").write_text("\n".join(rows))
    run = run_whole(make_plan(root / "list.jsonl", open_clip_folder, shots=(0, 1), seeds=(0,)), tmp_path / "out")
    assert {key.variant.shots for key in run.cells} == figures
    assert all(f"line {faulty + 1} of " in skip.reason for skip in run.skipped)
    assert run.skipped


LISTED = {"manifest", "meta-json", "real-iad", "coco"}
"""Layouts in which a listing names the mask: one that is not there cannot be read."""


@every_layout
def test_a_mask_that_is_not_there(layout: str, tmp_path: Path, open_clip_folder: Path) -> None:
    root = SMALL_SETS[layout](tmp_path)
    record = victim(root, layout)
    file = truth_of(record)
    if file is None or layout == "coco":
        return
    if layout in ("dagm", "fishyscapes-laf", "fishyscapes-static"):
        pytest.skip(
            "nothing tells that a label file is missing: DAGM's normal images have none, Fishyscapes' list the frames"
        )
    if file.is_dir():
        file = next(file.iterdir())
    file.unlink()
    if layout in LISTED:
        assert_no_figures(root, open_clip_folder, tmp_path / "out", record.category)
        return
    run = measure(root, open_clip_folder, tmp_path / "out")
    cells = [cell for key, cell in run.cells.items() if key.category == record.category]
    if not cells:
        assert record.category in {skip.key.category for skip in run.skipped}
    for cell in cells:
        # Its label is known, and its pixels count no more; or it is left out, which the notes say.
        known = cell.counts["drawn"] < cell.counts["abnormal"] or layout in ("camvid-ood", "cityscapes")
        assert known or any("without a mask is left out" in note for note in cell.notes)


@pytest.mark.parametrize(
    "layout", ["manifest", "meta-json", "real-iad", "coco", "visa", "head-ct", "road-anomaly", "fishyscapes-laf"]
)
def test_a_listed_image_that_is_not_there(layout: str, tmp_path: Path, open_clip_folder: Path) -> None:
    root = SMALL_SETS[layout](tmp_path)
    record = victim(root, layout)
    record.image.unlink()
    run = measure(root, open_clip_folder, tmp_path / "out")
    assert not [key for key in run.cells if key.category == record.category]


@pytest.mark.parametrize("layout", ["images-and-masks", "kolektor-sdd2", "lost-and-found", "street-hazards"])
def test_images_that_only_a_mask_would_label_are_counted_in_notes_and_remarks(
    layout: str, tmp_path: Path, open_clip_folder: Path
) -> None:
    root = SMALL_SETS[layout](tmp_path)
    record = victim(root, layout)
    file = truth_of(record)
    assert file is not None
    file.unlink()
    run = measure(root, open_clip_folder, tmp_path / "out")
    name = record.image.relative_to(root).as_posix()
    note = f"1 test image without a mask is left out ({name}): only a mask says what an image shows here"
    assert {note in cell.notes for cell in run.cells.values()} == {True}
    assert f"{record.category} of {root.name}: {note}" in run.remarks
