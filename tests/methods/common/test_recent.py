"""What was made lately is kept, and no more."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

from oddlens.methods.common.recent import Recent


def test_a_value_is_made_once_while_it_is_kept() -> None:
    made: list[str] = []
    recent: Recent[str, str] = Recent(2)

    def get(key: str) -> str:
        return recent.get(key, lambda: made.append(key) or key.upper())  # type: ignore[func-returns-value]

    assert [get(key) for key in "abab"] == ["A", "B", "A", "B"]
    assert made == ["a", "b"]
    get("a")  # now b is the one that was asked for longest ago
    get("c")
    assert len(recent) == 2
    get("a")
    assert made == ["a", "b", "c"]
    get("b")
    assert made == ["a", "b", "c", "b"]
    recent.clear()
    assert len(recent) == 0


def test_a_copy_starts_empty_with_the_same_room() -> None:
    recent: Recent[int, int] = Recent(3)
    recent.get(1, lambda: 1)
    for other in (pickle.loads(pickle.dumps(recent)), deepcopy(recent)):
        assert len(other) == 0
        for number in range(5):
            other.get(number, lambda: 0)
        assert len(other) == 3


def test_threads_share_one_value() -> None:
    recent: Recent[str, object] = Recent(4)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda number: id(recent.get("x", object)), range(200)))
    assert len(found) == 1
