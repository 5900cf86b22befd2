from oddlens.data import open_dataset, read_ignore, read_mask
from tests.data.small_roads import labels, smiyc
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
