import shutil

from oddlens.data import open_dataset
from tests.data.small_roads import fishyscapes_static, frame, labels
from tests.data.small_sets import facts

STEM = "0000_frankfurt_000001_046504"


def test_every_version_is_a_category(tmp_path):
    dataset = open_dataset(fishyscapes_static(tmp_path))
    assert dataset.problems == ()
    second = STEM.replace("0000_f", "0001_f")
    assert facts(dataset, tmp_path) == {
        (f"fs_static_images_v1/{STEM}_rgb.png", "fs_val_v1", "test", "anomaly", f"fs_val_v1/{STEM}_labels.png"),
        (f"fs_static_images_v1/{second}_rgb.png", "fs_val_v1", "test", "good", None),
        (f"fs_static_images_v2/{STEM}_rgb.png", "fs_val_v2", "test", "anomaly", f"fs_val_v2/{STEM}_labels.png"),
    }
    assert len(open_dataset(tmp_path / "fs_val_v2")) == 1


def test_pictures_may_lie_beside_their_labels(tmp_path):
    image = frame(tmp_path / "fs_val_v3" / f"{STEM}_rgb.jpg")
    labels(tmp_path / "fs_val_v3" / f"{STEM}_labels.png", 0, 1)
    assert [record.image for record in open_dataset(tmp_path)] == [image]


def test_pictures_that_have_not_been_made_yet_are_reported(tmp_path):
    shutil.rmtree(fishyscapes_static(tmp_path) / "fs_static_images_v1")
    (tmp_path / "fs_val_v1" / f"{STEM}_rgb.npz").write_bytes(b"a difference")
    problems = open_dataset(tmp_path).problems
    assert [each.kind for each in problems] == ["image-missing"] * 2
    assert "add its difference to the frame of Cityscapes" in problems[0].sentence
