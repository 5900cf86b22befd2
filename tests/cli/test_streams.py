"""Streams that cannot be written: no result is lost, and no fault is a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.noise import write_picture

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full, a disk without room")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """An image, and one that cannot be read."""
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "good.png")
    (tmp_path / "in" / "bad.png").write_bytes(b"")
    return tmp_path / "in"


def oddlens(*words: object, redirect: str = "") -> subprocess.CompletedProcess[str]:
    """The program behind a shell, with its streams redirected as a person would."""
    call = f'"$@" {redirect}'
    return subprocess.run(
        ["sh", "-c", call, "sh", sys.executable, "-m", "oddlens", *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@needs_full
def test_a_full_stdout_costs_no_result(bad: Path, tmp_path: Path) -> None:
    done = oddlens("detect", bad, "--out", tmp_path / "out", "-v", redirect=f">{FULL}")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("stdout cannot be written") == 1
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 2


@needs_full
@pytest.mark.parametrize("words", ["methods", "models", "methods --json", "detect --help", "--version"])
def test_a_full_stdout_is_one_sentence_of_every_verb(words: str) -> None:
    done = oddlens(*words.split(), redirect=f">{FULL}")
    assert done.returncode == 1
    assert done.stderr.startswith("oddlens: stdout cannot be written (No space left on device)")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_goes_away_costs_no_result(bad: Path, tmp_path: Path) -> None:
    done = oddlens("detect", bad, "--out", tmp_path / "out", "--json", redirect="| true")
    assert "Traceback" not in done.stderr
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("where", ["2>&-", pytest.param("2>/dev/full", marks=needs_full)])
def test_without_stderr_everything_else_is_as_ever(bad: Path, tmp_path: Path, where: str) -> None:
    quiet = oddlens("detect", bad, "--out", tmp_path / "a", "--json", redirect="2>/dev/null")
    done = oddlens("detect", bad, "--out", tmp_path / "b", "--json", redirect=where)
    assert done.returncode == quiet.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    assert all(line.startswith("{") for line in done.stdout.splitlines())
    assert len((tmp_path / "b" / "results.jsonl").read_text().splitlines()) == 2


def test_without_stdout_the_results_are_in_the_folder(bad: Path, tmp_path: Path) -> None:
    done = oddlens("detect", bad, "--out", tmp_path / "out", "-v", redirect=">&-")
    assert "Traceback" not in done.stderr
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 2


def test_ctrl_c_during_the_first_imports_is_one_word() -> None:
    code = """
import sys
class Stop:
    def find_spec(self, name, *rest):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stop())
from oddlens.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "stopped\n"
