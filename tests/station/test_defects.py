"""What is known of defects: names as users write them, named regions, a memory."""

import numpy as np
import pytest

from oddlens.errors import UsageError
from oddlens.station.defects import DefectMemory, Defects, KnownDefect, NamedRegions, check_defect_name, defect_names


def test_names_are_divided_by_commas_and_each_is_there_once() -> None:
    assert defect_names("scratch, deep  dent ,stain,Scratch,") == ("scratch", "deep dent", "stain")


@pytest.mark.parametrize("text", ["", ",", "scratch", "scratch, Scratch"])
def test_one_name_alone_is_no_choice(text: str) -> None:
    with pytest.raises(UsageError, match="fewer than two defects"):
        defect_names(text)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unknown", "no defect can be called 'unknown'"),
        ("Unknown ", "no defect can be called 'Unknown'"),
        ("", "the name of a defect is empty"),
        ("  ", "the name of a defect is empty"),
        ("dent, scratch", "has a comma in it, which divides names"),
        ("dent\nscratch", "has a line break or another control character in it"),
        ("d" * 101, "has 101 letters, more than 100"),
    ],
)
def test_what_stands_for_no_name_is_none(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_defect_name(name)


def test_unknown_among_others_is_refused() -> None:
    with pytest.raises(UsageError, match="'unknown' stands for a region that no name fits"):
        defect_names("scratch, unknown")


def defects() -> Defects:
    generator = np.random.default_rng(0)
    regions = NamedRegions().with_region("dent", generator.random(6, np.float32), "a1")
    regions = regions.with_region("burn", generator.random(6, np.float32), "b2")
    memory = DefectMemory().with_image("a1", {"patch": generator.random((3, 4), np.float32)})
    memory = memory.with_image("c3", {"patch": generator.random((2, 4), np.float32)})
    known = (KnownDefect(image="a.png", sha256="a1", name="dent", score=0.5),)
    return Defects(words=("dent", "burn"), known=known, regions=regions, memory=memory)


def same(one: Defects, other: Defects) -> bool:
    mine, theirs = one.to_dict(), other.to_dict()
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[key], theirs[key]) for key in mine)


def test_what_is_known_of_defects_comes_back() -> None:
    found = Defects.from_dict(defects().to_dict())
    assert same(found, defects())
    assert found.memory.sha256 == defects().memory.sha256
    assert same(Defects.from_dict(Defects().to_dict()), Defects())
    assert Defects().memory.sha256 is None


def test_an_image_that_goes_takes_all_of_it_along() -> None:
    known = defects()
    rest = known.without({"a1"})
    assert (rest.known, rest.regions.names, rest.memory.images) == ((), ("burn",), ("c3",))
    assert np.array_equal(rest.regions.features, known.regions.features[1:])
    assert np.array_equal(rest.memory.rows["patch"], known.memory.rows["patch"][3:])
    assert rest.memory.owners["patch"].tolist() == [0, 0]
    assert same(known.without({"nothing"}), known)
    nothing = known.without({"a1", "b2", "c3"})
    assert same(nothing, Defects(words=known.words))


def test_other_rows_are_another_memory() -> None:
    memory = defects().memory
    assert memory.without({"a1"}).sha256 != memory.sha256


@pytest.mark.parametrize(
    "change",
    [
        {"words": "dent"},
        {"region_names": ["dent"]},
        {"region_images": ["a1"]},
        {"region_features": np.full((2, 6), np.nan, np.float32)},
        {"memory_images": ["a1"]},
        {"memory patch": np.zeros((4, 4), np.float32)},
        {"memory patch": np.zeros(5, np.float32)},
        {"owners patch": np.array([0, 0, 0, 1, 2])},
        {"owners window": np.array([0, 1])},
        {"other": np.zeros((1, 1), np.float32)},
        {"known": [{"image": "a.png", "sha256": "a1", "name": "dent"}]},
        {"known": [{"image": "a.png", "sha256": "a1", "name": "dent", "score": 1, "more": 2}]},
    ],
)
def test_what_does_not_fit_together_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="what it says of defects is wrong"):
        Defects.from_dict(defects().to_dict() | change)
