"""examples/fine-tune: its calls lead from drawn defects to weights and to a table beside WinCLIP, on the small model."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import run
from tests.examples.conftest import EXAMPLES
from tests.training.learning import write_category

SCRIPT = EXAMPLES / "fine-tune" / "fine_tune.sh"


def calls_of(folder: Path, *words: str) -> list[list[str]]:
    """What the script would call, in order: a program that notes its words stands in the place of oddlens."""
    program = folder / "bin" / "oddlens"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >> calls\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", SCRIPT, *words], cwd=folder, env=os.environ | {"PATH": path}, check=True, timeout=60)
    return [shlex.split(line) for line in (folder / "calls").read_text().splitlines()]


@pytest.mark.needs_torch
def test_its_calls_train_and_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_category(tmp_path / "learn" / "lid", 3, 3)
    write_category(tmp_path / "check" / "lid", 3, 3, seed=1)
    calls = calls_of(
        tmp_path, "learn", "check", "out", "--epochs", "1", "--no-report", "--no-cache", "--set", "image_size=96"
    )
    assert [call[:2] for call in calls[:4]] == [
        ["data", "check"],
        ["data", "check"],
        ["train", "anomalyclip"],
        ["weights", "show"],
    ]
    for call in calls:
        done = run(*call)
        assert done.code == 0, done.err
    document = json.loads((tmp_path / "out" / "benchmark" / "metrics.json").read_text())
    assert {(each["method"], each["shots"]) for each in document["results"]} == {("winclip", 0), ("anomalyclip", 0)}
    assert all(each["mean"]["image_auroc"] is not None for each in document["results"])
    assert document["methods"]["anomalyclip"]["weights"].endswith("anomalyclip.safetensors")


def test_a_call_without_folders_says_how() -> None:
    done = subprocess.run(["sh", SCRIPT, "learn"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "usage: fine_tune.sh LEARN CHECK OUT [options]\n")
