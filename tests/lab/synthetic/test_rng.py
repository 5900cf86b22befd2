import numpy as np

from lab.synthetic.rng import Rng


def test_equal_words_give_equal_draws_and_other_words_others() -> None:
    assert Rng(1, 2).many(0, 1, 5) == Rng(1, 2).many(0, 1, 5)
    assert Rng(1, 2).many(0, 1, 5) != Rng(2, 1).many(0, 1, 5)


def test_a_trailing_zero_names_another_stream() -> None:
    assert Rng(1, 2).many(0, 1, 5) != Rng(1, 2, 0).many(0, 1, 5)


def test_draws_are_plain_numbers_or_float32_so_that_nothing_is_widened() -> None:
    rng = Rng(3)
    field = np.ones((2, 2), np.float32)
    for number in (rng.uniform(0, 1), rng.normal(2), rng.factor(1), rng.log_uniform(1, 9), rng.angle()):
        assert type(number) is float
        assert (field * number).dtype == np.float32
    assert type(rng.whole(0, 3)) is int
    assert rng.normals(3, 2).dtype == rng.uniforms(0, 1, 4).dtype == np.float32


def test_whole_reaches_both_ends_and_pick_obeys_its_probabilities() -> None:
    rng = Rng(4)
    assert {rng.whole(2, 4) for _ in range(100)} == {2, 3, 4}
    assert {rng.pick("abc", p=[0.5, 0.0, 0.5]) for _ in range(100)} == {"a", "c"}
