"""results.parquet: the rows of results.csv with types."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from oddlens.errors import Failure
from oddlens.inference import parquet as module
from oddlens.inference.parquet import ParquetSink
from oddlens.inference.runner import run
from oddlens.inference.sinks import COLUMNS, CsvSink, write_csv
from oddlens.inference.task import Task
from tests.inference.stub import StubPredictor
from tests.noise import write_pictures

parquet = pytest.importorskip("pyarrow.parquet", reason="the extra ray is not installed")


@pytest.mark.parametrize("held", [1, 2, 8192])
def test_every_image_is_a_row_as_in_the_csv_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(module, "_ROWS", held)
    first, *others = write_pictures(tmp_path, 4)
    first.write_bytes(b"")
    items = (first, *others, Failure("caf\udce9.png", "caf\udce9.png does not exist: check the path"))
    sinks = [CsvSink(tmp_path / "results.csv"), ParquetSink(tmp_path / "results.parquet")]
    assert len(list(run(StubPredictor(), Task("nut", items), sinks))) == 5
    found = parquet.read_table(tmp_path / "results.parquet")
    assert found.column_names == list(COLUMNS)
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        wanted = list(csv.DictReader(file))
    rows = found.to_pylist()
    assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows] == wanted
    assert isinstance(rows[1]["score"], float)
    assert isinstance(rows[1]["is_anomalous"], bool)
    assert isinstance(rows[1]["width"], int)
    assert rows[0]["score"] is None
    assert rows[4]["path"] == "caf\\udce9.png"


def test_a_table_of_an_earlier_run_goes_when_a_run_begins_and_none_is_left_where_it_stops(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    path.write_bytes(b"old")
    outcomes = run(StubPredictor(), Task("nut", tuple(write_pictures(tmp_path, 10))), [ParquetSink(path)])
    assert path.read_bytes() == b"old"
    next(outcomes)
    assert not path.exists()
    outcomes.close()
    assert not path.exists()


def test_a_table_made_anew_without_it_leaves_no_parquet_file_of_before(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    path.write_bytes(b"old")
    list(run(StubPredictor(), Task("nut", tuple(write_pictures(tmp_path, 1))), [CsvSink(tmp_path / "results.csv")]))
    assert not path.exists()
    path.write_bytes(b"old")
    write_csv(tmp_path / "results.csv", [])
    assert not path.exists()
