from lab.streets import CLASSES, CONCEPTS, ELSEWHERE, FAR_OOD, MERGED, NEAR_OOD, OOD, UNNAMED_OOD, WORDS
from lab.streets.things import GROUNDS, THINGS
from lab.streets.words import class_of


def test_every_word_is_drawn_and_has_one_meaning() -> None:
    assert len(set(WORDS)) == len(WORDS)
    assert set(WORDS) == set(THINGS) | set(GROUNDS)
    assert not set(THINGS) & set(GROUNDS)


def test_the_class_of_a_word_is_the_one_that_lists_it() -> None:
    assert class_of("palm tree") == CLASSES.index("vegetation")
    assert [class_of(word) for word in OOD] == [None] * len(OOD)


def test_unknown_words_are_no_known_ones_and_are_reported_or_not() -> None:
    known = {word for words in CONCEPTS.values() for word in words}
    assert not known & set(OOD)
    assert len({*NEAR_OOD, *FAR_OOD, *UNNAMED_OOD, *ELSEWHERE}) == len(OOD) + len(ELSEWHERE)


def test_merging_keeps_every_class_once() -> None:
    assert sorted(name for names in MERGED.values() for name in names) == sorted(CLASSES)


def test_no_two_words_look_alike() -> None:
    materials = [tuple(id(material) for _, material in thing.parts) for thing in THINGS.values()]
    assert len(set(materials)) == len(materials)
