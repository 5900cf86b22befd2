"""How a call is read: verbs and options that are near what was meant, contradictions, options in groups."""

import gc
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer

from oddlens.cli.command import Command, grouped, loading
from tests.cli.program import run


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("dtect", "there is no verb 'dtect', did you mean 'detect'? Choose one of detect, "),
        ("frobnicate", "there is no verb 'frobnicate': choose one of detect, "),
        ("data chek", "there is no verb 'chek', did you mean 'check'? Choose one of check, manifest"),
        ("train wincl", "there is no verb 'wincl': choose one of "),
        ("--verison", "'oddlens' has no option '--verison', did you mean '--version'? 'oddlens --help' lists them"),
        (
            "detect a.png --refrence b",
            "'oddlens detect' has no option '--refrence', did you mean '--reference'? 'oddlens detect",
        ),
        ("detect a.png --zzz", "'oddlens detect' has no option '--zzz': 'oddlens detect --help' lists them"),
        (
            "benchmark --data a --out b --ood dog",
            "'oddlens benchmark' has no option '--ood': give --set ood=VALUE",
        ),
        (
            "station create line --object a --classes b",
            "'oddlens station create' has no option '--classes': give --set cla",
        ),
        ("detect --object nut", "missing argument 'IMAGES': 'oddlens detect --help' shows how it is called"),
        ("detect a.png --every 0", "invalid value for '--every': "),
        ("watch a --station s --out o --every nan", "--every cannot be nan: give a finite number"),
        ("watch a --station s --out o --every 1e300", "invalid value for '--every': "),
        (
            "detect a.png --method",
            "option '--method' requires an argument: 'oddlens detect --help' shows how it is called",
        ),
        ("benchmark --data a", "missing option '--out': 'oddlens benchmark --help' shows how it is called"),
        (
            "detect a.png --out o --resume --overwrite",
            "--resume and --overwrite contradict each other: give one of them",
        ),
        ("demo extra", "got unexpected extra argument"),
    ],
)
def test_a_wrong_call_is_one_sentence_with_code_2(call: str, said: str) -> None:
    done = run(*call.split())
    assert done.code == 2
    assert done.sentence.startswith(said)


def test_a_verb_is_named_in_any_case_of_letters() -> None:
    assert run("Data", "CHECK", "--help").out == run("data", "check", "--help").out


@dataclass(frozen=True)
class Colours:
    paint: Annotated[str, typer.Option(metavar="NAME")]
    gloss: Annotated[int | None, typer.Option(min=1)] = None


class TestGroupsOfOptions:
    def called(self, *words: str) -> dict[str, object]:
        seen: dict[str, object] = {}

        def verb(part: Annotated[str, typer.Argument()], colours: Colours, quick: bool = False) -> None:
            seen.update(part=part, colours=colours, quick=quick)

        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(cls=Command)(grouped(verb))
        app(list(words), standalone_mode=False)
        return seen

    def test_the_fields_of_a_group_are_options_and_the_verb_gets_the_group(self) -> None:
        assert self.called("nut", "--paint", "red", "--gloss", "3", "--quick") == {
            "part": "nut", "colours": Colours("red", 3), "quick": True,
        }  # fmt: skip

    def test_options_that_are_not_given_have_the_fields_own_values(self) -> None:
        assert self.called("nut", "--paint", "red") == {"part": "nut", "colours": Colours("red"), "quick": False}


def test_python_looks_for_no_garbage_while_a_model_is_loaded_and_does_again_afterwards() -> None:
    frozen = gc.get_freeze_count()
    with loading():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen
