import json
from pathlib import Path

import numpy as np
import pytest

from lab.streets import CLASSES, CONCEPTS, OOD, WORDS, street, unknown_of, write_streets
from lab.streets.folder import TEST_NUMBER
from oddlens.data import open_dataset
from oddlens.data.legend import load_legend
from oddlens.data.masks import read_mask, read_values
from oddlens.errors import UsageError
from oddlens.io.images import read_image


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_streets(tmp_path_factory.mktemp("sets"), train=2, test=3, seed=4, generic_scenes=2)


def test_the_sets_are_read_like_camvid_ood(sets) -> None:
    records = list(open_dataset(sets[0]))
    assert [(r.split, r.label) for r in records].count(("train", 0)) == 2
    assert [(r.split, r.label) for r in records].count(("test", 0)) == 3
    assert [(r.split, r.label) for r in records].count(("test", 1)) == 3


def test_frames_masks_and_classes_come_back_as_they_were_drawn(sets) -> None:
    record = next(r for r in open_dataset(sets[0]) if r.label == 1)
    drawn = street(TEST_NUMBER, 4, unknown_of(0))
    np.testing.assert_array_equal(read_image(record.image).pixels, drawn.image)
    np.testing.assert_array_equal(read_mask(record, drawn.labels.shape), drawn.unknown)
    values = read_values(record.classes)
    np.testing.assert_array_equal(load_legend(record.legend).indices(values), drawn.labels)


def test_the_legend_names_the_known_classes_first_and_then_the_unknown_words(sets) -> None:
    legend = json.loads((sets[0] / "classes.json").read_text())
    assert legend["classes"] == [*CLASSES, *OOD, "unlabelled"]
    assert [legend["classes"][value] for value in legend["ood"]] == list(OOD)
    assert json.loads((sets[0] / "concepts.json").read_text()) == {k: list(v) for k, v in CONCEPTS.items()}


def test_generic_scenes_have_a_class_for_every_word(sets) -> None:
    assert load_legend(sets[1] / "classes.json").names == WORDS
    assert len(list((sets[1] / "train" / "good").iterdir())) == 2


def test_equal_arguments_write_equal_bytes(sets, tmp_path: Path) -> None:
    again = write_streets(tmp_path, train=2, test=3, seed=4)[0]
    for file in again.rglob("*.*"):
        assert file.read_bytes() == (sets[0] / file.relative_to(again)).read_bytes()


def test_a_folder_that_exists_is_left_alone(sets) -> None:
    with pytest.raises(UsageError, match="exists already"):
        write_streets(sets[0].parent, train=1, test=1)
