"""What the examples are run on: a station of generated plates, images of plates, and a running service."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.given import make_station, part

EXAMPLES = Path(__file__).parents[2] / "examples"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Outside a checkout there are no examples to run."""
    if not EXAMPLES.is_dir():
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="needs the examples of a checkout"))


@pytest.fixture(scope="session")
def station(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station that no test changes."""
    return make_station(tmp_path_factory.mktemp("stations") / "line-3", references=6)


@pytest.fixture(scope="session")
def plates(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A good plate and a defective one."""
    folder = tmp_path_factory.mktemp("plates")
    for name, defect in (("good.png", False), ("spot.png", True)):
        part(101, defect).save(folder / name)
    return [folder / "good.png", folder / "spot.png"]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`oddlens` and `python` on the path are those of the tests."""
    for name, words in (("oddlens", "-m oddlens"), ("python", "")):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(scope="session")
def service(station: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `oddlens serve` with the station."""
    pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
    home = tmp_path_factory.mktemp("home")
    words = [sys.executable, "-m", "oddlens", "serve", str(station), "--home", str(home), "--port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield found[0]
                break
        else:
            pytest.fail("".join(said))
        process.send_signal(signal.SIGINT)
        process.stderr.read()
