"""What of the suite runs without torch: seen on a small suite, in a process in which torch is not to be found."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PLAIN = "def test_plain(): pass"
NEEDS_IT_AT_ITS_TOP = "import torch\ndef test_top(): pass"
NEEDS_IT_INSIDE = """
import pytest

@pytest.fixture
def tensor():
    import torch
    return torch.zeros(1)

def test_with_a_fixture(tensor): pass

def test_that_imports(): import torch

def test_that_passes(): pass
"""
MARKED = """
import pytest

@pytest.mark.needs_torch
def test_marked(): raise AssertionError

def test_unmarked(): pass
"""
A_FAULT_OF_THE_PACKAGE = """
def test_what_imports_torch_in_the_package():
    import oddlens.backbone.layers
"""


def suite(folder: Path, *options: str, without_torch: bool = True, **files: str) -> subprocess.CompletedProcess[str]:
    """A run of a suite of these files."""
    (folder / "tests").mkdir()
    (folder / "pytest.ini").touch()
    if without_torch:
        (folder / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    for name, text in files.items():
        (folder / "tests" / f"test_{name}.py").write_text(text)
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "tests.torch_free",
            "-p",
            "no:cacheprovider",
            *options,
            str(folder / "tests"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )


def counts(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    return {word: int(number) for number, word in re.findall(r"(\d+) (passed|skipped|failed|error)", done.stdout)}


def test_what_asks_for_torch_is_skipped_and_the_rest_runs(tmp_path: Path) -> None:
    done = suite(tmp_path, "-rs", plain=PLAIN, top=NEEDS_IT_AT_ITS_TOP, inside=NEEDS_IT_INSIDE, marked=MARKED)
    assert (done.returncode, counts(done)) == (0, {"passed": 3, "skipped": 4}), done.stdout
    assert "the file needs torch, which is not installed" in done.stdout
    assert "the test imports torch, which is not installed" in done.stdout
    assert "the test needs torch, which is not installed" in done.stdout


def test_a_package_that_imports_torch_where_no_mark_stands_fails_the_test(tmp_path: Path) -> None:
    done = suite(tmp_path, plain=PLAIN, fault=A_FAULT_OF_THE_PACKAGE)
    assert (done.returncode, counts(done)) == (1, {"passed": 1, "failed": 1}), done.stdout


@pytest.mark.parametrize(("least", "code"), [("0.5", 0), ("0.51", 1)])
def test_a_run_of_too_few_files_fails_and_says_how_many_ran(tmp_path: Path, least: str, code: int) -> None:
    done = suite(tmp_path, "--least-files", least, plain=PLAIN, top=NEEDS_IT_AT_ITS_TOP)
    assert done.returncode == code, done.stdout
    assert "1 of 2 test files ran (50%), without " in done.stdout
    assert ("too few files ran: at least 51% must" in done.stdout) == bool(code)


@pytest.mark.needs_torch
def test_where_torch_is_installed_everything_runs(tmp_path: Path) -> None:
    marked = MARKED.replace("raise AssertionError", "pass")
    done = suite(tmp_path, without_torch=False, top=NEEDS_IT_AT_ITS_TOP, inside=NEEDS_IT_INSIDE, marked=marked)
    assert (done.returncode, counts(done)) == (0, {"passed": 6}), done.stdout
