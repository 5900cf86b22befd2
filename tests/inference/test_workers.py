"""Workers on Ray give what they make in the order of the parts, whoever dies."""

from __future__ import annotations

import os
import pickle
import re
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from oddlens.errors import OddlensError, UsageError
from oddlens.inference import workers as module
from oddlens.inference.workers import Worker, Workers, connected, packed
from oddlens.provenance import versions

ray = pytest.importorskip("ray", reason="the extra ray is not installed")

Part = tuple[int, str]
"""A number, and what happens there."""


Made = int | NDArray[np.int64]


class Doubling(Worker[Part, Made]):
    """Gives the number of a part, and its double if nothing happens."""

    def make(self, part: Part) -> Iterator[Made]:
        """Both."""
        number, what = part
        mark = Path(str(self.work))
        if what == "is slow":
            time.sleep(1)
        yield number
        if what == "dies" or (what == "dies once" and not mark.exists()):
            mark.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "is wrong":
            raise LookupError(what)
        yield np.arange(100_000) if what == "is large" else 2 * number


@pytest.fixture(scope="module")
def here() -> Iterator[None]:
    """A Ray of this process, on which each test has workers of its own."""
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


def doubled(parts: Iterable[Part], count: int, mark: Path) -> Iterator[Made]:
    with connected(Workers(count=count), packed(str(mark))) as cluster:
        yield from cluster.mapped(parts, 50, Doubling, lambda part: f"number {part[0]}")


@pytest.mark.usefixtures("here")
class TestMapped:
    def test_results_come_in_order_and_what_a_dead_worker_had_runs_again(self, tmp_path: Path) -> None:
        happens = {0: "is slow", 5: "dies once"}
        asked = []

        def parts() -> Iterator[Part]:
            for number in range(40):
                asked.append(number)
                yield number, happens.get(number, "")

        found = doubled(parts(), 2, tmp_path / "mark")
        assert next(found) == 0
        assert len(asked) <= 2 * module._AHEAD + 1  # what is done waits in memory: it is bounded
        assert [0, *found] == [each for number in range(40) for each in (number, 2 * number)]
        assert int((tmp_path / "mark").read_text()) != os.getpid()

    def test_parts_that_no_worker_survives_end_it_and_what_came_before_is_given(self, tmp_path: Path) -> None:
        given: list[Made] = []
        sentence = r"3 workers died on number 2 \(.+\): look into Ray's logs, then go on with --resume"
        with pytest.raises(OddlensError, match=sentence):
            given.extend(doubled([(1, ""), (2, "dies"), (3, "")], 1, tmp_path / "mark"))
        assert given == [1, 2]

    def test_arrays_can_be_written_to_and_a_fault_of_the_program_is_raised_as_it_is(self, tmp_path: Path) -> None:
        found = doubled([(1, "is large"), (2, "is wrong")], 1, tmp_path / "mark")
        assert next(found) == 1
        array = next(found)
        assert isinstance(array, np.ndarray)
        array += 1
        with pytest.raises(LookupError, match="is wrong"):
            next(found)


@pytest.mark.parametrize(("given", "name"), [({"count": 0}, "count"), ({"threads": 0}, "threads")])
def test_numbers_that_are_none(given: dict[str, int], name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} cannot be 0"):
        Workers(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("workers", "resources", "room"),
    [
        (Workers(), {"CPU": 4.0}, 4),
        (Workers(threads=3), {"CPU": 8.0}, 2),
        (Workers(gpu=True), {"CPU": 8.0, "GPU": 2.0}, 2),
        (Workers(gpu=True), {"CPU": 8.0}, 0),
        (Workers(), {}, 0),
    ],
)
def test_there_is_room_for_as_many_workers_as_a_machine_has_processors_and_gpus_for(
    workers: Workers, resources: dict[str, float], room: int
) -> None:
    assert workers.room(resources) == room


def test_what_cannot_be_sent() -> None:
    with pytest.raises(UsageError, match=r"this run cannot be sent to workers \(.*lock.*\): run it without an engine"):
        packed(threading.Lock())


def test_other_versions_of_a_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    payload = packed("work")
    monkeypatch.setattr(module, "_versions", lambda: versions() | {"numpy": "1.0"})
    made, fault = pickle.loads(Doubling(payload, os.fspath(Path.cwd())).made((1, "")))
    assert made == []
    assert isinstance(fault, UsageError)
    assert re.search(r"has numpy 1\.0, and not .*: install the same versions on all machines", str(fault))


def test_a_machine_without_the_files(tmp_path: Path) -> None:
    made, fault = pickle.loads(Doubling(packed("work"), str(tmp_path / "nowhere")).made((1, "")))
    assert made == []
    assert isinstance(fault, UsageError)
    assert str(fault).endswith("nowhere: workers need the same files at the same paths")
