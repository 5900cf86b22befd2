from oddlens.data import open_dataset
from tests.data.small_sets import covid, facts


def test_every_class_but_normal_is_a_defect_and_lung_masks_are_not_read(tmp_path):
    assert facts(open_dataset(covid(tmp_path)), tmp_path) == {
        ("Normal/images/Normal-1.png", tmp_path.name, "test", "good", None),
        ("COVID/images/COVID-1.png", tmp_path.name, "test", "COVID", None),
    }
