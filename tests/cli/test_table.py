"""Tables on stdout: whole in a pipe, cut to whole columns on a terminal."""

import os
import sys

import pytest

from oddlens.cli.table import print_table
from tests.cli.program import terminal

HEAD = ("name", "size", "hub id")
ROWS = [("mini", "7 MB", "-"), ("large", "1711 MB", "org/large-model")]


def test_columns_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HEAD, ROWS)
    assert capsys.readouterr().out == (
        "name   size     hub id\n"
        "mini   7 MB     -\n"
        "large  1711 MB  org/large-model\n"
    )  # fmt: skip


def test_a_pipe_gets_all_of_it_however_narrow_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    print_table(HEAD, ROWS)
    captured = capsys.readouterr()
    assert "org/large-model" in captured.out
    assert captured.err == ""


@pytest.mark.parametrize(
    ("columns", "shown", "left_out"),
    [(31, "large  1711 MB  org/large-model", ""), (30, "large  1711 MB", "hub id"), (5, "large", "size, hub id")],
)
def test_a_narrow_terminal_gets_the_columns_that_fit_and_is_reported_of_the_others(
    columns: int, shown: str, left_out: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with terminal() as (screen, seen), monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", screen)
        print_table(HEAD, ROWS)
    assert seen.getvalue().decode().splitlines()[-1] == shown
    told = capsys.readouterr().err
    assert told == (f"(a wider terminal, or a pipe, shows also: {left_out}){os.linesep}" if left_out else "")
