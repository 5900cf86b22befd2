import pytest

from oddlens.data import open_dataset, read_mask
from oddlens.errors import DataError
from tests.data.small_roads import frame, labels, road_anomaly
from tests.data.small_sets import facts


def test_the_list_names_the_frames_and_2_is_the_anomaly(tmp_path):
    dataset = open_dataset(road_anomaly(tmp_path))
    assert dataset.problems == ()
    drawn = "frames/tractor01.labels/labels_semantic.png"
    assert ("frames/tractor01.jpg", tmp_path.name, "test", "anomaly", drawn) in facts(dataset, tmp_path)
    assert [record.label for record in dataset] == [1, 1, 1]
    assert read_mask(dataset.records[0])[0, ::8].tolist() == [False, True]


def test_listed_frames_that_are_gone_and_frames_without_labels_are_reported(tmp_path):
    (road_anomaly(tmp_path) / "frames" / "tractor01.jpg").unlink()
    (tmp_path / "frames" / "road_works01.labels" / "labels_semantic.png").unlink()
    dataset = open_dataset(tmp_path)
    assert [(each.kind, each.path.name) for each in dataset.problems] == [
        ("mask-missing", "road_works01.jpg"),
        ("image-missing", "tractor01.jpg"),
    ]
    assert len(dataset) == 1


def test_as_others_handed_it_on_1_is_the_anomaly(tmp_path):
    frame(tmp_path / "original" / "a.jpg")
    frame(tmp_path / "original" / "b.jpg")
    labels(tmp_path / "labels" / "a.png", 0, 1)
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "road-anomaly"
    assert [read_mask(record)[0, ::8].tolist() for record in dataset] == [[False, True]]
    assert [(each.kind, each.path.name) for each in dataset.problems] == [("mask-missing", "b.jpg")]


@pytest.mark.parametrize("content", ["no json", '{"a": 1}', "[1]"])
def test_a_list_of_something_else_is_one_clear_error(tmp_path, content):
    (road_anomaly(tmp_path) / "frame_list.json").write_text(content)
    with pytest.raises(DataError, match=r"frame_list\.json .*: correct it"):
        open_dataset(tmp_path)
