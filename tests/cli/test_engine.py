"""`--engine ray`: what is refused before anything is read. Runs on it are in `tests/inference/test_ray.py`."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from oddlens.cli.engine import EngineOptions
from oddlens.errors import UsageError
from tests.cli.program import Done, run

Detect = Callable[..., Done]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--engine", "rya"], "--engine 'rya' is not known, did you mean 'ray'? Choose one of process, ray"),
        (["--workers", "2"], "--workers is for workers of Ray: add --engine ray, or leave it out"),
        (["--address", "auto"], "--address is for workers of Ray: add --engine ray, or leave it out"),
    ],
)
def test_options_that_contradict_each_other_are_refused(detect: Detect, options: list[str], sentence: str) -> None:
    assert detect("nothing.png", *options).sentence == sentence


@pytest.mark.parametrize("workers", ["0", "4x0", "-1", "x2", "4x", "2x2x2", "two", "1.5"])
def test_numbers_of_workers_that_are_none_are_refused(workers: str) -> None:
    with pytest.raises(UsageError, match=r"is no number of workers: give 4, for instance, or 4x2"):
        EngineOptions(engine="ray", workers=workers).chosen("cpu")


def test_without_ray_one_sentence_says_how_to_install_it(
    detect: Detect, parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = detect(parts, "--engine", "ray", "--out", tmp_path / "out")
    assert done.code == 2
    assert done.sentence == "--engine ray needs Ray, which is not installed: run pip install 'oddlens[ray]'"


def test_workers_write_into_a_folder(detect: Detect, parts: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    done = detect(parts, "--engine", "ray")
    assert done.sentence == "--engine ray needs --out: name the folder that workers write to, which all machines see"


def test_a_recipe_whose_images_depend_on_those_before_runs_in_one_process(tmp_path: Path, parts: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    done = run(
        "detect",
        parts,
        "--method",
        "anovl",
        "--set",
        "optimiser=kept",
        "--engine",
        "ray",
        "--out",
        tmp_path / "out",
    )
    assert done.code == 2
    assert "depends on the images before" in done.err
