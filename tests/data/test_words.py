import unicodedata

import pytest

from oddlens.data.words import is_normal_word, label_of, name_key, split_of


@pytest.mark.parametrize("value", [0, 0.0, False, "0", "0.0", " 0,0 ", "False", "normal", "Good", "OK"])
def test_normal(value):
    assert label_of(value) == 0


@pytest.mark.parametrize("value", [1, 1.0, True, "1", "1.0", "1,0", "TRUE", "abnormal", "anomaly", "Defect", "NG"])
def test_abnormal(value):
    assert label_of(value) == 1


@pytest.mark.parametrize("value", [None, "", "2", 2, 0.5, "nan", float("nan"), float("inf"), [1], {}, "goods"])
def test_no_label(value):
    assert label_of(value) is None


def test_words_of_folders_count_in_any_case():
    assert [is_normal_word(word) for word in ("good", "Good", "OK", "Normal", "no", "goods")] == [True] * 4 + [
        False
    ] * 2
    assert [split_of(word) for word in ("Train", "val", "VALID", "validation", "test")] == [
        "train", "validation", "validation", "validation", "test"
    ]  # fmt: skip
    assert split_of("Test2") is None


def test_one_name_in_two_spellings_is_one_name():
    assert name_key("STÜCK.png") == name_key(unicodedata.normalize("NFD", "stück.PNG"))
