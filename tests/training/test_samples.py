"""Which images a method learns from."""

import os
import shutil
from pathlib import Path

import pytest

from lab.synthetic import write_mvtec
from oddlens.data.contents import TrainingImages
from oddlens.data.named import open_sources
from oddlens.data.object_names import ObjectNames
from oddlens.errors import DataError
from oddlens.training.samples import SampleSet, gather_samples
from tests.data.small_sets import SMALL_SETS, images_and_masks, mask, masks_beside, picture
from tests.training.learning import write_category


def gather(*folders: Path, split: str = "test", names: ObjectNames | None = None) -> tuple[SampleSet, ...]:
    return gather_samples(open_sources(folders), split, "anovl", names)  # type: ignore[arg-type]


def test_it_learns_from_the_test_split_normal_and_abnormal(data: Path) -> None:
    (samples,) = gather(data)
    assert {sample.record.split for sample in samples.samples} == {"test"}
    assert (len(samples), samples.abnormal) == (11, 6)
    assert (
        samples.metadata().items()
        >= {"name": "data", "split": "test", "normal": 5, "abnormal": 6, "left_out": 0}.items()
    )


def test_it_keeps_hashes_of_the_images_that_it_learns_from(data: Path, tmp_path: Path) -> None:
    (data / "lid" / "ground_truth" / "spot" / "2_mask.png").unlink()
    (samples,) = gather(data)
    hashes = samples.metadata()["images_sha256"]
    assert hashes == TrainingImages(sample.record.image for sample in samples.samples).sha256()
    assert len(str(hashes)) == 17 * len(samples) - 1
    shutil.copytree(data, tmp_path / "elsewhere")
    (same,) = gather(tmp_path / "elsewhere")
    assert same.metadata()["images_sha256"] == hashes


def test_abnormal_pictures_that_nobody_has_drawn_are_left_out_and_counted(data: Path) -> None:
    (data / "lid" / "ground_truth" / "spot" / "2_mask.png").unlink()
    (samples,) = gather(data)
    assert (len(samples), samples.abnormal, samples.without_mask) == (10, 5, 1)
    assert samples.metadata()["left_out"] == 1


def learnable(layout: str, root: Path) -> Path:
    """A small set of a layout with a defect in its test split."""
    if layout == "images-and-masks":
        return images_and_masks(root)
    masks_beside(root)
    picture(root / "test" / "4.jpg")
    mask(root / "test" / "4_mask.png")
    return root


@pytest.mark.parametrize(("layout", "file"), [("images-and-masks", "masks/2.png"), ("masks-beside", "test/4_mask.png")])
def test_a_mask_that_cannot_be_read_ends_it_where_only_masks_say_what_images_show(
    layout: str, file: str, tmp_path: Path
) -> None:
    root = learnable(layout, tmp_path)
    whole = (root / file).read_bytes()
    (root / file).write_bytes(whole[:60])
    with pytest.raises(DataError, match=Path(file).name):
        gather(root)
    (root / file).write_bytes(whole)
    assert gather(root)[0].abnormal


def test_one_of_another_split_does_not(tmp_path: Path) -> None:
    root = learnable("masks-beside", tmp_path)
    (root / "train" / "2_mask.png").write_bytes(b"")
    assert len(gather(root)[0]) == 2
    with pytest.raises(DataError, match=r"2_mask\.png"):
        gather(root, split="train")


@pytest.mark.parametrize("layout", ["manifest", "coco"])
def test_a_listed_image_that_is_not_there_ends_it(layout: str, tmp_path: Path) -> None:
    root = SMALL_SETS[layout](tmp_path)
    (source,) = open_sources([root])
    missing = next(record.image for record in source.tests())
    missing.unlink()
    with pytest.raises(DataError, match=missing.name):
        gather(root)


def test_images_that_only_a_mask_would_label_are_counted(tmp_path: Path) -> None:
    root = images_and_masks(tmp_path)
    for name in ("3.png", "4.png"):
        picture(root / "images" / name)
    (samples,) = gather(root)
    assert (len(samples), samples.unlabelled) == (2, 2)
    assert samples.metadata()["left_out"] == 2


def test_several_data_sets_are_kept_apart(data: Path, tmp_path: Path) -> None:
    write_category(tmp_path / "other" / "tin", 1, 1)
    assert [(each.name, len(each)) for each in gather(data, tmp_path / "other")] == [("data", 11), ("other", 2)]


def test_objects_are_called_by_the_rule_of_the_authors_or_by_given_names(tmp_path: Path) -> None:
    write_category(tmp_path / "set" / "macaroni1", 1, 1)
    (samples,) = gather(tmp_path / "set")
    assert {sample.object_name for sample in samples.samples} == {"macaroni"}
    (samples,) = gather(tmp_path / "set", names=ObjectNames("noodle"))
    assert {sample.object_name for sample in samples.samples} == {"noodle"}


def test_generated_data_sets_can_be_learned_from(tmp_path: Path) -> None:
    write_mvtec(tmp_path / "made", ["ring"], seed=3, train_good=1, test_good=1, test_per_defect=1, size=64)
    (samples,) = gather(tmp_path / "made")
    assert samples.abnormal == len(samples) - 1 > 0


def test_another_split_can_be_chosen_and_one_without_defects_is_refused(data: Path) -> None:
    with pytest.raises(
        DataError, match=r"no image of data \(split 'train'\) is abnormal and has a mask: a method learns"
    ):
        gather(data, split="train")


def test_a_split_that_is_empty_is_refused(data: Path) -> None:
    with pytest.raises(DataError, match=r"data has no image to learn from in the split 'validation': .* train, test"):
        gather(data, split="validation")


def test_the_stamp_changes_with_the_pictures_and_not_with_the_place(data: Path, tmp_path: Path) -> None:
    stamp = gather(data)[0].stamp
    moved = data.rename(tmp_path / "moved")
    assert gather(moved)[0].stamp == stamp
    picture = moved / "lid" / "test" / "good" / "1.png"
    os.utime(picture, ns=(0, 0))
    assert gather(moved)[0].stamp != stamp
