"""Numbers of good examples, and draws of them."""

from oddlens.evaluation import Variant, variants


def test_zero_shot_has_no_seed_and_comes_once() -> None:
    assert variants([4, 0], [1, 0]) == (Variant(0), Variant(4, 0), Variant(4, 1))


def test_what_is_named_twice_counts_once() -> None:
    assert variants([1, 1], [0, 0]) == (Variant(1, 0),)


def test_files_are_named_after_shots_and_seed() -> None:
    assert [variant.name for variant in variants([0, 4], [1])] == ["0shot", "4shot-seed1"]
