"""Which files a cell was measured on, and which of them have other contents now."""

from pathlib import Path

from oddlens.data.named import open_sources
from oddlens.evaluation.measured_files import changed_files, measured_files
from tests.evaluation.tiny_set import write_set


def test_they_are_test_images_masks_and_good_examples_in_the_order_of_their_paths(tmp_path: Path) -> None:
    (source,) = open_sources([write_set(tmp_path / "parts", ["bolt"], normal=1, abnormal=2)])
    example = source.normals("bolt")["bolt/train/good/001.png"]
    assert [*map(source.relative, measured_files(source, source.tests("bolt"), [example]))] == [
        "bolt/ground_truth/block/000_mask.png",
        "bolt/ground_truth/block/001_mask.png",
        "bolt/test/block/000.png",
        "bolt/test/block/001.png",
        "bolt/test/good/000.png",
        "bolt/train/good/001.png",
    ]


def test_files_with_other_contents_are_counted_and_one_is_named() -> None:
    names = ["a.png", "b.png", "c.png"]
    before = ["00", "11", "22"]
    for now, said in (
        (["00", "11", "22"], ""),
        (["00", "33", "22"], "1 file (b.png)"),
        (["", "33", "22"], "2 files (a.png, and 1 more)"),
        (["00", "11"], "a folder of masks"),
    ):
        assert changed_files({"files_sha256": before}, {"files_sha256": now}, names) == said
    assert changed_files({}, {"files_sha256": before}, names) == ""
