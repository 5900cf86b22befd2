"""What a person says of an inspection: what the part is, and the mark that its station learns of."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from oddlens.detection import Thresholds
from oddlens.errors import UsageError
from oddlens.history.history import History
from oddlens.history.records import Inspection
from oddlens.history.remarks import LONGEST_COMMENT, entry_of, tell_station
from oddlens.io.images import read_image
from oddlens.provenance import Identity, ModelIdentity
from oddlens.station import StationState, write_station
from oddlens.station.feedback import Judged, Said, read_feedback
from tests.history.given import found, new


@pytest.fixture
def inspection(history: History) -> Inspection:
    """NG; its image is kept."""
    target = io.BytesIO()
    Image.new("RGB", (8, 6), (90, 20, 30)).save(target, "PNG")
    return history.add(new(digest=history.pictures.put(target.getvalue()), audit=True))


@pytest.fixture
def station(tmp_path: Path) -> Path:
    identity = Identity(method="winclip", recipe={}, model=ModelIdentity(name="mini", sha256="", fingerprint=""))
    write_station(StationState(identity=identity, thresholds=Thresholds(0.5)), tmp_path / "line-3")
    return tmp_path / "line-3"


@pytest.mark.parametrize(
    ("verdict", "judged", "said"),
    [
        ("ng", "right", "bad"),
        ("ng", "wrong", "good"),
        ("ok", "right", "good"),
        ("ok", "wrong", "bad"),
        ("ok", "unsure", "unsure"),
    ],
)
def test_what_is_judged_says_what_the_part_is(history: History, verdict: str, judged: Judged, said: Said) -> None:
    before = datetime.now(UTC)
    entry = entry_of(history.add(new(detection=found(verdict=verdict))), judged=judged)
    assert (entry.said, entry.defect, entry.comment, entry.reviewer) == (said, None, None, None)
    assert before <= entry.time <= datetime.now(UTC)


def test_what_is_said_counts_more_than_what_is_judged(inspection: Inspection) -> None:
    entry = entry_of(inspection, judged="right", said="good", comment="dirt", reviewer="Ada", defect="dent")
    assert (entry.inspection_id, entry.said, entry.comment, entry.reviewer) == (inspection.id, "good", "dirt", "Ada")
    assert entry.defect is None  # a good part has none
    assert entry_of(inspection, said="bad", defect="dent").defect == "dent"
    assert entry_of(inspection, said="bad", defect="", comment="").comment is None


def test_what_cannot_be_said_is_refused(inspection: Inspection) -> None:
    with pytest.raises(UsageError, match=r"^nothing is said: give judged, one of right, wrong, unsure, or said$"):
        entry_of(inspection)
    with pytest.raises(UsageError, match=r"^the comment has 2001 letters: give at most 2000$"):
        entry_of(inspection, said="good", comment="x" * (LONGEST_COMMENT + 1))
    with pytest.raises(UsageError, match="the reviewer's name"):
        entry_of(inspection, said="good", reviewer="")
    with pytest.raises(UsageError, match="a,b"):
        entry_of(inspection, said="bad", defect="a,b")


def test_a_failed_inspection_is_right_or_wrong_in_nothing(history: History) -> None:
    failed = history.add(new(error="it is damaged", map_digest=None))
    with pytest.raises(UsageError):
        entry_of(failed, judged="right")
    assert entry_of(failed, said="bad").said == "bad"


def test_the_station_gets_a_mark_of_the_kept_image(history: History, inspection: Inspection, station: Path) -> None:
    entry = entry_of(inspection, said="bad", defect="dent", comment="at the edge", reviewer="Ada")
    assert tell_station(station, history.pictures, inspection, entry) is None
    (mark,) = read_feedback(station).marks
    assert (mark.said, mark.defect, mark.comment, mark.reviewer) == ("bad", "dent", "at the edge", "Ada")
    assert (mark.verdict, mark.score, mark.audit, mark.version) == ("ng", 0.7, True, 2)
    assert Path(mark.image) == history.pictures.path(inspection.digest)
    assert mark.sha256 == read_image(Path(mark.image)).digest()  # of its pixels, as references have it


def test_why_a_station_cannot_learn_is_said(history: History, station: Path) -> None:
    failed = history.add(new(error="it is damaged", map_digest=None))
    gone = history.add(new(1))
    for inspection, why in ((failed, "it could not be inspected"), (gone, "the image is no longer kept")):
        said = tell_station(station, history.pictures, inspection, entry_of(inspection, said="bad"))
        assert said == f"the station cannot learn from it: {why}"
    assert read_feedback(station).marks == ()
