"""How many threads a graph takes."""

import os

import pytest

from oddlens.runtime.session import thread_count


@pytest.mark.parametrize(
    ("said", "expected"), [("1", 1), ("0", 1), ("-3", 1), ("1,4", 1), ("99999", 3), ("many", 3), ("", 3)]
)
def test_as_many_threads_as_are_asked_for_but_no_more_than_processors(
    said: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2}, raising=False)
    assert thread_count() == expected
