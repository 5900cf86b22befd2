"""References join and leave in any order: thresholds are those of a fresh station of the good ones that were not flagged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import oddlens
from oddlens.detector import Detector
from oddlens.errors import UsageError
from oddlens.io.images import Picture, read_image
from oddlens.sharing.station import pull_station, push_station
from oddlens.station import read_station, rollback, utc_now, write_station
from oddlens.station.feedback import Mark, add_feedback
from oddlens.teaching.calibrating import observe_references
from oddlens.teaching.changing import asked_otherwise
from oddlens.teaching.learn import Lesson
from oddlens.teaching.looked_at import with_other_references
from tests.noise import write_pictures

ALL = 7
FIRST = 3


def opened(folder: Path) -> Detector:
    return oddlens.open_station(folder, runtime="onnx")


class Taught:
    """A station of the first images, and what must be known of its references. Images are known by their numbers."""

    def __init__(self, folder: Path, images: list[Path]) -> None:
        self.folder, self.images = folder, images
        self.pictures = [read_image(path) for path in images]
        self.good, self.flagged = [*range(FIRST)], list[int]()
        self.last = dict[int, Literal["good", "bad"]]()
        self.stopped, self.taken_out = set[int](), set[int]()
        write_station(self.fresh(self.good).to_state(), folder, verb="create", what="made")

    def fresh(self, numbers: list[int]) -> Detector:
        detector = oddlens.load("patch-knn", runtime="onnx")
        return detector.add_references([self.pictures[number] for number in numbers]) if numbers else detector

    def mark(self, number: int, said: Literal["good", "bad"]) -> None:
        picture, path = self.pictures[number], str(self.images[number])
        mark = Mark(time=utc_now(), image=path, sha256=picture.digest(), said=said, verdict="ng", score=0.5)
        add_feedback(self.folder, [mark])
        self.last[number] = said
        self.stopped |= {number} if said == "good" else set()

    def learn(self, number: int, said: Literal["good", "bad"]) -> list[str]:
        """Mark an image that was flagged, and learn of all marks."""
        self.mark(number, said)
        lesson = Lesson(self.folder, runtime="onnx")
        lesson.write()
        for each, what in self.last.items():
            if what == "bad":
                self.good, self.flagged = ([n for n in numbers if n != each] for numbers in (self.good, self.flagged))
                self.taken_out.discard(each)
            elif each not in [*self.good, *self.flagged, *self.taken_out]:
                self.flagged.append(each)
        return list(lesson.learned.sentences)

    def teach(self, number: int) -> None:
        """Add an image on the page Teach."""
        self._change([self.pictures[number]])
        if number not in self.good + self.flagged:
            (self.flagged if number in self.stopped else self.good).append(number)
            self.taken_out.discard(number)

    def remove(self, number: int) -> None:
        """Take one out there."""
        try:
            self._change(leaving=[self.pictures[number].digest()])
        except UsageError:
            return  # it is none, or the last one
        self.taken_out |= {number} & set(self.flagged)
        self.good, self.flagged = ([n for n in numbers if n != number] for numbers in (self.good, self.flagged))

    def _change(self, joining: list[Picture] | None = None, leaving: list[str] | None = None) -> None:
        detector = opened(self.folder)
        names = [str(path) for path in self.images]
        with_other_references(detector, self.folder, joining or [], leaving or [], names)
        write_station(detector.to_state(), self.folder, verb="references", what="changed")

    def check(self, folder: Path | None = None) -> None:
        """Hold the station against a fresh one."""
        folder = self.folder if folder is None else folder
        state, fresh = read_station(folder), self.fresh(self.good)
        calibration = fresh.calibration()
        assert (state.thresholds_in_force.image is None) == (calibration is None)
        if calibration is not None:
            assert state.calibration_in_force is not None
            assert sorted(state.calibration_in_force.scores) == pytest.approx(sorted(calibration.scores), abs=1e-6)
        references = self.good + self.flagged
        assert len(references) == (0 if state.references is None else len(state.references.sources))
        if references:
            expected = [each.score for each in self.fresh(references).detect(self.pictures)]
            assert [each.score for each in opened(folder).detect(self.pictures)] == pytest.approx(expected, abs=1e-5)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_pictures(tmp_path_factory.mktemp("parts"), ALL)


@pytest.fixture
def taught(tmp_path: Path, images: list[Path]) -> Taught:
    return Taught(tmp_path / "line", images)


STEPS: dict[str, Callable[[Taught, int], object]] = {
    "teach": Taught.teach,
    "remove": Taught.remove,
    "good": lambda taught, number: taught.learn(number, "good"),
    "bad": lambda taught, number: taught.learn(number, "bad"),
}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, ALL - 1)), min_size=2, max_size=6))
def test_thresholds_are_those_of_the_good_ones_that_were_not_flagged(
    steps: list[tuple[str, int]], images: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    taught = Taught(tmp_path_factory.mktemp("stations") / "line", images)
    for step, number in steps:
        bad = {each for each, said in taught.last.items() if said == "bad"} | ({number} if step == "bad" else set())
        if set(taught.good + taught.flagged) - bad:  # the last one does not go
            STEPS[step](taught, number)
    taught.check()


def test_one_that_was_added_after_a_flagged_one_sets_the_threshold(taught: Taught) -> None:
    taught.learn(4, "good")
    taught.teach(5)
    before = read_station(taught.folder).thresholds_in_force.image
    said = taught.learn(0, "bad")
    taught.check()
    after = read_station(taught.folder).thresholds_in_force.image
    assert before is not None
    assert after is not None
    assert "The thresholds were made anew, by 3 references, each against the others." in said
    assert f"The threshold was {before:.4g} and is {after:.4g} now." in said


def test_a_flagged_one_that_is_taken_out_by_hand_does_not_join_again_by_itself(taught: Taught) -> None:
    taught.learn(4, "good")
    taught.remove(4)
    said = taught.learn(5, "good")
    taught.check()
    assert taught.flagged == [5]
    assert (
        "1 flagged good image was taken out of the references by hand, and what was joins again by hand alone." in said
    )
    taught.remove(0)  # the thresholds are made anew, and it is remembered all the same
    taught.learn(6, "good")
    taught.check()
    taught.learn(4, "bad")
    taught.learn(4, "good")  # who looked at it anew means it
    assert 4 in taught.flagged
    taught.check()


def test_the_station_itself_knows_which_were_flagged(taught: Taught, tmp_path: Path) -> None:
    """So that one that was pulled, without the marks, goes on as it should."""
    taught.learn(4, "good")
    taught.teach(5)
    push_station(taught.folder, str(tmp_path / "pushed"))
    pull_station(str(tmp_path / "pushed"), tmp_path / "pulled")
    taught.folder = tmp_path / "pulled"
    taught.remove(0)
    taught.check()
    with pytest.raises(UsageError, match="1 reference joined because it was flagged"):
        observe_references(opened(taught.folder), taught.folder)


def test_a_station_that_was_made_before_is_told_by_its_marks(taught: Taught) -> None:
    taught.learn(4, "good")
    taught.teach(5)
    state = read_station(taught.folder)
    assert state.references is not None
    write_station(replace(state, references=replace(state.references, flagged=None)), taught.folder)
    taught.learn(0, "bad")
    taught.check()


def test_a_version_that_is_gone_back_to_knows_its_own(taught: Taught) -> None:
    taught.learn(4, "good")
    rollback(taught.folder, 1)
    taught.flagged = []
    taught.check()
    taught.teach(5)
    taught.check()


def test_with_one_that_was_not_flagged_there_is_no_threshold(taught: Taught) -> None:
    taught.learn(4, "good")
    taught.learn(0, "bad")
    said = taught.learn(1, "bad")
    assert "The thresholds do not hold any more: calibrate the station again ('oddlens calibrate')." in said
    assert any(each.endswith(" and is none now.") for each in said)
    taught.check()
    with pytest.raises(UsageError, match="what was flagged sets no threshold"):
        opened(taught.folder).calibrate()
    taught.teach(5)
    taught.check()


def test_another_object_leaves_thresholds_to_those_that_were_not_flagged(taught: Taught) -> None:
    taught.learn(4, "good")
    taught.teach(5)
    detector = opened(taught.folder)
    changed = asked_otherwise(taught.folder, detector, read_station(taught.folder), object_name="bolt")
    write_station(changed.state, taught.folder)
    taught.check()


def test_thresholds_of_other_good_images_give_way_to_those_that_were_not_flagged(taught: Taught) -> None:
    detector = opened(taught.folder)
    detector.calibrate(taught.pictures[4:])
    write_station(detector.to_state(), taught.folder)
    taught.learn(3, "good")
    assert read_station(taught.folder).calibration == detector.calibration()
    said = taught.learn(0, "bad")
    assert "The thresholds were made anew, by 2 references, each against the others." in said
    taught.check()
    state = read_station(taught.folder).state
    assert state is not None
    assert state.stage == "learning"


def test_the_last_ones_do_not_go(taught: Taught) -> None:
    for number in range(FIRST):
        taught.mark(number, "bad")
    with pytest.raises(
        UsageError, match=r"^references that are all marked bad cannot go: add others first, on the page Teach$"
    ):
        Lesson(taught.folder, runtime="onnx")
    assert len(read_station(taught.folder).references.sources) == FIRST  # type: ignore[union-attr]
