"""The figures of a benchmark as a run of MLflow, read back by MLflow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.program import run
from tests.cli.test_benchmark import write_set

mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
pytest.importorskip("alembic", reason="MLflow's database of runs is not installed")


def test_a_benchmark_is_a_run_with_its_figures(tmp_path: Path) -> None:
    write_set(tmp_path / "set+1")
    out = tmp_path / "out"
    done = run("benchmark", "--data", tmp_path / "set+1", "--method", "winclip", "--shots", "0,1", "--out", out)
    assert done.code == 0, done.err
    done = run("results", "mlflow", out, "--to", tmp_path / "ml", "--experiment", "bench", "--name", "first")
    assert done.code == 0, done.err
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/ml/mlflow.db")
    try:
        (kept,) = mlflow.search_runs(experiment_names=["bench"], output_format="list")
        table = mlflow.load_table("table.json", run_ids=[kept.info.run_id])
        document = mlflow.artifacts.download_artifacts(run_id=kept.info.run_id, artifact_path="metrics.json")
    finally:
        mlflow.set_tracking_uri(before)
    assert (kept.info.run_name, kept.info.status) == ("first", "FINISHED")
    results = json.loads((out / "metrics.json").read_text())["results"]
    expected = {
        f"set_1/winclip/{result['shots']}/{name}": value
        for result in results
        for name, value in result["mean"].items()
        if value is not None
    }
    assert expected
    assert kept.data.metrics == pytest.approx(expected)
    assert list(table["category"]) == [each["category"] for result in results for each in result["categories"]]
    assert Path(document).read_bytes() == (out / "metrics.json").read_bytes()
    params = kept.data.params
    assert params["winclip.recipe.window_sizes"] == "[2, 3]"
    assert (params["shots"], params["seeds"]) == ("0,1", "0,1,2")
    assert (
        params["set_1.data_sha256"]
        == json.loads((out / "metrics.json").read_text())["datasets"]["set+1"]["data_sha256"]
    )
    assert params["pixels_compared_at"].startswith("the size of the method's maps")
    assert len(params["winclip.model_sha256"]) == 64
    done = run("results", "mlflow", out, "--to", tmp_path / "ml", "--station", tmp_path / "line")
    assert done.code == 2
    assert "a benchmark has no model of its own: leave --station out" in done.sentence


def test_figures_that_are_damaged_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"results": []}')
    done = run("results", "mlflow", tmp_path, "--to", tmp_path / "ml")
    assert done.code == 2
    assert "metrics.json is damaged, or of an earlier version" in done.sentence
