"""Scores of a whole test set, relative to each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddlens.errors import UsageError
from oddlens.evaluation.set_scores import transductive_scores


def test_the_peaks_of_the_set_are_stretched_between_0_and_1() -> None:
    parts = [{"text": 0.2, "peak": 3.0}, {"text": 0.4, "peak": 1.0}, {"text": 0.0, "peak": 2.0}]
    assert transductive_scores(parts) == pytest.approx([0.6, 0.2, 0.25])


def test_where_all_peaks_are_one_the_words_decide() -> None:
    assert transductive_scores([{"text": 0.5, "peak": 2.0}, {"text": 0.25, "peak": 2.0}]) == [0.25, 0.125]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 9)), min_size=2, max_size=9))
def test_they_lie_between_0_and_1(images: list[tuple[float, float]]) -> None:
    found = transductive_scores([{"text": text, "peak": peak} for text, peak in images])
    assert all(0 <= score <= 1 for score in found)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match=f"relative to each other, and there is {count}: give two or more"):
        transductive_scores([{"text": 0.5, "peak": 2.0}] * count)
