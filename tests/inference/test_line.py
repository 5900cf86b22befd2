"""A run watches its line: what a learning station keeps, what is compared, and which images drift is looked for among."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oddlens.calibration import LEAST_KNOWN, Rates, Scene, calibrate_on_observed
from oddlens.detection import UNSEEN, Detection, ValueRange
from oddlens.inference.line import LEAST_COMPARED, LearningSink, LineSink
from oddlens.inference.records import Record
from oddlens.io.images import Picture
from oddlens.station.learning import LearningSample
from tests.calibration.observed import observed


def seen(number: int, score: float, embedding: np.ndarray | None, verdict: str = "ok") -> tuple[Detection, Record]:
    """An image of the line and its record."""
    found = Detection(
        score,
        np.full((4, 4), score, np.float32),
        (8, 6),
        replace(THRESHOLDS),
        ValueRange(0, 1, ""),
        f"{number}.png",
        embedding=None if embedding is None else embedding.astype(np.float32),
    )
    return found, {"path": f"{number}.png", "score": score, "verdict": verdict}


RNG = np.random.default_rng(0)
KNOWN = observed((RNG.lognormal(size=40)).tolist())
CALIBRATION = calibrate_on_observed(KNOWN, Rates(), object_name="nut")
THRESHOLDS = CALIBRATION.thresholds
SCENE = Scene(np.zeros((0, 8), np.float32), KNOWN.embeddings)


def pixels(number: int) -> np.ndarray:
    return np.full((6, 8, 3), number % 251, np.uint8)


def passed(sink: LineSink | LearningSink, images: list[tuple[Detection, Record]], first: int = 0) -> None:
    """All images through a sink, as a run does it. first: the number of the first."""
    for number, (detection, record) in enumerate(images, first):
        sink.draw(number, detection, lambda number=number: pixels(number))
        assert sink.write(number, record) == record


class TestLearning:
    def test_every_image_may_be_kept_whatever_its_verdict(self, tmp_path: Path) -> None:
        sink = LearningSink(LearningSample(tmp_path, "me"), CALIBRATION, SCENE)
        unseen, record = seen(3, 0.0, np.ones(8), "review")
        images = [seen(0, 0.5, np.ones(8)), seen(1, 9.0, np.ones(8), "ng"), seen(2, 0.5, None)]
        passed(sink, [*images, (replace(unseen, concern=UNSEEN, is_unseen=True), record)])
        found = sink.sample.read()
        assert sorted(each.source for each in found) == ["0.png", "1.png"]
        shape = hashlib.sha256(b"(6, 8, 3)")
        shape.update(pixels(0).tobytes())
        assert shape.hexdigest() in {each.digest for each in found}
        assert "2 of 60 images" in sink.sentence("line-3")
        assert "oddlens calibrate line-3 --from-learning" in sink.sentence("line-3")
        assert 'oddlens calibrate "Zu prüfen/line 3" --from-learning' in sink.sentence("Zu prüfen/line 3")

    def test_a_good_example_is_no_image_of_the_line(self, tmp_path: Path) -> None:
        sink = LearningSink(LearningSample(tmp_path, "me"), CALIBRATION, SCENE, [Picture(pixels(1), "").digest()])
        passed(sink, [seen(n, 0.5, np.ones(8)) for n in range(3)])
        assert sorted(each.source for each in sink.sample.read()) == ["0.png", "2.png"]

    def test_a_result_that_is_not_written_is_not_kept(self, tmp_path: Path) -> None:
        sink = LearningSink(LearningSample(tmp_path, "me"), CALIBRATION, SCENE)
        detection, _ = seen(0, 0.5, np.ones(8))
        sink.draw(0, detection, lambda: pixels(0))
        assert len(sink.sample) == 0

    @pytest.mark.parametrize("count", [LEAST_COMPARED - 1, LEAST_COMPARED + 10])
    def test_references_are_compared_when_there_is_enough_to_compare_with(self, tmp_path: Path, count: int) -> None:
        references = observed(KNOWN.scores[:10], kind="leave-one-out")
        known = calibrate_on_observed(references, Rates(), object_name="nut")
        scene = Scene(references.embeddings, np.zeros((0, 8), np.float32))
        sink = LearningSink(LearningSample(tmp_path, "me"), known, scene)
        passed(sink, [seen(n, 0.5, 5 + RNG.normal(size=8)) for n in range(count)])
        found = sink.compared()
        assert (found is None) == (count < LEAST_COMPARED)
        assert found is None or found.is_refuted


class TestLine:
    def test_images_that_are_like_the_calibration_raise_nothing(self) -> None:
        sink = LineSink(CALIBRATION, SCENE)
        rng = np.random.default_rng(4)
        stream = [float(each) for each in rng.lognormal(size=200) if each <= (THRESHOLDS.review or 9)]
        passed(sink, [seen(n, score, rng.normal(size=8)) for n, score in enumerate(stream)])
        found = sink.compared()
        assert found is not None
        assert not found.is_refuted
        assert sink.monitor.alarm is None

    def test_the_twenty_images_that_five_percent_needs_are_compared(self) -> None:
        known = observed(KNOWN.scores[:20])
        calibration = calibrate_on_observed(known, Rates(), object_name="nut")
        assert calibration.false_alarm_rate == 0.05
        sink = LineSink(calibration, Scene(np.zeros((0, 8), np.float32), known.embeddings))
        passed(sink, [seen(n, 0.5 + n / 1000, 3 + RNG.normal(size=8)) for n in range(20)])
        found = sink.compared()
        assert found is not None
        assert (found.known, found.later, found.is_refuted) == (18, 20, True)

    @pytest.mark.parametrize("count", [LEAST_KNOWN, LEAST_KNOWN + 1])
    def test_fewer_than_can_be_compared_are_said_to_be(self, count: int) -> None:
        known = observed(KNOWN.scores[:count])
        calibration = calibrate_on_observed(known, Rates(), object_name="nut")
        sink = LineSink(calibration, Scene(np.zeros((0, 8), np.float32), known.embeddings))
        passed(sink, [seen(n, 0.0, RNG.normal(size=8)) for n in range(30)])
        never = "is not tested: 10 or more of them would have to lie below the thresholds, and 9 do."
        assert (sink.compared() is None) == (never in calibration.promise) == (count == LEAST_KNOWN)
        assert ("has not been tested yet" in calibration.promise) == (count > LEAST_KNOWN)

    def test_another_look_is_noticed(self) -> None:
        sink = LineSink(CALIBRATION, SCENE)
        passed(sink, [seen(n, 0.5 + n / 1000, 3 + RNG.normal(size=8)) for n in range(30)])
        found = sink.compared()
        assert found is not None
        assert found.is_refuted

    def test_images_that_the_station_knows_are_not_compared(self) -> None:
        digests = [Picture(pixels(n), "").digest() for n in range(60)]
        dark = [seen(n, 0.5 + n / 1000, 3 + RNG.normal(size=8)) for n in range(60, 90)]
        known = replace(CALIBRATION, digests=tuple(digests[:40]))
        sink = LineSink(known, SCENE, references=digests[40:])
        assert sink.needs_image
        passed(sink, [seen(n, KNOWN.scores[n], KNOWN.embeddings[n]) for n in range(40)])
        passed(sink, [seen(n, 0.0, KNOWN.embeddings[n - 40]) for n in range(40, 60)], first=40)
        assert (sink.ok_count, sink.compared()) == (0, None)  # nothing is said of the line
        passed(sink, dark, first=60)
        found = sink.compared()
        assert found is not None
        assert found.is_refuted

    def test_only_what_is_ok_counts(self) -> None:
        sink = LineSink(CALIBRATION, SCENE)
        passed(sink, [seen(n, 50.0 + n, 9 + RNG.normal(size=8), "ng") for n in range(300)])
        assert sink.monitor.alarm is None
        assert sink.compared() is None

    def test_a_drift_is_noticed(self) -> None:
        sink = LineSink(CALIBRATION, None)
        passed(sink, [seen(n, (THRESHOLDS.review or 9) - 0.001 * (n % 7), None) for n in range(150)])
        assert sink.monitor.alarm is not None
        assert sink.monitor.alarm.rises

    def test_a_failure_is_passed_over(self) -> None:
        LineSink(CALIBRATION, SCENE).write(0, {"path": "a.png", "error": "damaged"})
