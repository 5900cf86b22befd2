"""Frames to learn from: what of a data set, and the views that are cut from a frame."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from oddlens.data.contents import TrainingImages
from oddlens.data.dataset import Dataset
from oddlens.data.open import open_dataset
from oddlens.errors import DataError
from oddlens.training.vl4ad_scenes import Crops, RecordScenes, other_colours
from tests.data.small_roads import camvid_ood, cityscapes, street_hazards
from tests.small_streets import frame

FILL = (10, 20, 30)


def crops(size: tuple[int, int] = (32, 64), short_side: tuple[int, int] = (64, 64), colour: bool = False) -> Crops:
    return Crops(size, short_side, colour, FILL)


def test_a_view_at_the_frames_own_scale_is_a_part_of_it_mirrored_or_not() -> None:
    pixels, classes = frame()
    mirrored = 0
    for seed in range(12):
        view, numbers = crops().cut(pixels, classes, np.random.default_rng(seed))
        assert view.shape == (32, 64, 3)
        found = [
            (top, left, way)
            for way in (1, -1)
            for top in range(33)
            for left in range(33)
            if np.array_equal(pixels[top, left : left + 64][::way], view[0])
            and np.array_equal(pixels[top : top + 32, left : left + 64][:, ::way], view)
        ]
        ((top, left, way),) = found
        assert np.array_equal(classes[top : top + 32, left : left + 64][:, ::way], numbers)
        mirrored += way == -1
    assert 1 < mirrored < 11


def test_a_frame_is_scaled_before_it_is_cut_and_classes_are_never_mixed() -> None:
    pixels, classes = frame()
    sizes = set()
    for seed in range(8):
        view, numbers = crops((64, 96), (20, 60)).cut(pixels, classes, np.random.default_rng(seed))
        assert set(np.unique(numbers)) <= {0, 1, 2, 255}
        outside = (view == FILL).all(axis=-1)
        assert (numbers[outside] == 255).all()
        sizes.add(int((~outside).sum()))
    assert len(sizes) > 3


def test_a_frame_that_is_smaller_lies_in_a_plain_field() -> None:
    pixels, classes = frame()
    view, numbers = crops((96, 128)).cut(pixels, classes, np.random.default_rng(1))
    inside = np.zeros((96, 128), bool)
    inside[:64, :96] = True
    if not np.array_equal((view != FILL).any(axis=-1), inside):
        inside = inside[:, ::-1]
    assert np.array_equal((view != FILL).any(axis=-1), inside)
    assert (numbers[~inside] == 255).all()


def test_a_view_shows_something_that_counts_where_there_is_some() -> None:
    pixels, classes = frame(height=64, width=512)
    classes[:, :400] = 255
    views = [crops().cut(pixels, classes, np.random.default_rng(seed)) for seed in range(20)]
    assert np.mean([(numbers != 255).any() for _, numbers in views]) > 0.9


def test_the_same_draw_gives_the_same_view_and_colours_are_drawn_last() -> None:
    pixels, classes = frame()
    first, again = (crops(colour=True).cut(pixels, classes, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], crops().cut(pixels, classes, np.random.default_rng(3))[0])


def test_other_colours_are_other_and_stay_pictures() -> None:
    pixels, _ = frame()
    drawn = [other_colours(pixels, np.random.default_rng(seed)) for seed in range(40)]
    assert all(each.dtype == np.uint8 and each.shape == pixels.shape for each in drawn)
    changes = [np.abs(each.astype(float) - pixels).mean() for each in drawn]
    assert max(changes) > 20
    assert min(changes) < 3  # by chance nothing is drawn, and hue and saturation round


class TestRecords:
    def test_frames_with_class_labels_outside_of_the_test(self, shared: Path) -> None:
        dataset = open_dataset(shared / "data" / "camvid_ood")
        scenes = RecordScenes(dataset)
        assert scenes.classes == ("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car")
        assert len(scenes) == 204
        assert len(RecordScenes(dataset, ["train"])) == 20
        pixels, classes = scenes.frame(30)
        assert pixels.shape[:2] == classes.shape
        assert set(np.unique(classes)) <= {*range(9), 255}
        told = scenes.metadata()
        assert (told["name"], told["layout"], told["frames"]) == ("camvid_ood", "camvid-ood", 204)
        images = [record.image for record in dataset if record.split in ("train", "unlabelled")]
        assert told["images_sha256"] == TrainingImages(images).sha256()

    def test_a_label_file_that_cannot_be_read_ends_it(self, tmp_path: Path) -> None:
        root = street_hazards(tmp_path)
        assert RecordScenes(open_dataset(root), ["test"]).left_out == 0
        record = next(record for record in open_dataset(root) if record.split == "test")
        assert record.classes is not None
        record.classes.write_bytes(b"")
        with pytest.raises(DataError, match=record.classes.name):
            RecordScenes(open_dataset(root), ["test"])
        assert len(RecordScenes(open_dataset(root), ["train"]))

    @pytest.mark.parametrize("write", [cityscapes, camvid_ood])
    def test_frames_without_a_label_file_are_counted(self, write: Callable[[Path], Path], tmp_path: Path) -> None:
        root = write(tmp_path)
        splits = sorted({record.split for record in open_dataset(root) if record.classes is not None})
        frames = RecordScenes(open_dataset(root), splits)
        record = next(record for record in open_dataset(root) if record.classes is not None)
        assert record.classes is not None
        record.classes.unlink()
        fewer = RecordScenes(open_dataset(root), splits)
        assert (len(fewer), fewer.left_out) == (len(frames) - 1, frames.left_out + 1)

    def test_a_set_without_class_labels_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="has no frames with class labels in train or unlabelled"):
            RecordScenes(Dataset(tmp_path, "folder", ()))
