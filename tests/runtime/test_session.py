"""How many threads a graph takes, and who shares it."""

import os
from pathlib import Path

import pytest

from oddlens.runtime.session import open_graph, thread_count


@pytest.mark.parametrize(
    ("said", "expected"), [("1", 1), ("0", 1), ("-3", 1), ("1,4", 1), ("99999", 3), ("many", 3), ("", 3)]
)
def test_as_many_threads_as_are_asked_for_but_no_more_than_processors(
    said: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2}, raising=False)
    assert thread_count() == expected


def test_copies_of_a_graph_are_loaded_once(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "encoder.onnx", tmp_path / "b" / "encoder.onnx"
    one, other = open_graph(first, "0" * 64, "cpu"), open_graph(second, "0" * 64, "cpu")
    assert one is other
    assert one.path == second
    assert open_graph(first, "1" * 64, "cpu") is not one
