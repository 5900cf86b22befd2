"""docs/start/first-job.md, from its first command to its last: each prints what the page shows."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import run

PAGE = Path(__file__).parents[2] / "docs" / "start" / "first-job.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the documents of a checkout")


def calls() -> Iterator[tuple[str, list[str]]]:
    """The commands behind the installation, and the lines that the page shows below each."""
    page = PAGE.read_text(encoding="utf-8").partition("## Two folders")[2]
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            call, *lines = part.splitlines()
            yield call, [line for line in lines if line]


def masked(line: str) -> str:
    """Without what differs from run to run and from processor to processor: times, digits of scores."""
    return re.sub(r"0\.(\d\d)\d+", r"0.\1", re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "WHEN", line))


def in_shell(call: str, before: list[str]) -> list[str]:
    """The lines that a shell prints. before: what sets its variables."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = "\n".join([*before, call])
    done = subprocess.run(
        ["bash", "-ec", script], capture_output=True, text=True, check=True, timeout=60, env=os.environ | {"PATH": path}
    )
    return done.stdout.splitlines()


@pytest.mark.skipif(os.name == "nt", reason="its commands are of a Unix shell")
@pytest.mark.needs_torch  # its last step: names of defects
def test_every_command_prints_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    variables: list[str] = []
    count = 0
    for call, shown in calls():
        if re.match(r"\w+=", call):
            variables.append(call)
            continue
        if not call.startswith("oddlens"):
            printed = in_shell(call, variables)
        else:
            done = run(*shlex.split(call)[1:])
            assert done.code == 0, done.err
            printed = [*done.err.splitlines(), *done.out.splitlines()]
        found = {
            masked(line) for line in printed if line and not line.startswith("oddlens: this is the embedded model")
        }
        expected = {masked(line) for line in shown if line != "..."}
        assert expected <= found, call
        assert shown[-1:] == ["..."] or found == expected, call
        count += 1
    assert count > 15
