"""The way of an image: the same score as `oddlens detect` gives, a bounded queue, deadlines, pauses, and nothing lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import oddlens
from oddlens.errors import DiskError, OddlensError, UsageError
from oddlens.history.filters import Filter
from oddlens.history.history import History
from oddlens.history.records import HistoryError
from oddlens.inference.event_hub import EventHub
from oddlens.inference.live_station import StationError
from oddlens.service.inspector import BusyError, Inspector, LateError, PausedError, StoppedError
from oddlens.service.settings import Limits
from oddlens.service.stations import Station
from tests.service.given import png


@pytest.fixture
def plates(station: Path) -> Station:
    return Station("plates", station, "auto")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Inspector]]:
    """Starts an inspector with limits."""
    running: list[Inspector] = []
    history = History.open(tmp_path / "history.sqlite", tmp_path / "pictures")

    def started(audit: float = 0.0, **limits: Any) -> Inspector:
        running.append(Inspector(history, EventHub(), Limits(**limits), audit))
        running[-1].start()
        return running[-1]

    yield started
    for each in running:
        each.stop()
    history.close()


class Held:
    """Holds the model up until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go, self.reached = Event(), Event()
        score = Inspector._score

        def held(inspector: Inspector, job: Any) -> None:
            self.reached.set()
            assert self.go.wait(10)
            score(inspector, job)

        monkeypatch.setattr(Inspector, "_score", held)


def test_the_score_is_that_of_detect_to_the_bit_whatever_else_waits(
    start: Callable[..., Inspector], plates: Station, station: Path
) -> None:
    inspector = start()
    images = [png(seed, seed % 3 == 0) for seed in range(50, 62)]
    detector = oddlens.open_station(station)
    expected = list(detector.detect_each(images, detector.object_name))

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(inspector.inspect(plates, each, f"{n}.png") for n, each in enumerate(images)))

    found = asyncio.run(all_at_once())
    assert {each.verdict for each in found} >= {"ok", "ng"}
    for kept, detection in zip(found, expected, strict=True):
        assert isinstance(detection, oddlens.Detection)
        assert kept.score == detection.score
        assert kept.detection == detection.to_dict() | {"path": kept.source}
        assert kept.map_digest is not None
        kept_map = inspector._history.pictures.map(kept.map_digest)
        assert kept_map is not None
        assert (kept_map == detection.anomaly_map).all()


def test_an_image_is_kept_before_it_is_answered(start: Callable[..., Inspector], plates: Station) -> None:
    inspector = start()
    data = png(1)
    kept = asyncio.run(inspector.inspect(plates, data, "a.png"))
    assert inspector._history.get(kept.id) == kept
    path = inspector._history.pictures.path(kept.digest)
    assert path is not None
    assert path.read_bytes() == data
    assert inspector.waiting == 0


def test_what_is_no_image_is_kept_as_a_failure_without_its_bytes(
    start: Callable[..., Inspector], plates: Station
) -> None:
    inspector = start()
    kept = asyncio.run(inspector.inspect(plates, b"no image", "a.png"))
    assert (kept.detection, kept.outcome) == (None, "failed")
    assert kept.error is not None
    assert kept.error.startswith("a.png is a text file")
    assert inspector._history.pictures.path(kept.digest) is None


def test_more_than_fit_into_the_queue_are_told_to_come_again(
    start: Callable[..., Inspector], plates: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    inspector = start(queue=3)

    async def story() -> None:
        sent = [asyncio.create_task(inspector.inspect(plates, png(seed), f"{seed}.png")) for seed in range(3)]
        while inspector.waiting < 3:
            await asyncio.sleep(0.01)
        with pytest.raises(BusyError, match="too many images wait") as busy:
            await inspector.inspect(plates, png(9), "9.png")
        assert busy.value.retry_after >= 1
        held.go.set()
        assert len({each.id for each in await asyncio.gather(*sent)}) == 3

    asyncio.run(story())
    assert inspector.waiting == 0


def test_an_image_that_waits_too_long_is_given_up(
    start: Callable[..., Inspector], plates: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    plates.loaded()
    held = Held(monkeypatch)
    inspector = start()

    async def story() -> None:
        first = asyncio.create_task(inspector.inspect(plates, png(1), "1.png"))
        await asyncio.to_thread(held.reached.wait, 10)
        with pytest.raises(LateError, match=r"not inspected within 0\.05 seconds"):
            await inspector.inspect(plates, png(2), "2.png", deadline_s=0.05)
        held.go.set()
        await first

    asyncio.run(story())
    while inspector.waiting:
        time.sleep(0.01)
    assert [each.source for each in inspector._history.find(Filter()).items] == ["1.png"]  # the other never ran


def test_threads_wait_for_room_instead(
    start: Callable[..., Inspector], plates: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    inspector = start(queue=4)
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(inspector.inspect_waiting, plates, png(seed), f"{seed}", "folder") for seed in range(6)]
        assert held.reached.wait(10)
        time.sleep(0.1)
        assert inspector.waiting == 2  # half is left to others
        held.go.set()
        assert {each.result().source for each in sent} == {str(seed) for seed in range(6)}


def test_the_same_key_gives_the_same_inspection(start: Callable[..., Inspector], plates: Station) -> None:
    inspector = start()

    async def story() -> None:
        both = await asyncio.gather(*(inspector.inspect(plates, png(1), "a.png", key="k") for _ in range(2)))
        assert both[0].id == both[1].id
        with pytest.raises(OddlensError, match="used for another image"):
            await inspector.inspect(plates, png(2), "b.png", key="k")

    asyncio.run(story())
    assert inspector._history.find(Filter()).total == 1


def test_a_paused_station_refuses_and_threads_wait(start: Callable[..., Inspector], plates: Station) -> None:
    inspector = start()
    inspector.pause(plates)
    with pytest.raises(PausedError, match="is paused"):
        asyncio.run(inspector.inspect(plates, png(1), "a.png"))
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(inspector.inspect_waiting, plates, png(1), "a.png", "folder")
        time.sleep(0.05)
        assert not sent.done()
        inspector.pause(plates, False)
        assert sent.result().verdict == "ok"


def test_a_lost_history_is_said_and_found_again(
    start: Callable[..., Inspector], plates: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspector = start()
    said: list[object] = []
    monkeypatch.setattr(inspector._events, "publish", lambda kind, station, data: said.append((kind, data.get("ok"))))
    for fault in (HistoryError("the history is lost"), DiskError("the disk is full"), OSError(28, "no space")):
        with monkeypatch.context() as patch:

            def refuse(*given: object, fault: Exception = fault) -> None:
                raise fault

            patch.setattr(inspector._history if isinstance(fault, HistoryError) else inspector._history.pictures,
                          "add" if isinstance(fault, HistoryError) else "put", refuse)  # fmt: skip
            for _ in range(2):
                with pytest.raises((HistoryError, DiskError)):
                    asyncio.run(inspector.inspect(plates, png(1), "a.png"))
            assert inspector.problem == str(fault)
        assert asyncio.run(inspector.inspect(plates, png(1), "a.png")).verdict == "ok"
        assert inspector.problem is None
        assert said == [("history", False), ("history", True), ("result", None)]
        said.clear()


def test_what_is_sent_again_with_its_key_is_no_further_part_of_the_line(
    start: Callable[..., Inspector], plates: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(plates, "see", lambda loaded, detection, picture: seen.append(detection.source))
    inspector = start()
    for _ in range(2):
        assert asyncio.run(inspector.inspect(plates, png(1), "a.png", key="k")).id == 1
    with pytest.raises(UsageError, match="was used for another image"):
        asyncio.run(inspector.inspect(plates, png(2), "b.png", key="k"))
    assert seen == ["a.png"]


def test_a_fault_of_ours_ends_one_image_and_nothing_else(
    start: Callable[..., Inspector], plates: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspector = start()
    for step in ("_read", "_score", "_save"):
        with monkeypatch.context() as patch:
            patch.setattr("oddlens.service.inspector.read_upload" if step == "_read" else
                          "oddlens.detector.Detector.predict" if step == "_score" else
                          "oddlens.service.inspector.NewInspection", lambda *given, **more: 1 / 0)  # fmt: skip
            for _ in range(12):  # more than can be decoded at once
                with pytest.raises((ZeroDivisionError, OddlensError)):
                    asyncio.run(inspector.inspect(plates, png(1), "a.png"))
        assert asyncio.run(inspector.inspect(plates, png(1), "a.png")).verdict == "ok"


def test_a_damaged_station_refuses_and_comes_back(
    start: Callable[..., Inspector], plates: Station, station: Path
) -> None:
    inspector = start()
    whole = (station / "station.json").read_bytes()
    assert asyncio.run(inspector.inspect(plates, png(1), "a.png")).station_version == 1
    (station / "station.json").write_bytes(whole[:100])
    with pytest.raises(StationError, match="damaged"):
        asyncio.run(inspector.inspect(plates, png(1), "a.png"))
    (station / "station.json").write_bytes(whole)
    assert asyncio.run(inspector.inspect(plates, png(1), "a.png")).verdict == "ok"


def test_stopping_finishes_what_is_in_hand(
    start: Callable[..., Inspector], plates: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    plates.loaded()
    held = Held(monkeypatch)
    inspector = start()
    with ThreadPoolExecutor(40) as pool:
        sent = [pool.submit(inspector.inspect_waiting, plates, png(seed), f"{seed}", "folder") for seed in range(20)]
        assert held.reached.wait(10)
        while inspector.waiting < 20:
            time.sleep(0.01)
        stopping = pool.submit(inspector.stop)
        while not inspector._stopped:
            time.sleep(0.01)
        held.go.set()
        stopping.result()
        errors = [each.exception() for each in sent]
    assert {type(each) for each in errors} == {type(None), StoppedError}
    assert inspector._history.find(Filter()).total == errors.count(None)
    with pytest.raises(StoppedError):
        inspector.inspect_waiting(plates, png(1), "late", "folder")


def test_a_random_share_is_drawn_for_audit_by_the_pixels(start: Callable[..., Inspector], plates: Station) -> None:
    inspector = start(audit=0.5)

    async def story() -> list[bool]:
        return [(await inspector.inspect(plates, png(seed), "a")).audit for seed in (*range(10), *range(10))]

    drawn = asyncio.run(story())
    assert drawn[:10] == drawn[10:]
    assert 0 < sum(drawn) < 20
