"""`python -m lab.streets`."""

from pathlib import Path

from tests.cli.program import run as oddlens
from tests.lab.program import run


def test_streets_are_generated_and_sound(tmp_path: Path) -> None:
    result = run("streets", tmp_path, "--train", 2, "--test", 3, "--generic", 1)
    assert result.code == 0
    assert result.out == f"{tmp_path / 'streets'}\n{tmp_path / 'generic'}\n"
    checked = oddlens("data", "check", tmp_path / "streets")
    assert checked.code == 0
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in checked.out.splitlines() if "streets" in line]
    assert [row[:5] for row in cells if row] == [
        ["streets", "train", "2", "-", "-"],
        ["streets", "test", "3", "3", "3"],
    ]


def test_streets_that_are_there_are_not_overwritten(tmp_path: Path) -> None:
    assert run("streets", tmp_path, "--train", 1, "--test", 1).code == 0
    again = run("streets", tmp_path, "--train", 1, "--test", 1)
    assert again.code == 2
    assert "exists already" in again.err
