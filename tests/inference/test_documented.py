"""docs/reference/results.md describes every file and every field that a run writes."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from oddlens.detection import Detection, Marking, Thresholds, ValueRange
from oddlens.inference.kinds import KINDS
from oddlens.inference.report import ReportSink
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import COLUMNS, CsvSink, FolderSink
from oddlens.inference.task import Task
from tests.inference.stub import StubPredictor
from tests.noise import write_pictures

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "results.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the documents of a checkout")


@pytest.fixture(scope="module")
def named() -> set[str]:
    """All that stands between backticks in a table's first column, or in a row of fields."""
    rows = re.findall(r"^\| (.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name for row in rows for name in re.findall("`(.*?)`", row)}


def test_every_file_of_a_run(named: set[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    task = Task("bolt", tuple(write_pictures(tmp_path / "in", 1)))
    list(run(StubPredictor(), task, [FolderSink(ResultsFolder(out)), CsvSink(out / "results.csv"), ReportSink(out)]))
    assert {f"{kind}/*{KINDS[kind].suffix}" for kind in KINDS} <= named
    assert {path.name for path in out.iterdir() if path.is_file()} <= named
    line = json.loads((out / "results.jsonl").read_text())
    assert set(line) <= named
    assert set(json.loads((out / "run.json").read_text())) <= named


def test_every_field_of_a_detection_and_its_regions(named: set[str]) -> None:
    anomaly_map = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    found = Detection(
        0.4, anomaly_map, (40, 30), Thresholds(0.5, 0.7, "given", 0.3, "a promise"), ValueRange(0, 1, "fixed"), "a.png",
        note="a note", labels=np.zeros((10, 10), np.uint8), label_names=("road",), p_value=0.1, concern="another part", unlike=True,
        marking=Marking(mm_per_pixel=0.1),
    ).to_dict()  # fmt: skip
    assert {"review_threshold", "p_value", "concern", "unlike", "note", "classes", "area_mm2"} <= {
        *found,
        *found["regions"][0],
    }
    assert {*found, *found["regions"][0]} <= named


def test_every_column_of_the_table(named: set[str]) -> None:
    assert set(COLUMNS) <= named
