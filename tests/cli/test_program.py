"""The program and its verbs: a call imports the verb that it names, and no other."""

import subprocess
import sys

import pytest
from typer.main import get_command

from oddlens.cli.program import VERBS, program, verbs_of


def test_it_has_all_verbs() -> None:
    assert set(get_command(program()).commands) == set(VERBS)


@pytest.mark.parametrize(
    ("words", "verbs"),
    [
        (["detect", "parts/", "--json"], ("detect",)),
        (["station", "--help"], ("station",)),
        (["Detect"], VERBS),  # any case of letters is understood
        (["detct"], VERBS),  # the sentence names the nearest
        (["--help"], VERBS),
        ([], VERBS),
    ],
)
def test_a_call_needs_the_verb_that_it_names_and_else_all(words: list[str], verbs: tuple[str, ...]) -> None:
    assert verbs_of(words) == verbs


def test_a_verb_is_imported_alone() -> None:
    code = """
import sys
from oddlens.cli import main
sys.argv = ["oddlens", "detect", "--help"]
try:
    main()
finally:
    print(*sorted(name for name in sys.modules if name.startswith("oddlens.cli.")), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = {name.removeprefix("oddlens.cli.") for name in done.stderr.split()}
    assert loaded & set(VERBS) == {"detect"}
