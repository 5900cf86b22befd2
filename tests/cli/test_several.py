"""The program as one of several processes; with real ones see `tests/training/test_processes.py`."""

from contextlib import nullcontext

import pytest

from oddlens.training import processes
from oddlens.training.processes import Processes
from tests.cli.program import run


def one_of_two(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "a test")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(processes, "joined", lambda: nullcontext(Processes(rank, 2, rank)))


@pytest.mark.parametrize("words", [("detect", "images"), ("models",), ()])
def test_verbs_that_do_not_divide_their_work_refuse(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    one_of_two(0, monkeypatch)
    done = run(*words)
    assert done.code == 2
    assert done.sentence.startswith(
        "torchrun started several processes, and only 'oddlens train' divides its work among them: start this verb without"
    )


@pytest.mark.parametrize(("rank", "printed"), [(0, True), (1, False)])
def test_the_first_alone_prints(rank: int, printed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    one_of_two(rank, monkeypatch)
    done = run("train", "--help")
    assert (done.code, bool(done.out)) == (0, printed)


def test_one_process_of_torchrun_is_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    one_of_two(0, monkeypatch)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert run("--version").code == 0
