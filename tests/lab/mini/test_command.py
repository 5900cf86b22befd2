"""`python -m lab.mini`, two steps of it: a model that loads, the same one every time, and no work done twice."""

import json
from pathlib import Path

import pytest

from tests.cli.program import Done
from tests.cli.program import run as oddlens
from tests.lab.program import run


def train(out: Path, *options: object) -> Done:
    return run("mini", "--steps", 2, "--pictures", 8, "--out", out, *options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    out = tmp_path_factory.mktemp("train") / "model"
    return out, train(out)


def test_it_prints_the_folder_and_reports_the_rest_on_stderr(trained: tuple[Path, Done]) -> None:
    out, done = trained
    assert (done.code, done.out) == (0, f"{out}\n")
    assert f"8 images' features take 1 MB in {out}-work" in done.err
    assert "losses over the last steps: contrast " in done.err


def test_the_model_says_how_it_was_made(trained: tuple[Path, Done]) -> None:
    out, _ = trained
    made = json.loads((out / "oddlens_model.json").read_text())["provenance"]["training"]
    assert (made["seed"], made["steps"], made["pictures"]) == (0, 2, 8)


def test_the_folder_is_a_model_to_detect_with(trained: tuple[Path, Done], parts: Path) -> None:
    out, _ = trained
    done = oddlens("detect", parts, "--model", out, "--json")
    assert done.code == 0
    assert len(done.records) == 3


def test_started_again_it_keeps_the_pictures_and_gives_the_same_model(
    trained: tuple[Path, Done], tmp_path: Path
) -> None:
    out, _ = trained
    work = Path(f"{out}-work")
    written = {path: path.stat().st_mtime_ns for path in work.rglob("*.npy")}
    assert train(tmp_path / "model", "--work", work).code == 0
    assert {path: path.stat().st_mtime_ns for path in work.rglob("*.npy")} == written
    assert written
    for file in out.iterdir():
        assert (tmp_path / "model" / file.name).read_bytes() == file.read_bytes()


def test_no_steps_give_an_untrained_control_of_another_seed_too(tmp_path: Path, trained: tuple[Path, Done]) -> None:
    out, _ = trained
    control = run("mini", "--steps", 0, "--pictures", 1, "--seed", 3, "--out", tmp_path / "control")
    assert control.code == 0
    assert control.err.endswith("untrained\n")
    assert (tmp_path / "control" / "model.safetensors").read_bytes() != (out / "model.safetensors").read_bytes()


@pytest.mark.parametrize("option", ["--steps", "--pictures", "--seed"])
def test_negative_numbers_are_refused(tmp_path: Path, option: str) -> None:
    done = run("mini", "--out", tmp_path / "model", option, -1)
    assert done.code == 2
    assert option in done.err
    assert not list(tmp_path.iterdir())
