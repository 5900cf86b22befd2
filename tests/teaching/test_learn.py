"""What a station learns of marks: one new version, with thresholds that stay or are made anew as promised."""

from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

import oddlens
from oddlens.calibration import Calibration, Rates
from oddlens.data.shapes import runs_document
from oddlens.detection import find_regions
from oddlens.detector import Detector
from oddlens.errors import OddlensWarning, UsageError
from oddlens.io.images import Picture, read_image
from oddlens.methods.registry import method_cards
from oddlens.station import read_station, rollback, utc_now, versions, write_station
from oddlens.station.feedback import Mark, add_feedback, read_feedback
from oddlens.teaching.calibrating import sample_of
from oddlens.teaching.learn import learn
from oddlens.teaching.named_region import named_region
from oddlens.teaching.namer import Namer
from tests.noise import write_pictures

GOOD = 4


class Line:
    """A station with four references and sixteen other images, with what it says of them at its start."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder = folder / "line"
        self.references = write_pictures(folder / "good", GOOD)
        self.images = write_pictures(folder / "parts", 16, seed=1)
        detector = oddlens.load(model=model, device="cpu").add_references(self.references)
        detector.object_name = "nut"
        detector.save(self.folder)
        self.start = detector.detect(self.images, "nut")
        assert detector.calibration() is not None

    def mark(self, number: int, said: Literal["good", "bad", "unsure"], **others: object) -> None:
        found = self.start[number]
        values = {
            "verdict": "ng", "score": found.score, "said": said, "image": str(self.images[number]), "time": utc_now(),
            "sha256": read_image(self.images[number]).digest(),
        }  # fmt: skip
        add_feedback(self.folder, [Mark(**(values | others))])  # type: ignore[arg-type]

    def open(self) -> Detector:
        return oddlens.open_station(self.folder, device="cpu")

    @property
    def calibration(self) -> Calibration:
        calibration = self.open().calibration()
        assert calibration is not None
        return calibration


@pytest.fixture
def line(tmp_path: Path, open_clip_folder: Path) -> Line:
    return Line(tmp_path, open_clip_folder)


def test_flagged_good_images_join_the_references_and_leave_the_threshold_alone(line: Line) -> None:
    before = line.calibration
    line.mark(0, "good")
    line.mark(3, "good", verdict="review")
    learned = learn(line.folder, device="cpu")
    assert learned.version is not None
    assert (learned.version.number, learned.version.verb) == (2, "learn")
    assert learned.joined == (str(line.images[0]), str(line.images[3]))
    assert "The thresholds stay." in learned.sentences[0]
    assert "let defects pass" in learned.sentences[0]
    detector = line.open()
    assert detector.references is not None
    assert len(detector.references) == GOOD + 2
    assert line.calibration == before
    assert read_station(line.folder).thresholds_in_force == before.thresholds
    after = detector.detect(line.images, "nut")
    assert all(new.score <= old.score + 1e-6 for new, old in zip(after, line.start, strict=True))
    assert all(after[number].score < line.start[number].score for number in (0, 3))
    assert {found.threshold for found in after} == {line.start[0].threshold}
    with pytest.raises(UsageError, match="no version 3"):
        read_station(line.folder, 3)
    assert read_station(line.folder, 1).references is not None


def test_learning_twice_changes_nothing_more(line: Line) -> None:
    line.mark(0, "good")
    line.mark(1, "bad", defect="dent")
    assert learn(line.folder, defect_memory=True, device="cpu").version is not None
    again = learn(line.folder, device="cpu")
    assert again.version is None
    assert again.sentences[-1] == "There is nothing new to learn of what is marked."
    assert len(versions(line.folder)) == 2


def test_a_sample_of_the_line_that_a_lesson_takes_the_worth_of_is_said(line: Line) -> None:
    for each in line.open().observe(line.images[5:8]).images:
        sample_of(line.open(), line.folder).add(each)
    line.mark(1, "bad")
    assert not [each for each in learn(line.folder, device="cpu").sentences if "begins again" in each]
    line.mark(0, "good")
    (said,) = [each for each in learn(line.folder, device="cpu").sentences if "begins again" in each]
    assert said.startswith("3 images of its line were kept with scores of before")
    assert len(sample_of(line.open(), line.folder)) == 0
    rollback(line.folder, 2)
    assert len(sample_of(line.open(), line.folder)) == 3


@pytest.mark.parametrize(
    ("said", "others"),
    [("good", {"verdict": "ok"}), ("unsure", {}), ("good", {"audit": True}), ("good", {"verdict": None})],
)
def test_other_marks_teach_nothing(line: Line, said: Literal["good", "unsure"], others: dict[str, object]) -> None:
    line.mark(0, said, **others)
    assert learn(line.folder, device="cpu").version is None
    assert len(versions(line.folder)) == 1


def test_a_mark_that_is_taken_back_is_unlearned(line: Line) -> None:
    before = line.calibration
    line.mark(0, "good")
    line.mark(1, "bad", defect="dent")
    learn(line.folder, defect_memory=True, device="cpu")
    line.mark(0, "bad")
    line.mark(1, "unsure")
    learned = learn(line.folder, defect_memory=False, device="cpu")
    assert learned.left == (str(line.images[0]),)
    detector = line.open()
    assert detector.references is not None
    assert len(detector.references) == GOOD
    assert line.calibration.scores == pytest.approx(before.scores)
    assert detector.defects is not None
    assert [each.image for each in detector.defects.known] == [str(line.images[0])]
    assert detector.defects.regions.names == ()


def test_a_reference_that_turns_out_bad_takes_its_share_of_the_thresholds_with_it(line: Line) -> None:
    digest = read_image(line.references[1]).digest()
    line.mark(0, "bad", image=str(line.references[1]), sha256=digest)
    learn(line.folder, device="cpu")
    rest = [line.references[number] for number in (0, 2, 3)]
    alone = line.open().with_references(None)
    expected = alone.add_references(rest).calibration("nut")
    assert expected is not None
    assert line.calibration.scores == pytest.approx(expected.scores)
    assert line.calibration.thresholds.image == pytest.approx(expected.thresholds.image)


def test_a_model_that_cannot_name_keeps_the_names_and_says_so(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: object) -> Namer:
        raise UsageError("it has no words: take another model")

    monkeypatch.setattr("oddlens.teaching.learn.Namer", refuse)
    line.mark(0, "bad", defect="dent")
    learned = learn(line.folder, device="cpu")
    assert (learned.named, len(learned.defects)) == (0, 1)
    sentence = "Defects keep the names that they were given, and name no others: it has no words: take another model."
    assert sentence in learned.sentences
    defects = line.open().defects
    assert defects is not None
    assert ([each.name for each in defects.known], defects.regions.names) == (["dent"], ())
    monkeypatch.undo()
    assert learn(line.folder, device="cpu").named == 1  # as soon as a model can


def test_named_defects_name_others(line: Line) -> None:
    line.mark(0, "bad", defect="dent")
    line.mark(1, "bad", defect="burn", verdict="ok")
    line.mark(2, "bad")
    learned = learn(line.folder, device="cpu")
    assert (len(learned.defects), learned.named, learned.remembered) == (3, 2, 0)
    detector = line.open()
    defects = detector.defects
    assert defects is not None
    assert [(each.name, each.score) for each in defects.known] == [
        ("dent", pytest.approx(line.start[0].score)),
        ("burn", pytest.approx(line.start[1].score)),
        (None, pytest.approx(line.start[2].score)),
    ]
    namer = Namer(detector.method.backbone, known=defects.regions)
    for number, name in ((0, "dent"), (1, "burn")):
        found = replace(line.start[number], thresholds=replace(line.start[number].thresholds, image=-1.0))
        pixels = read_image(line.images[number]).pixels
        ranked = [each for each, _ in namer.named(found, pixels).regions[0].names if each != "unknown"]
        assert ranked[0] == name
    assert [new.score for new in detector.detect(line.images, "nut")] == [old.score for old in line.start]


def test_a_memory_of_defects_changes_scores_and_makes_the_thresholds_anew_by_the_first_references(line: Line) -> None:
    line.mark(0, "good")
    line.mark(1, "bad")
    line.mark(2, "bad")
    learned = learn(line.folder, defect_memory=True, device="cpu")
    assert learned.remembered == 2
    assert any("pays from about 10" in sentence for sentence in learned.sentences)
    assert not any("The thresholds stay" in sentence for sentence in learned.sentences)
    assert any("the thresholds were made anew" in sentence for sentence in learned.sentences)
    detector = line.open()
    assert detector.references is not None
    first = detector.with_references(detector.references[:GOOD])
    expected = first.calibration("nut")
    assert expected is not None
    assert line.calibration.scores == pytest.approx(expected.scores)
    assert len(line.calibration) == GOOD
    plain = line.open()
    with pytest.warns(OddlensWarning, match="made beside other defects and is dropped"):
        plain.defects = None
    with_memory, without = detector.detect(line.images, "nut"), plain.detect(line.images, "nut")
    assert any(a.score != pytest.approx(b.score) for a, b in zip(with_memory, without, strict=True))
    assert detector.identity.to_dict()["defects_sha256"] is not None
    assert "defects_sha256" not in plain.identity.to_dict()
    learn(line.folder, defect_memory=False, device="cpu")
    assert [each.score for each in line.open().detect(line.images, "nut")] == pytest.approx(
        [each.score for each in without]
    )
    assert len(line.calibration) == GOOD


def test_more_defects_join_the_memory(line: Line) -> None:
    line.mark(1, "bad")
    learn(line.folder, defect_memory=True, device="cpu")
    line.mark(2, "bad")
    learned = learn(line.folder, device="cpu")
    assert (learned.remembered, len(learned.defects)) == (2, 1)
    line.mark(1, "good", verdict="ok")
    assert learn(line.folder, device="cpu").remembered == 1
    memory = line.open().defects
    assert memory is not None
    assert memory.memory.images == (read_image(line.images[2]).digest(),)


def test_images_that_are_gone_or_others_now_are_passed_over(line: Line) -> None:
    for number in range(3):
        line.mark(number, "good")
    line.images[0].unlink()
    line.images[1].write_bytes(line.images[5].read_bytes())
    learned = learn(line.folder, device="cpu")
    assert learned.joined == (str(line.images[2]),)
    assert sum("is passed over" in sentence for sentence in learned.sentences) == 2


def test_one_marked_image_is_in_memory_at_a_time(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: weakref.WeakSet[Picture] = weakref.WeakSet()
    most = 0

    def read(image: str) -> Picture:
        nonlocal most
        alive.add(picture := read_image(image))
        most = max(most, len(alive))
        return picture

    monkeypatch.setattr("oddlens.teaching.learn.read_image", read)
    for number in range(4):
        line.mark(number, "good")
        line.mark(number + 4, "good", audit=True)
        line.mark(number + 8, "bad")
    learned = learn(line.folder, renew_calibration=True, device="cpu")
    assert (len(learned.joined), learned.calibrated, len(learned.defects)) == (4, 4, 4)
    assert most <= 2


def test_images_drawn_at_random_renew_the_calibration(line: Line) -> None:
    for number in range(12):
        line.mark(number, "good", audit=True, verdict="ng" if number < 4 else "ok")
    assert line.calibration.thresholds.review is None  # so few references tell no review from NG
    learned = learn(line.folder, renew_calibration=True, device="cpu")
    assert learned.calibrated == 12
    assert line.calibration.review_rate == 0  # and other images bring none
    assert learned.joined == ()  # an image that calibrates is no reference: it would score next to nothing
    assert line.calibration.kind == "split"
    assert sorted(line.calibration.scores) == pytest.approx(sorted(found.score for found in line.start[:12]))
    references = line.open().references
    assert references is not None
    assert len(references) == GOOD
    line.mark(13, "good")
    learn(line.folder, device="cpu")
    assert line.calibration.kind == "split"
    assert len(line.calibration) == 12


def test_rates_that_somebody_asked_for_stay_where_the_calibration_is_renewed(line: Line) -> None:
    rates = Rates(false_alarm_rate=0.3, review_rate=0.1)
    write_station(replace(read_station(line.folder), calibration=rates), line.folder)
    for number in range(12):
        line.mark(number, "good", audit=True, verdict="ok")
    learn(line.folder, renew_calibration=True, device="cpu")
    assert (len(line.calibration), line.calibration.rates) == (12, rates)


def test_fewer_random_images_than_made_the_thresholds_are_refused(line: Line) -> None:
    for number in range(GOOD - 1):
        line.mark(number, "good", audit=True)
    with pytest.raises(UsageError, match="3 images of good parts were drawn at random and marked, fewer than the 4"):
        learn(line.folder, renew_calibration=True, device="cpu")
    told = learn(line.folder, device="cpu")
    assert told.version is None
    assert "for --renew-calibration" in told.sentences[0]


def test_a_threshold_given_by_hand_stays_until_scores_are_others(line: Line) -> None:
    line.open().set_thresholds(image=0.3).save(line.folder)
    line.mark(0, "good")
    learn(line.folder, device="cpu")
    assert read_station(line.folder).thresholds.image == 0.3
    line.mark(1, "bad")
    learned = learn(line.folder, defect_memory=True, device="cpu")
    assert "The thresholds that were given by hand were for other scores, and went." in learned.sentences
    assert read_station(line.folder).thresholds.image is None
    assert len(line.calibration) == GOOD


def test_without_images_drawn_at_random_no_calibration_is_renewed(line: Line) -> None:
    line.mark(0, "good")
    with pytest.raises(UsageError, match="no good image was drawn at random"):
        learn(line.folder, renew_calibration=True, device="cpu")
    assert len(versions(line.folder)) == 1


def test_a_memory_of_defects_needs_good_examples(tmp_path: Path, open_clip_folder: Path) -> None:
    (image,) = write_pictures(tmp_path / "parts", 1)
    oddlens.load(model=open_clip_folder, device="cpu").set_thresholds(image=0.1).save(tmp_path / "bare")
    mark = Mark(
        time=utc_now(), image=str(image), sha256=read_image(image).digest(), said="bad", verdict="ng", score=0.5
    )  # fmt: skip
    add_feedback(tmp_path / "bare", [mark])
    with pytest.raises(UsageError, match="no good examples"):
        learn(tmp_path / "bare", defect_memory=True, device="cpu")
    learned = learn(tmp_path / "bare", device="cpu")
    assert learned.defects == (str(image),)
    assert np.isfinite([each.score for each in oddlens.open_station(tmp_path / "bare").detect(image)]).all()


def test_the_first_good_example_makes_other_scores_that_the_thresholds_were_not_made_for(
    tmp_path: Path, open_clip_folder: Path
) -> None:
    image, *others = write_pictures(tmp_path / "parts", 11)
    detector = oddlens.load(model=open_clip_folder, device="cpu")
    detector.calibrate(others, 0.2)
    detector.save(tmp_path / "bare")
    before = read_station(tmp_path / "bare").thresholds_in_force.image
    mark = Mark(
        time=utc_now(), image=str(image), sha256=read_image(image).digest(), said="good", verdict="ng", score=0.5
    )  # fmt: skip
    add_feedback(tmp_path / "bare", [mark])
    said = learn(tmp_path / "bare", device="cpu").sentences
    assert "The thresholds stay." not in said[0]
    assert "The thresholds do not hold any more: calibrate the station again ('oddlens calibrate')." in said
    assert f"The threshold was {before:.4g} and is none now." in said
    assert read_station(tmp_path / "bare").thresholds_in_force.image is None


@pytest.mark.parametrize("marked", [True, False])
def test_a_method_without_good_examples_says_what_it_is_not_taught_and_what_to_do(
    marked: bool, tmp_path: Path, open_clip_folder: Path
) -> None:
    (image,) = write_pictures(tmp_path / "parts", 1)
    oddlens.load("anovl", model=open_clip_folder, device="cpu").set_thresholds(image=0.1).save(tmp_path / "bare")
    if marked:
        mark = Mark(
            time=utc_now(), image=str(image), sha256=read_image(image).digest(), said="good", verdict="ng", score=0.5
        )  # fmt: skip
        add_feedback(tmp_path / "bare", [mark])
    (said,) = learn(tmp_path / "bare", device="cpu").sentences
    assert said.startswith("anovl takes no good examples, so that images that are marked good teach it nothing: ")
    assert "'oddlens calibrate --good'" in said
    assert "'oddlens station set --threshold'" in said


ALL = [name for name, card in method_cards().items() if card.needs.references != "no" and card.needs.weights == "no"]


@pytest.mark.parametrize("method", ALL)
def test_every_method_with_good_examples_takes_a_memory_of_defects_or_says_why_not(
    method: str, tmp_path: Path, open_clip_folder: Path
) -> None:
    good, parts = write_pictures(tmp_path / "good", 4), write_pictures(tmp_path / "parts", 3, seed=1)
    detector = oddlens.load(method, model=open_clip_folder, device="cpu").add_references(good)
    detector.save(tmp_path / "line")
    before = detector.detect(parts)
    marks = [
        Mark(
            time=utc_now(), image=str(path), sha256=read_image(path).digest(), said="bad", verdict="ng", score=found.score
        )
        for path, found in zip(parts[:2], before, strict=False)
    ]  # fmt: skip
    add_feedback(tmp_path / "line", marks)
    if not method_cards()[method].defect_memory:
        with pytest.raises(UsageError, match=f"{method} takes no memory of defects"):
            learn(tmp_path / "line", defect_memory=True, device="cpu")
        assert len(versions(tmp_path / "line")) == 1
        return
    assert learn(tmp_path / "line", defect_memory=True, device="cpu").remembered == 2
    after = oddlens.open_station(tmp_path / "line", device="cpu").detect(parts)
    assert max(new.score / old.score for new, old in zip(after, before, strict=True)) > 1
    assert all(new.score != old.score for new, old in zip(after, before, strict=True))


def test_the_name_of_a_defect_is_of_the_region_that_a_person_drew(line: Line) -> None:
    pixels = read_image(line.images[2]).pixels
    drawn = np.zeros(pixels.shape[:2], np.bool_)
    drawn[4:15, 6:20] = True
    line.mark(2, "bad", defect="dent", mask=runs_document(drawn))
    line.mark(3, "bad", defect="dent")
    assert learn(line.folder, device="cpu").named == 2
    detector = line.open()
    assert detector.defects is not None
    namer = Namer(detector.backbone)
    region = find_regions(drawn.astype(np.float32), 0.5)[0]
    with_mask, without = detector.defects.regions.features
    (expected,) = namer.features(pixels, [region])
    assert np.allclose(with_mask, expected, atol=1e-5)
    hottest = named_region(read_feedback(line.folder).marks[1], line.start[3])
    assert np.allclose(without, namer.features(read_image(line.images[3]).pixels, [hottest])[0], atol=1e-3)
