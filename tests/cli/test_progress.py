"""Progress on a terminal, silence elsewhere."""

import sys

import pytest

from oddlens.cli.progress import progress, stages
from tests.cli.program import terminal


@pytest.fixture(autouse=True)
def ordinary_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def test_a_terminal_sees_what_how_far_how_fast_and_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal() as (screen, seen), monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", screen)
        with progress("pictures", 4) as advance:
            advance(1)
            advance(2)
    shown = seen.getvalue().decode()
    assert "pictures" in shown
    assert "3/4" in shown
    assert "/s" in shown
    assert "left" in shown


def test_several_stages_have_a_bar_each(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal() as (screen, seen), monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", screen)
        with stages() as tell:
            tell("pictures", 8, 8)
            tell("training", 1, 2, "loss 0.25")
    shown = seen.getvalue().decode()
    assert "pictures" in shown
    assert "8/8" in shown
    assert "training" in shown
    assert "1/2" in shown
    assert "loss 0.25" in shown


def test_where_stderr_is_no_terminal_nothing_is_shown_even_if_colours_are_forced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress("pictures", 2) as advance:
        advance(2)
    assert capsys.readouterr() == ("", "")


def test_data_printed_under_a_bar_go_to_stdout(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal() as (screen, seen), monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", screen)
        with progress("pictures", 1) as advance:
            print("data")
            advance(1)
    assert capsys.readouterr().out == "data\n"
    assert b"data" not in seen.getvalue()
