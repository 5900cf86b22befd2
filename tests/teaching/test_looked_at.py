"""Good images that a program brings are looked at first: what is doubtful and was not accepted changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import oddlens
from oddlens.detector import Detector
from oddlens.errors import OddlensWarning, UsageError
from oddlens.io.images import Picture
from oddlens.loading import open_station
from oddlens.station import write_station
from oddlens.teaching.looked_at import calibrated_on, made_of, with_other_references
from oddlens.teaching.report import DoubtfulError
from tests.teaching.test_references import pictures


@pytest.fixture
def odd() -> Picture:
    (found,) = pictures(9)
    found.pixels[10:30, 10:30] = 0
    return found


@pytest.fixture
def station(tmp_path: Path) -> Path:
    """Of five references."""
    detector = oddlens.load("patch-knn", runtime="onnx").add_references(pictures(0, 1, 2, 3, 4))
    write_station(detector.to_state(), tmp_path, verb="create", what="made")
    return tmp_path


@pytest.fixture
def opened(station: Path) -> Detector:
    return open_station(station, runtime="onnx")


def test_the_same_image_counts_once_and_is_named() -> None:
    copy = Picture(pictures(0)[0].pixels, "copy.png")
    with pytest.warns(OddlensWarning, match="counts once"):
        detector, found = made_of([*pictures(0), copy, *pictures(1, 2, 3)], "nut", "onnx", "all")
    assert len(detector.references or ()) == 4
    assert found.what == "made of 4 references (1 copy left out)"
    assert found.copies == "The same image counts once (copy.png is 0.png): the station is made of 4 references."
    assert found.sentences[0] == found.copies


def test_a_copy_of_a_reference_does_not_join_it(station: Path, opened: Detector) -> None:
    found = with_other_references(opened, station, pictures(0, 7), accept=None)
    assert found.sentences[:2] == [
        "1 reference added.",
        "1 image is a copy of a reference, and left out: the same image counts once.",
    ]


def test_a_new_station_is_made_of_what_somebody_accepts(odd: Picture) -> None:
    images = [*pictures(0, 1, 2, 3), odd]
    with pytest.raises(DoubtfulError, match=r"9\.png differs most"):
        made_of(images, "nut", "onnx", ())
    detector, found = made_of(images, "nut", "onnx", ["9.png"])
    assert (detector.object_name, found.what) == ("nut", "made of 5 references")
    assert [row["name"] for row in found.vetting if row["flagged"]] == ["9.png"]
    assert "9.png differs most" in found.sentences[0]
    assert found.sentences[-1].endswith("were accepted: 9.png.")  # the promise
    assert found.to_dict() == {"sentences": found.sentences, "vetting": found.vetting, "copies": None}


def test_one_image_makes_a_station_that_promises_nothing() -> None:
    detector, found = made_of(pictures(0), "nut", "onnx", ())
    assert (detector.calibration(), found.sentences, found.vetting) == (None, [], [])


def test_a_doubtful_one_joins_where_somebody_accepts_it(station: Path, odd: Picture) -> None:
    with pytest.raises(DoubtfulError, match=r"9\.png differs most"):
        with_other_references(open_station(station, runtime="onnx"), station, [odd])
    asked = with_other_references(open_station(station, runtime="onnx"), station, [odd], accept=None)
    assert asked.vetting[0]["name"] == "9.png"
    detector = open_station(station, runtime="onnx")
    done = with_other_references(detector, station, [odd], accept=["9.png"])
    assert done == asked
    assert done.what == " ".join(done.sentences)
    assert detector.accepted is not None
    assert list(detector.accepted.names) == ["9.png"]
    again = with_other_references(detector, station, pictures(5))  # nobody is asked about it twice
    assert again.sentences[0] == "1 reference added."


def test_nothing_is_looked_at_where_one_only_goes(opened: Detector, station: Path) -> None:
    assert opened.references is not None
    found = with_other_references(opened, station, leaving=opened.references.digests[:1])
    assert (found.sentences[0], found.vetting) == ("1 reference removed.", [])


def test_thresholds_by_other_good_images(opened: Detector, station: Path, odd: Picture) -> None:
    images = [*pictures(*range(20, 30)), odd]
    with pytest.raises(DoubtfulError, match=r"9\.png"):
        calibrated_on("files", opened, station, images)
    found = calibrated_on("files", opened, station, images, ["9.png", "24.png"], (0.2, 0.0))
    assert found.what == "calibrated on 11 good images"
    assert found.sentences[-1].startswith("The threshold was ")
    calibration = opened.calibration()
    assert calibration is not None
    assert (calibration.kind, calibration.false_alarm_rate, len(found.vetting)) == ("split", 0.2, 11)


def test_thresholds_by_the_references(opened: Detector, station: Path) -> None:
    found = calibrated_on("references", opened, station, accept=["all"])
    assert (found.what, found.sentences) == ("calibrated on 5 references, each against the others", [])


def test_a_line_that_brought_nothing_makes_no_thresholds(opened: Detector, station: Path) -> None:
    with pytest.raises(UsageError, match="the station has kept no images of its line yet"):
        calibrated_on("learning", opened, station)
