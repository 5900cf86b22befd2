"""Threads: OpenMP's settings are made before torch reads them, and a process that was forked or spawned computes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import oddlens
from oddlens.backbone.threads import share_processors

OURS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}
NAMES = (*OURS, "KMP_BLOCKTIME", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
PICTURES = sorted((Path(oddlens.__file__).parent / "assets" / "demo" / "star" / "test").rglob("*.jpg"))[:3]


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own, with no setting of OpenMP's but these."""
    plain = {name: value for name, value in os.environ.items() if name not in NAMES}
    return subprocess.run(
        [sys.executable, "-c", code], env=plain | environment, capture_output=True, text=True, timeout=120, check=True
    )


def settings(code: str, **environment: str) -> dict[str, str]:
    """OpenMP's settings in the environment of a program when it has run."""
    done = run(f"{code}; import json, os; print(json.dumps(dict(os.environ)))", **environment)
    found: dict[str, str] = json.loads(done.stdout)
    return {name: found[name] for name in NAMES if name in found}


class TestSettings:
    @pytest.mark.needs_torch
    def test_they_are_made_when_the_package_or_a_part_of_it_is_imported(self) -> None:
        for module in ("oddlens", "oddlens.backbone.load"):
            made = settings(f"import {module}")
            made.pop("OMP_NUM_THREADS", None)  # where these tests run in a container
            assert made == OURS

    @pytest.mark.needs_torch
    def test_torchs_own_runtime_has_taken_them(self) -> None:
        """What it prints of itself when it is loaded."""
        done = run("import oddlens.backbone.load", OMP_DISPLAY_ENV="VERBOSE")
        if "GOMP_SPINCOUNT" not in done.stderr:
            pytest.skip("torch's OpenMP is not GNU's here")
        for name, value in OURS.items():
            assert f"{name} = '{value}'" in done.stderr

    @pytest.mark.parametrize(
        "own",
        [{"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}, {"KMP_BLOCKTIME": "200"}],
        ids=lambda own: str(*own),
    )
    def test_a_users_waiting_policy_wins(self, own: dict[str, str]) -> None:
        environment = dict(own)
        share_without_torch(environment)
        assert environment == own

    @pytest.mark.needs_torch
    def test_nothing_is_set_that_could_have_no_effect(self) -> None:
        assert settings("import torch, oddlens") == {}


def share_without_torch(environment: dict[str, str], cgroups: Path = Path("/nowhere")) -> None:
    """As at the start of a program, when torch has not been imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "torch", raising=False)
        share_processors(environment, str(cgroups))


class TestContainers:
    @pytest.fixture(autouse=True)
    def _eight_processors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)

    @pytest.mark.parametrize(
        ("quota", "threads"),
        [
            ("200000 100000", "2"), ("150000 100000", "1"), ("50000 100000", "1"), ("800000 100000", None), ("max 100000", None),
            ("", None), ("200000 0", None), ("-1 100000", None),
        ],
    )  # fmt: skip
    def test_there_are_no_more_threads_than_processors_that_it_may_use(
        self, quota: str, threads: str | None, tmp_path: Path
    ) -> None:
        (tmp_path / "cpu.max").write_text(f"{quota}\n")
        environment: dict[str, str] = {}
        share_without_torch(environment, tmp_path)
        assert environment.get("OMP_NUM_THREADS") == threads

    @pytest.mark.parametrize(("quota", "threads"), [("300000", "3"), ("-1", None)])
    def test_older_containers_say_it_in_two_files(self, quota: str, threads: str | None, tmp_path: Path) -> None:
        (tmp_path / "cpu").mkdir()
        (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
        (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
        environment: dict[str, str] = {}
        share_without_torch(environment, tmp_path)
        assert environment.get("OMP_NUM_THREADS") == threads

    @pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
    def test_a_users_number_wins(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "cpu.max").write_text("200000 100000\n")
        environment = {name: "5"}
        share_without_torch(environment, tmp_path)
        assert {key: environment[key] for key in environment.keys() - OURS.keys()} == {name: "5"}


WORKER = f"""
import json, multiprocessing, sys
import {{first}}
import oddlens, torch

paths = {[str(path) for path in PICTURES]!r}

def work(detector, answers):
    answers.put([torch.get_num_threads(), [found.score for found in detector.detect(paths)]])

def ask(how):
    context = multiprocessing.get_context(how)
    answers = context.Queue()
    process = context.Process(target=work, args=(detector, answers), daemon=True)
    process.start()
    try:
        return answers.get(timeout=60)
    finally:
        process.kill()
        process.join()

if __name__ == "__main__":
    detector = oddlens.load("winclip", device="cpu", runtime="torch")
    own = [found.score for found in detector.detect(paths)]  # so that its threads are there
    ways = [how for how in ("fork", "spawn") if how in multiprocessing.get_all_start_methods()]
    print(json.dumps({{{{"threads": torch.get_num_threads(), "own": own, "asked": {{{{how: ask(how) for how in ways}}}}}}}}))
"""


@pytest.mark.needs_torch
@pytest.mark.parametrize("first", ["oddlens", "torch"])
def test_processes_made_by_one_that_has_computed_compute_too(first: str, tmp_path: Path) -> None:
    """A forked one would wait for ever for threads that it does not have; it computes with one. A spawned one has its own."""
    program = tmp_path / "program.py"
    program.write_text(WORKER.format(first=first))
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["threads"] == 2
    assert "spawn" in told["asked"]
    for how, (threads, scores) in told["asked"].items():
        assert threads == (1 if how == "fork" else 2)
        assert scores == pytest.approx(told["own"], abs=1e-6)
