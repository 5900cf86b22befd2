"""Where the time of a run went."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from oddlens.inference.times import Times


def test_seconds_of_threads_add_up() -> None:
    times = Times()
    started = time.perf_counter() - 2
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(lambda _: times.add("reading", started), range(40)))
    assert times.reading == pytest.approx(sum(added))
    assert min(added) >= 2


def test_it_is_said_in_words() -> None:
    assert (
        str(Times(1, 2, 3, 4, 5))
        == "reading 1.0 s and drawing 3.0 s in threads; predicting 2.0 s, waiting 4.0 s, writing 5.0 s"
    )
