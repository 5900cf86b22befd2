from oddlens.data import open_dataset, read_ignore, read_mask
from tests.data.small_roads import frame, labels, smiyc
from tests.data.small_sets import facts

OBSTACLES, ANOMALIES = "dataset_ObstacleTrack", "dataset_AnomalyTrack"


def test_the_frames_with_labels_are_test_and_the_others_unlabelled(tmp_path):
    dataset = open_dataset(smiyc(tmp_path))
    assert dataset.problems == ()
    assert dataset.categories == (ANOMALIES, OBSTACLES)
    drawn = f"{OBSTACLES}/labels_masks/validation_1_labels_semantic.png"
    assert facts(dataset.select(OBSTACLES), tmp_path) == {
        (f"{OBSTACLES}/images/validation_1.webp", OBSTACLES, "test", "anomaly", drawn),
        (f"{OBSTACLES}/images/gravel_axestump_2.webp", OBSTACLES, "unlabelled", "unknown", None),
    }


def test_1_is_unknown_and_255_does_not_count(tmp_path):
    (record,) = open_dataset(smiyc(tmp_path) / OBSTACLES).select(label=1)
    assert read_mask(record)[0, ::6].tolist() == [False, True, False]
    assert read_ignore(record)[0, ::6].tolist() == [True, False, False]


def test_a_frame_without_an_anomaly_is_normal(tmp_path):
    labels(smiyc(tmp_path) / ANOMALIES / "labels_masks" / "zebra0000_labels_semantic.png", 0, 255)
    assert [record.image.stem for record in open_dataset(tmp_path).select(label=0)] == ["zebra0000"]


def test_masks_in_which_255_marks_the_obstacle_are_a_fault(tmp_path):
    labels(smiyc(tmp_path) / OBSTACLES / "labels_masks" / "validation_1_labels_semantic.png", 0, 255, 0)
    dataset = open_dataset(tmp_path / OBSTACLES)
    (problem,) = dataset.problems
    assert (problem.kind, problem.path) == ("mask-empty", tmp_path / OBSTACLES / "labels_masks")
    assert problem.sentence.startswith(
        "no label file marks an anomaly, so that nothing can be measured: the values in "
    )
    assert problem.sentence.endswith(
        "(validation_1_labels_semantic.png) are 0, 255, and an anomaly is 1 here; pixels of 255 do not count: if they mark the "
        "anomalies, save them as 1"
    )
    assert not dataset.select(label=1).records


def test_of_many_such_masks_the_first_are_named(tmp_path):
    track = smiyc(tmp_path) / OBSTACLES
    black = labels(track / "labels_masks" / "validation_1_labels_semantic.png", 0)
    for number in range(2, 7):
        frame(track / "images" / f"validation_{number}.webp")
        labels(track / "labels_masks" / f"validation_{number}_labels_semantic.png", 0, 255)
    (problem,) = open_dataset(track).problems
    assert (
        "(validation_2_labels_semantic.png, validation_3_labels_semantic.png, validation_4_labels_semantic.png, and 2 more)"
        in problem.sentence
    )
    assert black.name not in problem.sentence


def test_one_mask_with_255_and_no_1_is_a_problem_beside_others(tmp_path):
    white = labels(smiyc(tmp_path) / ANOMALIES / "labels_masks" / "zebra0000_labels_semantic.png", 0, 255)
    (problem,) = open_dataset(tmp_path).problems
    assert (problem.kind, problem.path) == ("mask-empty", white)
    assert problem.sentence.endswith("its pixels of 255 do not count: if they mark one, save them as 1")
    labels(white, 0)
    assert open_dataset(tmp_path).problems == ()


def test_masks_of_another_name_belong_to_no_image(tmp_path):
    folder = smiyc(tmp_path) / OBSTACLES / "labels_masks"
    (folder / "validation_1_labels_semantic.png").rename(folder / "validation_1.png")
    (problem,) = open_dataset(tmp_path / OBSTACLES).problems
    assert (problem.kind, problem.path) == ("mask-orphan", folder / "validation_1.png")
    expected = "a mask of validation_1.webp is called validation_1_labels_semantic.png"
    assert problem.sentence.endswith(f"belongs to no image: {expected}")


def test_masks_without_an_image_say_what_it_would_be_called(tmp_path):
    folder = smiyc(tmp_path) / OBSTACLES / "labels_masks"
    labels(folder / "Lost_2_labels_semantic.png", 0, 1)
    labels(folder / "lost_3.png", 0, 1)
    told = {
        each.path.name: each.sentence.partition(" belongs to no image: ")[2] for each in open_dataset(tmp_path).problems
    }
    assert told == {
        "Lost_2_labels_semantic.png": "none is called Lost_2.*",
        "lost_3.png": "its name does not end in _labels_semantic",
    }
