"""Marks of a station: what they say of its verdicts, how they are kept, and what is estimated from them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddlens.data.shapes import mask_of, pack_runs, runs_document
from oddlens.detection import Thresholds
from oddlens.errors import OddlensError, UsageError
from oddlens.provenance import Identity, ModelIdentity
from oddlens.station import FEEDBACK, StationState, write_station
from oddlens.station.feedback import Mark, add_feedback, estimates, read_feedback, said_by

MARK = Mark(time="2026-01-02T03:04:05+00:00", image="a.png", sha256="00", said="good", verdict="ng", score=0.5)


@pytest.fixture
def station(tmp_path: Path) -> Path:
    recipe: dict[str, Any] = {}
    identity = Identity(method="winclip", recipe=recipe, model=ModelIdentity(name="mini", sha256="", fingerprint=""))
    write_station(StationState(identity=identity, thresholds=Thresholds(0.5)), tmp_path / "line")
    return tmp_path / "line"


@pytest.mark.parametrize(
    ("said", "verdict", "judged"),
    [
        ("good", "ok", "right"), ("good", "review", "wrong"), ("good", "ng", "wrong"), ("bad", "ok", "wrong"),
        ("bad", "review", "right"), ("bad", "ng", "right"), ("unsure", "ng", "unsure"), ("good", None, "unsure"),
    ],
)  # fmt: skip
def test_a_verdict_is_right_where_bad_parts_are_stopped_and_good_ones_are_not(
    said: Any, verdict: Any, judged: str
) -> None:
    mark = replace(MARK, said=said, verdict=verdict)
    assert mark.judged == judged
    assert mark.to_dict()["judged"] == judged
    assert Mark.from_dict(mark.to_dict()) == mark
    if verdict is not None:
        assert said_by(mark.judged, verdict) == said


@pytest.mark.parametrize(
    "change",
    [
        {"said": "fine"},
        {"verdict": "maybe"},
        {"score": "high"},
        {"score": None},
        {"audit": 1},
        {"sha256": 3},
        {"mask": "0"},
        {"mask": {"size": [2, 2], "counts": "3"}},
        {"mask": {"size": [2, 2], "counts": "~"}},
    ],
)
def test_another_document_is_no_mark(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="this is no mark"):
        Mark.from_dict(MARK.to_dict() | change)


def test_a_mask_is_judged_without_its_pixels() -> None:
    mask = {"size": [10**7, 10**7], "counts": pack_runs([10**14])}  # as much as no memory holds
    assert Mark.from_dict(MARK.to_dict() | {"mask": mask}).mask == mask


def test_a_mask_that_a_person_drew_is_kept(station: Path) -> None:
    mask = np.zeros((3, 4), np.bool_)
    mask[1:, 2] = True
    mark = replace(MARK, said="bad", mask=runs_document(mask))
    add_feedback(station, [mark])
    (found,) = read_feedback(station).marks
    assert found == mark
    assert found.mask is not None
    assert np.array_equal(mask_of(found.mask), mask)
    assert "mask" not in MARK.to_dict()


def test_marks_are_added_and_the_last_one_of_an_image_counts(station: Path) -> None:
    first, other, later = MARK, replace(MARK, sha256="01", image="b.png"), replace(MARK, said="bad")
    add_feedback(station, [first, other])
    before = (station / FEEDBACK).read_bytes()
    add_feedback(station, [later])
    assert (station / FEEDBACK).read_bytes().startswith(before)
    assert read_feedback(station).marks == (first, other, later)
    assert set(read_feedback(station).last) == {other, later}


def test_a_line_that_a_stop_cut_off_spoils_no_other(station: Path) -> None:
    add_feedback(station, [MARK])
    with (station / FEEDBACK).open("ab") as file:
        file.write(b'{"time": "2026')
    add_feedback(station, [replace(MARK, sha256="01")])
    found = read_feedback(station)
    assert [mark.sha256 for mark in found.marks] == ["00", "01"]
    assert found.unread == 1


def test_marks_stay_when_the_station_is_written_again(station: Path) -> None:
    add_feedback(station, [MARK])
    identity = Identity(method="winclip", recipe={}, model=ModelIdentity(name="mini", sha256="", fingerprint=""))
    write_station(StationState(identity=identity, thresholds=Thresholds(0.4)), station)
    assert read_feedback(station).marks == (MARK,)


def test_what_is_no_station_takes_no_marks(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a station"):
        add_feedback(tmp_path, [MARK])
    assert not list(tmp_path.iterdir())
    assert read_feedback(tmp_path).marks == ()


def test_two_programs_may_mark_at_once(station: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from dataclasses import replace; from tests.station.test_feedback import MARK;"
        "from oddlens.station.feedback import add_feedback;"
        "[add_feedback(sys.argv[1], [replace(MARK, sha256=sys.argv[2] + str(n), comment='x' * 500)] * 3) for n in range(40)]"
    )
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root}/src:{root}"}
    programs = [subprocess.Popen([sys.executable, "-c", code, str(station), name], env=environment) for name in "ab"]
    assert [program.wait(timeout=120) for program in programs] == [0, 0]
    found = read_feedback(station)
    assert (len(found.marks), len(found.last), found.unread) == (240, 80, 0)


def test_a_full_disk_is_said_and_leaves_no_part(station: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_feedback(station, [MARK])
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:20]))
    with pytest.raises(OddlensError, match="cannot be written"):
        add_feedback(station, [MARK])
    monkeypatch.undo()
    assert read_feedback(station).marks == (MARK,)
    assert read_feedback(station).unread == 0


def test_precision_is_of_ng_images_and_misses_are_of_audited_ones_alone() -> None:
    marks = [replace(MARK, said="bad")] * 3 + [MARK]
    marks += [replace(MARK, verdict="review", said="bad"), replace(MARK, said="unsure")]
    marks += [replace(MARK, verdict="ok", said="bad")] * 5  # they caught somebody's eye
    found = estimates(marks)
    assert found.precision is not None
    assert (found.precision.count, found.precision.total) == (3, 4)
    assert found.precision.interval == pytest.approx((0.194, 0.994), abs=1e-3)  # Clopper-Pearson
    assert found.misses is None
    assert "Nothing is known of misses" in found.sentences[1]
    audited = [replace(MARK, verdict="ok", audit=True)] * 19 + [replace(MARK, verdict="ok", audit=True, said="bad")]
    with_audit = estimates([*marks, *audited])
    assert with_audit.misses is not None
    assert (with_audit.misses.count, with_audit.misses.total) == (1, 20)
    assert with_audit.to_dict()["misses"] == {
        "hits": 1,
        "total": 20,
        "low": with_audit.misses.interval[0],
        "high": with_audit.misses.interval[1],
    }
    assert with_audit.misses.interval == pytest.approx((0.00127, 0.2487), abs=1e-4)
    assert with_audit.sentences[1].startswith("Of the OK images that were drawn for audit and marked, 1 of 20 is bad")
    assert with_audit.false_alarms is not None
    assert (with_audit.false_alarms.count, with_audit.false_alarms.total) == (0, 19)
    json.dumps(with_audit.to_dict())


def test_without_marks_nothing_is_estimated() -> None:
    assert "nothing is known of precision or misses" in estimates([]).sentences[0]
    assert estimates([replace(MARK, said="unsure")]).precision is None
