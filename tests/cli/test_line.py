"""What a run says of the line of its station."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from oddlens import open_station
from oddlens.calibration import Readiness
from oddlens.cli.line import StationLine
from oddlens.inference.records import Record
from oddlens.station import read_station, write_station
from oddlens.station.learning import LEAST_COMPARED
from tests.service.given import make_station, part


def test_a_sample_that_is_deleted_while_a_run_lasts_says_nothing_any_more(tmp_path: Path) -> None:
    folder = make_station(tmp_path / "plates", 5)
    write_station(replace(read_station(folder), state=Readiness("learning")), folder, verb="set", what="it learns")
    detector = open_station(folder)
    line = StationLine(detector, str(folder), detector.object_name, {})
    images = [np.asarray(part(seed)) for seed in range(200, 200 + LEAST_COMPARED)]

    def bring(number: int) -> None:
        (detection,) = detector.detect(images[number])
        record: Record = {"score": detection.score, "verdict": detection.verdict}
        for sink in line.sinks:
            sink.draw(number, detection, lambda: images[number])
            sink.write(number, record)

    for number in range(LEAST_COMPARED):
        bring(number)
    line.finish()
    assert detector.state is not None
    assert detector.state.tested is not None
    bring(0)
    assert detector.state.tested is not None
    shutil.rmtree(folder / "learning")
    bring(0)
    assert detector.state.tested is None
