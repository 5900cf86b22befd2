"""Results as a run of MLflow, and a station as its model, read back by MLflow."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.errors import OddlensError, UsageError
from oddlens.inference.kept_images import KeptResults
from oddlens.inference.tools.mlflow import MLflow
from tests.inference.tools.conftest import make_results_of_latin_1

mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
pytest.importorskip("alembic", reason="MLflow's database of runs is not installed")


def give(results: Path, to: object, tool: MLflow | None = None) -> object:
    return (tool or MLflow()).give(KeptResults(results), to, lambda *_: None)


@pytest.fixture
def kept(results: Path, tmp_path: Path) -> Iterator[object]:
    """The run, as MLflow has it, that a folder holds."""
    before = mlflow.get_tracking_uri()
    given = give(results, tmp_path / "ml", MLflow(name="monday"))
    assert mlflow.get_tracking_uri() == before
    assert given.images == 4
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/ml/mlflow.db")
    (run,) = mlflow.search_runs(experiment_names=["oddlens"], output_format="list")
    yield run
    mlflow.set_tracking_uri(before)


def test_a_run_has_what_made_the_results_and_their_figures(kept: object) -> None:
    assert (kept.info.run_name, kept.info.status) == ("monday", "FINISHED")
    assert kept.data.params["method"] == "stub"
    assert kept.data.params["object"] == "bolt"
    figures = kept.data.metrics
    assert {name: figures[name] for name in ("images", "ok", "review", "ng", "failed", "threshold")} == {
        "images": 4, "ok": 1, "review": 0, "ng": 2, "failed": 1, "threshold": 0.5,
    }  # fmt: skip
    assert figures["score_max"] == pytest.approx(220 / 255)
    assert all(np.isfinite(list(figures.values())))


def test_a_name_that_is_no_utf_8_does_not_keep_the_others_away(tmp_path: Path) -> None:
    assert give(make_results_of_latin_1(tmp_path), tmp_path / "ml").images == 3
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/ml/mlflow.db")
    try:
        (run,) = mlflow.search_runs(experiment_names=["oddlens"], output_format="list")
        table = mlflow.load_table("table.json", run_ids=[run.info.run_id])
    finally:
        mlflow.set_tracking_uri(before)
    assert sorted(Path(path).name for path in table["path"]) == ["Pr%FCfung.png", "b%E4d.png", "b%E4d.png"]


def test_a_run_has_the_table_and_the_report(kept: object, results: Path) -> None:
    table = mlflow.load_table("table.json", run_ids=[kept.info.run_id])
    lines = [json.loads(line) for line in (results / "results.jsonl").read_text().splitlines()]
    assert list(table["path"]) == [line["path"] for line in lines]
    assert list(table["verdict"].fillna("")) == [line.get("verdict", "") for line in lines]
    for name in ("report.html", "results.jsonl", "results.csv", "run.json"):
        place = mlflow.artifacts.download_artifacts(run_id=kept.info.run_id, artifact_path=name)
        assert Path(place).read_bytes() == (results / name).read_bytes()


def test_a_station_is_a_model_that_gives_what_the_station_gives(results: Path, tmp_path: Path) -> None:
    detector = oddlens.load(device="cpu", runtime="onnx").set_thresholds(image=0.5, pixel=0.5)
    detector.object_name = "bolt"
    detector.save(tmp_path / "line")
    (tmp_path / "line" / "feedback.jsonl").write_text("what people say stays here\n")
    given = give(results, tmp_path / "ml", MLflow(station=tmp_path / "line"))
    address = given.said[0].removeprefix("the model is ")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/ml/mlflow.db")
    try:
        model = mlflow.pyfunc.load_model(address)
        files = Path(mlflow.artifacts.download_artifacts(address))
    finally:
        mlflow.set_tracking_uri(before)
    assert not list(files.rglob("*.pkl"))
    assert not list(files.rglob("feedback.jsonl"))
    assert f"oddlens=={oddlens.__version__}" in (files / "requirements.txt").read_text().splitlines()
    paths = [str(tmp_path / "parts" / name) for name in ("bright.png", "broken.png", "dark.png")]
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(paths[2])
    expected = [detector.detect(paths[0], "bolt")[0], None, detector.detect(paths[2], "bolt")[0]]
    for rows in ([{"path": path} for path in paths], [{"content": Path(path).read_bytes()} for path in paths]):
        table = model.predict(rows)
        for (_, row), found in zip(table.iterrows(), expected, strict=True):
            if found is None:
                assert row["error"].startswith(row["path"]) or row["path"] in row["error"]
            else:
                assert (row["verdict"], row["score"]) == (found.verdict, pytest.approx(found.score, abs=1e-6))
                assert json.loads(row["regions"]) == [each.to_dict() for each in found.regions]
                assert not isinstance(row["error"], str)


def test_an_address_that_takes_nothing_is_a_sentence_without_a_password(results: Path, tmp_path: Path) -> None:
    with pytest.raises(OddlensError, match=r"^MLflow at nonsense://host/runs cannot take the results") as caught:
        give(results, "nonsense://ada:secret@host/runs")
    assert "secret" not in str(caught.value)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"is a file: give the name of a folder"):
        give(results, tmp_path / "file")


def test_an_address_is_left_to_mlflow_which_says_what_it_does_not_take(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OddlensError, match=r"^MLflow at file:\./runs cannot take the results"):
        give(results, "file:./runs")
    assert not (tmp_path / "file:.").exists()
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"^MLflow needs the package psycopg for postgresql://host/runs: install it"):
        give(results, "postgresql://ada:secret@host/runs")


def test_a_server_that_does_not_answer_is_not_waited_for_long(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    tries = []

    def nobody(*_: object) -> None:
        tries.append(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"])
        raise mlflow.MlflowException("nobody answers")

    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    monkeypatch.setattr(mlflow, "get_experiment_by_name", nobody)
    with pytest.raises(OddlensError, match="nobody answers"):
        give(results, "http://127.0.0.1:1")
    assert tries == ["3"]
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_a_missing_package_is_a_sentence(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UsageError, match=r"pip install 'oddlens\[mlflow\]'"):
        give(results, tmp_path / "ml")
