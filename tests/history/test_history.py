"""The history keeps what was inspected and what was said of it, alike in SQLite and in PostgreSQL."""

from __future__ import annotations

import resource
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from oddlens.detection import ValueRange
from oddlens.errors import UsageError
from oddlens.history.filters import Filter
from oddlens.history.history import History, control_limits
from oddlens.history.records import AuditEntry, FeedbackEntry, HistoryError, NewInspection
from tests.history.conftest import Postgres
from tests.history.given import IDENTITY, NOON, digest, found, new


def test_what_is_added_is_there_after_a_restart(place: str, tmp_path: Path) -> None:
    history = History.open(place, tmp_path)
    given = new(value_range=ValueRange(0.1, 0.9, "fixed range"), audit=True, key="a")
    added = history.add(given)
    history.close()
    again = History.open(place, tmp_path)
    assert again.get(added.id) == added
    assert {name: getattr(added, name) for name in vars(given)} == vars(given)
    again.close()


def test_what_the_api_sends(history: History) -> None:
    added = history.add(new(detection=found(concern="It looks like another part.", p_value=0.01)))
    assert added.to_dict() == {
        "id": added.id, "station": "line-3", "station_version": 2, "time": "2026-11-26T12:00:00.000Z", "source": "nut.png",
        "origin": "api", "digest": digest("0"), "score": 0.7, "verdict": "ng", "p_value": 0.01,
        "thresholds": {"image": 0.5, "review": 0.4, "pixel": 0.6}, "width": 640, "height": 480,
        "regions": found()["regions"], "concern": "It looks like another part.", "note": None, "error": None, "audit": False,
        "ms": 12.5, "said": None, "judged": None, "defect": None, "comment": None,
        "links": {
            "self": f"/api/results/{added.id}",
            **{name: f"/api/results/{added.id}/{name}" for name in ("image", "thumbnail", "overlay", "map")},
        },
    }  # fmt: skip


def test_a_failed_inspection(history: History) -> None:
    added = history.add(new(error="nut.png is empty (0 bytes): save or copy it again", map_digest=None))
    assert (added.outcome, added.score, added.verdict, added.size[0]) == ("failed", None, None, None)
    assert history.count(Filter()) == {"ok": 0, "review": 0, "ng": 0, "failed": 1, "none": 0}
    assert history.scores("line-3") == []


def test_times_of_other_zones(history: History) -> None:
    local = NOON.astimezone(timezone(timedelta(hours=9))).replace(microsecond=123456)
    added = history.add(new(time=local))
    assert added.time == local
    assert added.time.tzinfo is UTC
    with pytest.raises(UsageError, match="lacks its time zone"):
        new(time=datetime(2026, 1, 1))


@pytest.mark.parametrize(
    "source", ["a\0b.png", "caf\udce9.png", "<script>alert(1)</script>", "'; DROP TABLE x; --", "日本 🔩"]
)
def test_hostile_names(history: History, source: str) -> None:
    added = history.add(new(source=source, station=source))
    assert added == history.get(added.id)
    assert history.find(Filter(station=source, text=source)).items == history.latest(source) == [added]
    assert history.known(source, added.digest, "api")
    assert history.called(source, added.digest) == (added.source, added.time)
    assert added.source == source.replace("\0", "\\x00").replace("\udce9", "\\udce9")
    said = FeedbackEntry(inspection_id=added.id, said="bad", defect=source, comment=source, time=NOON)
    assert history.add_feedback(said).comment == added.source
    history.add_audit(AuditEntry(time=NOON, station=source, who=source, what=source, before=source))
    assert history.audit(source)[0].who == added.source


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"digest": "../../etc/passwd"}, "is no SHA-256"),
        ({"map_digest": "A" * 64}, "is no SHA-256"),
        ({"origin": "mail"}, "origin of an inspection cannot be 'mail'"),
        ({"detection": found(float("nan"))}, "score of an inspection is not finite"),
        ({"ms": float("inf")}, "is not finite"),
        ({"key": "k" * 201}, "an idempotency key has 201 letters"),
        ({"detection": found(), "error": "no"}, "either a detection or an error"),
    ],
)
def test_what_cannot_be_kept(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        NewInspection(**vars(new()) | changes)


def test_a_key_is_inspected_once(history: History) -> None:
    first = history.add(new(1, key="k"))
    assert history.add(new(2, key="k")) == first
    assert history.add(new(2, key="k", station="line-4")).id != first.id
    assert history.add(new(3)).id != history.add(new(3)).id  # without keys both count
    assert history.count(Filter(station="line-3"))["ng"] == 3


def test_many_threads_at_once(history: History) -> None:
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda n: history.add(new(n, key=str(n % 20), identity={"n": n % 3})), range(60)))
    assert len({each.id for each in added}) == 20
    assert len(history.find(Filter(), limit=100).items) == 20
    assert all(history.get(each.id) == each for each in added)


def test_feedback_is_kept_and_the_last_one_counts(history: History) -> None:
    added = history.add(new(detection=found(0.7, "ng")))
    first = FeedbackEntry(inspection_id=added.id, said="bad", defect="dent", reviewer="Ann", time=NOON)
    last = FeedbackEntry(inspection_id=added.id, said="good", comment="only dust", time=NOON + timedelta(hours=1))
    assert history.add_feedback(first).judged == "right"
    after = history.add_feedback(last)
    assert (after.said, after.judged, after.defect, after.comment) == ("good", "wrong", None, "only dust")
    assert history.feedback(added.id) == [first, last]
    for number in (12345, 0, -1, 2**63, -(2**63), 2**64):
        with pytest.raises(UsageError, match=f"there is no result {number}: it may be removed by now"):
            history.add_feedback(FeedbackEntry(inspection_id=number, said="bad", time=NOON))
        assert history.feedback(number) == []


def test_audit_log(history: History) -> None:
    for number in range(3):
        entry = AuditEntry(
            time=NOON, station="line-3", who=None, what="threshold", before=number, after={"t": number + 1}
        )
        history.add_audit(entry)
    assert [each.before for each in history.audit("line-3", 2)] == [2, 1]
    assert history.audit("line-3")[0].to_dict()["after"] == {"t": 3}
    assert history.audit("line-4") == []


def test_counts_scores_and_trend(history: History) -> None:
    for minutes, score, verdict in ((0, 0.1, "ok"), (30, 0.45, "review"), (61, 0.7, "ng"), (200, 0.2, None)):
        history.add(new(minutes, found(score, verdict)))
    history.add(new(62, error="It is damaged.", map_digest=None))
    history.add(new(1, station="line-4"))
    assert history.count(Filter(station="line-3")) == {"ok": 1, "review": 1, "ng": 1, "failed": 1, "none": 1}
    hours = history.count_by_hour("line-3", NOON + timedelta(minutes=1))
    assert [(hour.hour, counts["review"], counts["ng"], counts["failed"]) for hour, counts in hours] == [
        (12, 1, 0, 0), (13, 0, 1, 1), (15, 0, 0, 0),
    ]  # fmt: skip
    assert [each[1:4] for each in history.scores("line-3", 2)] == [(0.2, None, None), (0.7, "ng", None)]
    assert [each[:3] for each in history.trend("line-3", NOON + timedelta(minutes=30), 2)] == [
        (NOON + timedelta(minutes=61), 0.7, "ng"), (NOON + timedelta(minutes=200), 0.2, None),
    ]  # fmt: skip
    assert [each.score for each in history.latest("line-3", 2)] == [0.2, None]


def test_control_limits_are_moved_by_no_outlier() -> None:
    usual = 4 * [0.1, 0.2, 0.3, 0.4, 0.5]
    limits = control_limits(usual)
    assert limits == {"median": 0.3, "high": pytest.approx(0.3 + 3 * 1.4826 * 0.1), "least": 20}
    assert control_limits([*usual[:-1], 500.0]) == limits


@pytest.mark.parametrize("count", [0, 1, 19])
def test_fewer_than_twenty_scores_have_no_control_limit(count: int) -> None:
    assert control_limits(count * [0.3]) == {"median": None, "high": None, "least": 20}


def test_defects_by_name(history: History) -> None:
    numbers = [history.add(new(n, found(0.7, verdict))).id for n, verdict in enumerate(("ng", "ng", "ng", "ok"))]
    history.add_feedback(FeedbackEntry(inspection_id=numbers[0], said="bad", defect="crack", time=NOON))
    history.add_feedback(FeedbackEntry(inspection_id=numbers[1], said="good", time=NOON))
    assert history.defects("line-3") == [("crack", 1), ("scratch", 1)]
    assert history.defects("line-3", NOON + timedelta(minutes=2)) == [("scratch", 1)]


def test_known_by_content(history: History) -> None:
    history.add(new(origin="folder"))
    assert history.known("line-3", digest("0"), "folder")
    assert not history.known("line-3", digest("0"), "camera")
    assert not history.known("line-4", digest("0"), "folder")
    assert not history.known("line-3", digest("1"), "folder")
    assert history.called("line-4", digest("0")) is None


def test_the_identity_is_kept_once(history: History, place: str) -> None:
    for number in range(3):
        assert history.add(new(number, identity=IDENTITY)).identity == IDENTITY
    if "://" not in place:
        assert sqlite3.connect(place).execute("SELECT count(*) FROM oddlens_identity").fetchone() == (1,)


def test_another_kind_of_database(tmp_path: Path) -> None:
    for place in ("mysql://a:secret@host/x", "sqlite://", "://"):
        with pytest.raises(UsageError, match="give a file, or postgresql") as refused:
            History.open(place, tmp_path)
        assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite").write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(HistoryError, match=r"cannot be opened \(file is not a database\)"):
        History.open(tmp_path / "history.sqlite", tmp_path)
    with pytest.raises(HistoryError, match=r"cannot be made \(.*\): give another --history"):
        History.open(tmp_path / "history.sqlite" / "below", tmp_path)


def test_a_file_that_was_removed_is_said_once_and_begun_anew(tmp_path: Path) -> None:
    place = tmp_path / "folder" / "history.sqlite"
    history = History.open(place, tmp_path)
    history.add(new())
    place.unlink()
    with pytest.raises(HistoryError, match="was removed or replaced while it was in use"):
        history.add(new(1))
    assert history.get(history.add(new(2)).id) is not None
    assert history.count(Filter())["ng"] == 1
    place.parent.rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(HistoryError, match=r"cannot be opened \(unable to open database file\)"):
            history.add(new(3))
    (tmp_path / "away").rename(place.parent)
    assert history.count(Filter())["ng"] == 1
    history.close()


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    history = History.open(tmp_path / "history.sqlite", tmp_path)
    first = history.add(new())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        for number in range(2):
            with pytest.raises(HistoryError, match=r"cannot be written \(.*\): check the disk"):
                history.add(new(number + 1))
        assert history.get(first.id) == first
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert history.add(new(3)).id > first.id
    assert history.count(Filter())["ng"] == 2
    history.close()


def test_postgresql_that_is_stopped_and_started(postgres: Postgres, tmp_path: Path) -> None:
    history = History.open(postgres.new_schema(), tmp_path)
    first = history.add(new())
    postgres.stop()
    try:
        for _ in range(2):
            with pytest.raises(HistoryError, match=r"cannot be written .*: check the disk or the database server"):
                history.add(new(1))
        with pytest.raises(HistoryError, match="cannot be read"):
            history.get(first.id)
    finally:
        postgres.start()
    assert history.get(first.id) == first
    assert history.add(new(1)).id > first.id
    history.close()


def test_today_begins_at_midnight_of_this_machine(history: History) -> None:
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    for time in (midnight - timedelta(milliseconds=1), midnight, midnight + timedelta(milliseconds=1)):
        history.add(new(time=time))
    history.add(new(time=midnight, station="line-4"))
    assert history.today("line-3")["ng"] == 2


def test_the_last_images_are_those_that_were_inspected_and_are_kept(history: History) -> None:
    kept = [history.pictures.put(b"\x89PNG\r\n\x1a\n" + bytes([number])) for number in range(3)]
    numbers = [history.add(new(minutes, digest=digest)).id for minutes, digest in enumerate(kept)]
    history.add(new(3))  # whose image is gone
    history.add(new(4, digest=kept[0], error="it is damaged", map_digest=None))
    paths = [history.pictures.path(each) for each in kept]
    assert history.last_images("line-3", 10) == list(zip(numbers, paths, strict=True))[::-1]
    assert history.last_images("line-3", 3) == [(numbers[2], paths[2])]
    assert history.last_images("line-4", 10) == []
