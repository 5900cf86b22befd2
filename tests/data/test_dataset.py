import pytest

from oddlens.data import open_dataset
from oddlens.errors import UsageError

from .small_sets import mvtec


def test_selections_narrow_each_other(tmp_path):
    dataset = open_dataset(mvtec(tmp_path))
    assert len(dataset) == len(list(dataset)) == 6
    assert len(dataset.select(category="nut")) == 3
    assert len(dataset.select(category="nut", split="test")) == 2
    assert len(dataset.select(category="nut").select(split="test", label=0)) == 1


def test_a_split_that_the_set_lacks_is_empty(tmp_path):
    assert len(open_dataset(mvtec(tmp_path)).select(split="unlabelled")) == 0


def test_a_misspelt_category_or_split_is_told_with_those_there_are(tmp_path):
    dataset = open_dataset(mvtec(tmp_path))
    with pytest.raises(UsageError, match='no category "botle": it has bottle, nut'):
        dataset.select(category="botle")
    with pytest.raises(UsageError, match='"tests" is no split: choose one of train, validation, test'):
        dataset.select(split="tests")
