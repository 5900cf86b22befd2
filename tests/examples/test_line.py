"""examples/line: parts of a watched folder are sorted, and the NG one is noted and ejected."""

import csv
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES


@pytest.mark.usefixtures("commands")
def test_the_ng_part_is_noted_and_ejected(station: Path, plates: list[Path], tmp_path: Path) -> None:
    incoming, log, output = tmp_path / "incoming", tmp_path / "ejected.csv", tmp_path / "output"
    incoming.mkdir()
    for plate in plates:
        shutil.copy(plate, incoming)
    call = f"python '{EXAMPLES / 'line' / 'eject.py'}' '{log}' '{output}'"
    words = [
        "oddlens", "watch", incoming, "--station", station, "--out", tmp_path / "results", "--every", "0.05", "--move",
        "--write", "nothing", "--json", "--on-ng", call,
    ]  # fmt: skip
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in plates:
            process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert [path.name for path in (incoming / "ng").iterdir()] == ["spot.png"]
    assert [path.name for path in (incoming / "done").iterdir()] == ["good.png"]
    with log.open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["image"] == "spot.png"
    assert float(row["score"]) > 0
    assert output.read_text() == "0"
