from oddlens.data import open_dataset, read_ignore, read_mask
from tests.data.small_roads import cityscapes, frame, labels, lost_and_found
from tests.data.small_sets import facts

PLACES = {"train": "01_Hanns_Klemm_Str_45", "test": "04_Maurener_Weg_8"}


def image(split, number):
    return f"leftImg8bit/{split}/{PLACES[split]}/{PLACES[split]}_000000_{number}_leftImg8bit.png"


def test_obstacles_make_a_frame_abnormal_and_one_where_nothing_counts_says_nothing(tmp_path):
    dataset = open_dataset(lost_and_found(tmp_path))
    drawn = image("test", "000030").replace("leftImg8bit/", "gtCoarse/").replace("_leftImg8bit", "_gtCoarse_labelIds")
    name = tmp_path.name
    assert facts(dataset.select(split="test"), tmp_path) == {
        (image("test", "000030"), name, "test", "anomaly", drawn),
        (image("test", "000040"), name, "test", "good", None),
    }
    assert [record.image.name[-22:-16] for record in dataset.select(split="unlabelled")] == ["000050"]
    assert [record.label for record in dataset.select(split="train")] == [1]
    assert dataset.problems == ()


def test_only_the_free_road_and_its_obstacles_count(tmp_path):
    record = open_dataset(lost_and_found(tmp_path)).select(split="test", label=1).records[0]
    assert [bool(column) for column in read_mask(record)[0, ::6]] == [False, False, True]
    assert [bool(column) for column in read_ignore(record)[0, ::6]] == [True, False, False]


def test_training_ids_are_read_where_there_are_no_label_ids(tmp_path):
    stem = f"{PLACES['test']}_000000_000030"
    frame(tmp_path / "leftImg8bit" / "test" / PLACES["test"] / f"{stem}_leftImg8bit.png")
    labels(tmp_path / "gtCoarse" / "test" / PLACES["test"] / f"{stem}_gtCoarse_labelTrainIds.png", 0, 1, 2, 255)
    (record,) = open_dataset(tmp_path)
    assert read_mask(record)[0, ::4].tolist() == [False, False, True, False]
    assert read_ignore(record)[0, ::4].tolist() == [True, False, False, True]


def test_a_frame_without_labels_is_left_out_and_reported(tmp_path):
    frame(lost_and_found(tmp_path) / image("train", "000999"))
    dataset = open_dataset(tmp_path)
    assert [(each.kind, each.path.name[-22:-16]) for each in dataset.problems] == [("mask-missing", "000999")]
    assert len(dataset) == 4


def test_a_label_file_that_cannot_be_read_is_reported_and_its_frame_unlabelled(tmp_path):
    (file,) = (lost_and_found(tmp_path) / "gtCoarse" / "train").rglob("*.png")
    file.write_bytes(b"no image")
    dataset = open_dataset(tmp_path)
    assert [(each.kind, each.path) for each in dataset.problems] == [("mask-unreadable", file)]
    assert len(dataset.select(split="train")) == 0
    assert len(dataset.select(split="unlabelled")) == 2


def test_the_coarse_labels_of_cityscapes_are_not_taken_for_it(tmp_path):
    (cityscapes(tmp_path) / "gtCoarse" / "train" / "aachen").mkdir(parents=True)
    assert open_dataset(tmp_path).layout == "cityscapes"
