"""The frame of the command line: help that comes at once, exit codes, one sentence for each fault."""

import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from oddlens import __version__, cli
from oddlens.errors import ModelError, OddlensError, OddlensWarning, UsageError
from tests.cli.program import run

VERBS = [
    "detect",
    "watch",
    "judge",
    "calibrate",
    "benchmark",
    "feedback",
    "export",
    "validate",
    "serve",
    "demo",
    "methods",
    "doctor",
    "results",
    "models",
    "station",
    "data",
    "train",
    "weights",
]
GOLDEN = Path(__file__).parent / "golden"
HEAVY = {
    "torch",
    "numpy",
    "cv2",
    "PIL",
    "rich",
    "huggingface_hub",
    "tokenizers",
    "pydantic",
    "ray",
    "pyarrow",
    "fsspec",
}


def test_without_a_verb_the_help_is_shown() -> None:
    shown = run()
    assert shown.code == 2
    assert (shown.out + shown.err).strip() == run("--help").out.strip()


def test_help_lists_every_verb_in_one_line_each() -> None:
    done = run("-h")
    assert done.code == 0
    lines = done.out[done.out.index("Commands:") :].splitlines()[1:]
    assert [line.split()[0] for line in lines] == VERBS
    assert lines == (GOLDEN / "verbs.txt").read_text().splitlines()
    assert not [line for line in lines if line.endswith("...")]


@pytest.mark.parametrize(
    "verb",
    [*VERBS, "models fetch", "train anomalyclip", "train april-gan", "train vl4ad", "data check", "weights show"],
)
def test_every_verb_has_help(verb: str) -> None:
    done = run(*verb.split(), "--help")
    assert done.code == 0
    assert done.err == ""
    assert f"Usage: oddlens {verb} " in done.out


STATIONS = {
    "--fail-on-ng",
    "--defects NAMES",
    "--roi FILE",
    "--min-area AREA",
    "--mm-per-pixel MM",
    "--audit SHARE",
    "--tiles CxR",
    "--overlap SHARE",
    "--fit HOW",
    "--runtime NAME",
}
"""Options that came with the verdicts of stations, and with the runtime that they run in."""


ENGINES = {"--engine NAME", "--address ADDRESS", "--workers N[xT]"}
"""Options of where images are computed."""


def test_detect_has_at_most_15_options_beside_what_a_method_stations_and_engines_add() -> None:
    options = re.findall(r"^  (-.*?)(?:  |$)", run("detect", "--help").out, re.MULTILINE)
    assert [each for each in options if "--help" not in each] == (
        GOLDEN / "detect_options.txt"
    ).read_text().splitlines()
    assert len(set(options) - STATIONS - ENGINES) <= 15 + 1


def test_help_of_detect_shows_how_it_is_called() -> None:
    assert "\n    oddlens detect parts/ --object screw\n" in run("detect", "--help").out


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["detect", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
from oddlens.cli import main
sys.argv = {["oddlens", *arguments]!r}
try:
    main()
finally:
    print(*{HEAVY!r} & set(sys.modules), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.strip() == ""


def test_the_version_is_reported() -> None:
    assert run("--version").out == f"oddlens {__version__}\n"


def test_an_unknown_verb_is_refused_with_code_2() -> None:
    done = run("detct")
    assert done.code == 2
    assert "detct" in done.err
    assert done.out == ""


@pytest.mark.parametrize(("error", "code"), [(UsageError, 2), (ModelError, 1), (OddlensError, 1)])
def test_a_fault_that_a_user_can_mend_is_one_sentence_and_a_code(
    monkeypatch: pytest.MonkeyPatch, error: type[OddlensError], code: int
) -> None:
    def fail(prog_name: str, obj: object) -> None:
        raise error("it is broken: mend it")

    monkeypatch.setattr(cli, "program", lambda verbs: fail)
    done = run()
    assert done.code == code
    assert done.sentence == "it is broken: mend it"


def test_a_warning_of_ours_is_one_line_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(prog_name: str, obj: object) -> None:
        for _ in range(2):
            warnings.warn("this counts once", OddlensWarning, stacklevel=1)
        warnings.warn("of another kind", UserWarning, stacklevel=1)

    monkeypatch.setattr(cli, "program", lambda verbs: warn)
    before = warnings.showwarning
    lines = run().err.splitlines()
    assert lines[:2] == ["oddlens: this counts once"] * 2
    assert lines[2].endswith("UserWarning: of another kind")
    assert warnings.showwarning is before


def test_a_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(prog_name: str, obj: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "program", lambda verbs: fail)
    with pytest.raises(ZeroDivisionError):
        run()
