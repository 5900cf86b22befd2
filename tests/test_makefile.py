"""What `make` does on a machine where something is missing: it makes no environment that cannot be used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
if not (ROOT / "Makefile").is_file():
    pytest.skip("needs a checkout", allow_module_level=True)
if shutil.which("make") is None:
    pytest.skip("needs make", allow_module_level=True)

PRETENDS = 'import sys; sys.version_info = (3, 10, 12); exec(sys.argv[2]) if sys.argv[1] == "-c" else print("made", *sys.argv[1:])'


def make(folder: Path, goal: str, python: str) -> subprocess.CompletedProcess[str]:
    """`make` in a folder that holds what the goal reads. python: the program of a shell script that stands for Python."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    script = folder / "python3.x"
    script.write_text(f"#!/bin/sh\n{python}\n")
    script.chmod(0o755)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", goal, f"PYTHON={script}"], cwd=folder, env=plain, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(("goal", "environment"), [(".venv/core", ".venv"), ("release-check", "build/release-tools")])
def test_a_python_that_is_too_old_is_named_and_leaves_no_environment(
    tmp_path: Path, goal: str, environment: str
) -> None:
    done = make(tmp_path, goal, f"exec '{sys.executable}' -c '{PRETENDS}' \"$@\"")
    assert done.returncode == 2
    sentence = f"oddlens needs Python 3.11 or newer, and {tmp_path}/python3.x is 3.10"
    assert done.stderr.splitlines()[0] == f"{sentence}: name another one, as in make PYTHON=python3.12"
    assert "made" not in done.stdout
    assert not (tmp_path / environment).exists()


def test_an_environment_that_stopped_before_it_had_pip_is_made_again(tmp_path: Path) -> None:
    """As Debian's Python leaves it where the package python3-venv is missing."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch(0o755)
    assert "made -m venv .venv" in make(tmp_path, ".venv/core", 'test "$1" = -c || echo made "$@"').stdout
    (tmp_path / ".venv/bin/pip").symlink_to(shutil.which("true") or "/bin/true")
    assert "made" not in make(tmp_path, ".venv/core", 'test "$1" = -c || echo made "$@"').stdout


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_page_of_the_demo_lies_where_git_ignores_it(tmp_path: Path) -> None:
    said = subprocess.run(["make", "--dry-run", "demo"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (page,) = re.findall(r"oddlens demo --out (\S+)", said)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    for path in (page, "oddlens-demo.html"):  # the second one is where `oddlens demo` writes by itself
        assert subprocess.run(["git", "check-ignore", "--quiet", path], cwd=tmp_path, check=False).returncode == 0
