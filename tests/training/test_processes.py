"""Trainings on two processes: they give what one gives, and start and stop as one."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from oddlens.methods.weights import read_weights
from oddlens.training.processes import ALONE, Processes
from tests.cli.program import run
from tests.tiny_convnext import convnext_weights, write_convnext
from tests.training.learning import write_category
from tests.training.together import command, stop_halfway, trainings

METHODS = ("april-gan", "anomalyclip", "vl4ad")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As the processes have."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(open_clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models and images, and what one process makes of them: see `together`."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "clip").symlink_to(open_clip_folder)
    write_convnext(folder / "convnext", convnext_weights())
    write_category(folder / "data" / "lid", 3, 4)
    write_category(folder / "data" / "nut", 2, 2, seed=1, size=(30, 50))
    for training in trainings(folder, folder / "one", cache=folder / "cache-one").values():
        training.run()
    for training in trainings(folder, folder / "half-one", cache=folder / "cache-one").values():
        stop_halfway(training)
    return folder


@pytest.fixture(scope="module")
def together(folder: Path) -> subprocess.CompletedProcess[str]:
    """What torchrun says of two processes on the CPU, of one thread each."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}
    words = [*start, "tests.training.together", str(folder)]
    return subprocess.run(words, env=environment, cwd=root, capture_output=True, text=True, timeout=300, check=False)


def largest_difference(first: Path, second: Path) -> float:
    ours, theirs = (read_weights(path).tensors for path in (first, second))
    assert ours.keys() == theirs.keys()
    return max(float((value - theirs[name]).abs().max()) for name, value in ours.items())


@pytest.mark.usefixtures("together")
@pytest.mark.parametrize("method", METHODS)
class TestTwoProcesses:
    def test_they_learn_what_one_learns(self, method: str, folder: Path) -> None:
        one, both = (folder / name / f"{method}.safetensors" for name in ("one", "both"))
        assert largest_difference(one, both) < 1e-6
        ours, theirs = (read_weights(path).provenance or {} for path in (one, both))
        assert theirs["losses"] == pytest.approx(ours["losses"], rel=1e-5)

    def test_two_go_on_where_one_stopped(self, method: str, folder: Path) -> None:
        one, rest = (folder / name / f"{method}.safetensors" for name in ("one", "rest"))
        assert largest_difference(one, rest) < 1e-6

    def test_one_goes_on_where_two_stopped(self, method: str, folder: Path, tmp_path: Path) -> None:
        shutil.copytree(folder / "half-both", tmp_path / "out")
        training = trainings(folder, tmp_path / "out", cache=folder / "cache-one")[method]
        assert training.checkpoint.differs() == []
        training.run()
        name = f"{method}.safetensors"
        assert largest_difference(folder / "one" / name, tmp_path / "out" / name) < 1e-6


def test_their_cache_is_that_of_one(together: object, folder: Path) -> None:
    ours, theirs = (
        {str(path.relative_to(folder / name)): path.read_bytes() for path in (folder / name).rglob("*.npy")}
        for name in ("cache-one", "cache-both")
    )
    assert len(ours) > 4
    assert ours == theirs


def test_the_first_alone_reports(together: object, folder: Path) -> None:
    first, second = (json.loads((folder / f"said-{rank}.json").read_text()) for rank in range(2))
    assert sum(sentence.startswith("going on from ") for sentence in first) == len(METHODS)
    assert sum(sentence.startswith("epoch 2/2: ") for sentence in first) == 4
    assert second == []


def test_the_error_of_one_ends_all_and_is_said_once(together: subprocess.CompletedProcess[str]) -> None:
    ours = [line for line in together.stderr.splitlines() if line.startswith("oddlens: ")]
    assert (together.returncode, ours) == (1, ["oddlens: the second process cannot go on"])


def test_the_command_is_the_same_under_torchrun(together: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert run(*command(folder, "alone")).code == 0
    assert together.stdout == f"{folder / 'command.safetensors'}\n"
    assert sum(line.startswith("epoch 1/1: ") for line in together.stderr.splitlines()) == 1
    assert largest_difference(*(folder / f"{name}.safetensors" for name in ("alone", "command"))) < 1e-6


@pytest.mark.parametrize(("rank", "share"), [(0, [0, 2, 4]), (1, [1, 3])])
def test_items_are_dealt_out(rank: int, share: list[int]) -> None:
    assert Processes(rank, 2).share(range(5)) == range(rank, 5, 2)
    assert list(Processes(rank, 2).share([0, 1, 2, 3, 4])) == share


def test_one_process_adds_nothing_up() -> None:
    numbers = torch.ones(2)
    ALONE.add_up(numbers)
    assert numbers.tolist() == [1, 1]
    assert ALONE.sums({"loss": 2.0}) == {"loss": 2.0}
    assert ALONE.from_first(lambda: 3) == 3
    assert ALONE.gather("a") == ["a"]
    assert ALONE.device("auto") == "auto"
