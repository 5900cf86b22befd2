import pytest

from oddlens.data import LEGENDS, Dataset, Record, open_dataset
from oddlens.errors import DataError, UsageError
from tests.data.small_sets import mvtec


def test_selections_narrow_each_other(tmp_path):
    dataset = open_dataset(mvtec(tmp_path))
    assert len(dataset) == len(list(dataset)) == 6
    assert len(dataset.select(category="nut")) == 3
    assert len(dataset.select(category="nut", split="test")) == 2
    assert len(dataset.select(category="nut").select(split="test", label=0)) == 1


def test_a_split_that_the_set_lacks_is_empty(tmp_path):
    assert len(open_dataset(mvtec(tmp_path)).select(split="unlabelled")) == 0


def test_a_misspelt_category_or_split_is_reported_with_those_there_are(tmp_path):
    dataset = open_dataset(mvtec(tmp_path))
    with pytest.raises(UsageError, match=r'no category "botle", did you mean \'bottle\'\? It has bottle, nut'):
        dataset.select(category="botle")
    with pytest.raises(
        UsageError, match=r'"tests" is no split, did you mean \'test\'\? Choose one of train, validation, test'
    ):
        dataset.select(split="tests")


def street(tmp_path, category, legend):
    labels = tmp_path / "labels.png"
    return Record(tmp_path / "1.png", None, 0, category, "good", "train", labels, labels, legend)


def test_the_known_classes_are_those_of_the_label_files(tmp_path):
    records = [street(tmp_path, "a", "cityscapes"), street(tmp_path, "a", "cityscapes-train-ids")]
    assert Dataset(tmp_path, "by hand", tuple(records)).classes == LEGENDS["cityscapes"].names
    assert open_dataset(mvtec(tmp_path)).classes == ()


def test_sets_of_different_classes_must_be_taken_one_by_one(tmp_path):
    records = (street(tmp_path, "a", "cityscapes"), street(tmp_path, "b", "street-hazards"))
    both = Dataset(tmp_path, "by hand", records)
    with pytest.raises(DataError, match="select a category first"):
        both.classes  # noqa: B018 it is a property
    assert both.select("b").classes == LEGENDS["street-hazards"].names
