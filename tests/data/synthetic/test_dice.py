import numpy as np

from oddlens.data.synthetic.dice import Dice


def test_equal_words_give_equal_draws_and_other_words_others() -> None:
    assert Dice(1, 2).many(0, 1, 5) == Dice(1, 2).many(0, 1, 5)
    assert Dice(1, 2).many(0, 1, 5) != Dice(2, 1).many(0, 1, 5)


def test_a_trailing_zero_names_another_stream() -> None:
    assert Dice(1, 2).many(0, 1, 5) != Dice(1, 2, 0).many(0, 1, 5)


def test_draws_are_plain_numbers_or_float32_so_that_nothing_is_widened() -> None:
    dice = Dice(3)
    field = np.ones((2, 2), np.float32)
    for number in (dice.uniform(0, 1), dice.normal(2), dice.factor(1), dice.log_uniform(1, 9), dice.angle()):
        assert type(number) is float
        assert (field * number).dtype == np.float32
    assert type(dice.whole(0, 3)) is int
    assert dice.normals(3, 2).dtype == dice.uniforms(0, 1, 4).dtype == np.float32


def test_whole_reaches_both_ends_and_pick_obeys_its_probabilities() -> None:
    dice = Dice(4)
    assert {dice.whole(2, 4) for _ in range(100)} == {2, 3, 4}
    assert {dice.pick("abc", p=[0.5, 0.0, 0.5]) for _ in range(100)} == {"a", "c"}
