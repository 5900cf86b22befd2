"""How long images stay, and which stay until last."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from oddlens.history.filters import Filter
from oddlens.history.history import History
from oddlens.history.records import FeedbackEntry, Inspection, Retention
from oddlens.history.retention import Keeper, Removed, retain
from oddlens.io.atomic import LEFT_OVER
from oddlens.station.feedback import Mark
from tests.history.given import NOON, new

SIZE = 1000
DAY = timedelta(days=1)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    opened = History.open(tmp_path / "history.sqlite", tmp_path / "pictures")
    yield opened
    opened.close()


@pytest.fixture
def days(history: History) -> list[Inspection]:
    """An image of 1000 bytes, a map and a drawing of each of the last 5 days; the first one is of today."""
    found = []
    for day in range(5):
        digest = history.pictures.put(bytes([day]) * SIZE)
        map_digest = history.pictures.put_map(np.full((2, 2), day, np.float32))
        drawn = history.pictures.drawn_path(digest, "thumbnail.jpg")
        drawn.parent.mkdir(parents=True, exist_ok=True)
        drawn.write_bytes(bytes(SIZE))
        found.append(history.add(new(-day, digest=digest, map_digest=map_digest)))
        for path in (history.pictures.path(digest), history.pictures.map_path(map_digest), drawn):
            assert path is not None
            os.utime(path, (time.time() - 86400 * day - 60,) * 2)
    return found


def images(history: History, days: list[Inspection]) -> list[int]:
    """Of which days the image is there."""
    return [day for day, each in enumerate(days) if history.pictures.path(each.digest) is not None]


def maps(history: History, days: list[Inspection]) -> list[int]:
    return [day for day, each in enumerate(days) if history.pictures.map_path(each.map_digest or "") is not None]


def drawn(history: History) -> int:
    return sum(each.kind == "drawn" for each in history.pictures.files())


def test_old_images_go_and_results_stay(history: History, days: list[Inspection]) -> None:
    removed = retain(history, max_age=2.5 * DAY)
    assert (removed.images, removed.maps, removed.drawn) == (2, 2, 2)
    assert images(history, days) == maps(history, days) == [0, 1, 2]
    assert removed.size > 2 * 2 * SIZE
    assert history.count(Filter())["ng"] == 5
    assert retain(history, max_age=2.5 * DAY) == Removed()


def test_a_drawing_goes_with_its_image_whenever_it_was_drawn(history: History, days: list[Inspection]) -> None:
    for each in days:
        history.pictures.drawn_path(each.digest, "overlay.jpg").write_bytes(bytes(SIZE))
    assert retain(history, max_age=2.5 * DAY).drawn == 4
    assert {file.digest for file in history.pictures.files() if file.kind == "drawn"} == {
        each.digest for each in days[:3]
    }


def test_without_a_limit_all_stays(history: History, days: list[Inspection]) -> None:
    assert retain(history) == Removed()
    assert images(history, days) == [0, 1, 2, 3, 4]


def test_size_takes_drawings_first_then_the_oldest(history: History, days: list[Inspection]) -> None:
    total = sum(each.size for each in history.pictures.files())
    retain(history, max_bytes=total - 5 * SIZE)
    assert (images(history, days), drawn(history)) == ([0, 1, 2, 3, 4], 0)
    retain(history, max_bytes=total - 7 * SIZE)
    assert images(history, days) == [0, 1, 2]
    retain(history, max_bytes=0)
    assert images(history, days) == maps(history, days) == []


def test_what_people_marked_stays_until_last(history: History, days: list[Inspection]) -> None:
    history.add_feedback(FeedbackEntry(inspection_id=days[4].id, said="unsure", time=NOON))
    retain(history, max_age=DAY / 2)
    assert images(history, days) == maps(history, days) == [0, 4]
    retain(history, max_bytes=SIZE + 500)
    assert images(history, days) == [4]
    retain(history, max_bytes=500)
    assert images(history, days) == []


def test_what_the_feedback_of_a_station_names_stays_until_last(
    history: History, days: list[Inspection], tmp_path: Path
) -> None:
    station = tmp_path / "line-3"
    station.mkdir()
    mark = Mark(
        time="2026-11-26T12:00:00+00:00", image=str(history.pictures.path(days[3].digest)), sha256="0" * 64, said="good",
        verdict="ng", score=0.7,
    )  # fmt: skip
    (station / "feedback.jsonl").write_text(json.dumps(mark.to_dict()) + "\n")
    retain(history, max_age=DAY / 2, stations=[station, tmp_path / "away"])
    assert images(history, days) == [0, 3]


def test_an_image_that_comes_again_is_new(history: History, days: list[Inspection]) -> None:
    history.pictures.put(bytes([4]) * SIZE)
    retain(history, max_age=DAY / 2)
    assert images(history, days) == [0, 4]


def test_an_image_that_comes_again_meanwhile_is_not_removed(history: History, days: list[Inspection]) -> None:
    (file,) = (each for each in history.pictures.files() if each.digest == days[4].digest and each.kind == "images")
    history.pictures.put(bytes([4]) * SIZE)
    assert not history.pictures.remove(file)
    assert images(history, days) == [0, 1, 2, 3, 4]


def test_what_a_killed_service_left_goes_and_what_is_being_written_stays(
    history: History, days: list[Inspection]
) -> None:
    left, written = (history.pictures.path(days[0].digest).with_name(f"{LEFT_OVER}{name}.png") for name in "ab")  # type: ignore[union-attr]
    for path in (left, written):
        path.write_bytes(bytes(SIZE))
    os.utime(left, (time.time() - 2 * 3600,) * 2)
    retain(history, max_bytes=0)
    assert (left.exists(), written.exists()) == (False, True)


def test_the_service_tidies_by_itself(history: History, days: list[Inspection]) -> None:
    keeper = Keeper(history, Retention(max_days=2.5), list)
    keeper.start()
    keeper.stop()
    assert images(history, days) == [0, 1, 2]
    idle = Keeper(history, Retention(), list)
    idle.start()
    idle.stop()
    assert images(history, days) == [0, 1, 2]
