"""Results to a program: when it is called, with what, and what happens where it fails or hangs."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

import pytest

from oddlens.errors import UsageError
from oddlens.inference.hooks import Hook

Said = list[tuple[bool, str]]

NOTE = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + chr(10))"


def program(code: str, *arguments: object) -> str:
    return shlex.join([sys.executable, "-c", code, *map(str, arguments)])


def called(command: str, when: str, *verdicts: str | None, time_limit_s: float = 20.0) -> Said:
    said: Said = []
    hook = Hook(command, when, lambda is_ok, sentence: said.append((is_ok, sentence)), time_limit_s=time_limit_s)  # type: ignore[arg-type]
    for number, verdict in enumerate(verdicts):
        hook.send({"number": number, "verdict": verdict})
    hook.close()
    return said


@pytest.mark.parametrize(("when", "numbers"), [("ng", [1]), ("each", [0, 1, 2, 3])])
def test_it_is_called_with_the_event(tmp_path: Path, when: str, numbers: list[int]) -> None:
    assert not called(program(NOTE, tmp_path / "a b"), when, "ok", "ng", "review", None)
    lines = (tmp_path / "a b").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == numbers


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    called(program(NOTE, "$HOME; touch x"), "ng")
    hook_said = called(program(NOTE, f"{tmp_path}/$HOME;x"), "ng", "ng")
    assert not hook_said
    assert (tmp_path / "$HOME;x").is_file()


def test_a_program_that_fails_is_said_once_until_it_works(tmp_path: Path) -> None:
    code = "import json, sys; sys.exit(3 if json.load(sys.stdin)['number'] < 2 else 0)"
    said = called(program(code), "ng", "ng", "ng", "ng")
    name = f"the program {sys.executable}"
    assert said == [
        (False, f"{name} does not take a result (it ended with code 3): it is left out"),
        (True, f"{name} takes results again"),
    ]


def test_a_program_that_hangs_is_killed_with_what_it_started() -> None:
    started = time.monotonic()
    said = called(program("import os, time; os.fork(); time.sleep(60)"), "ng", "ng", time_limit_s=0.3)
    assert time.monotonic() - started < 20
    assert "it did not end within 0.3 s, and was killed" in said[0][1]


def test_its_output_does_not_stand_among_the_results(capfd: pytest.CaptureFixture[str]) -> None:
    called(program("import sys; print('noise'); print('noise', file=sys.stderr)"), "ng", "ng")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("no-such-program --x", r"there is no program 'no-such-program' that can be run"),
        ("", r"there is no program ''"),
        ("'open", r"has a quote that does not end"),
        (__file__, r"that can be run: check its path and permissions"),
    ],
)
def test_a_program_that_is_not_there_is_refused(command: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        called(command, "ng")
