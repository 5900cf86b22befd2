"""Errors: one sentence on one line, whatever was given."""

import os
import shlex
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddlens.errors import (
    DataError,
    Failure,
    ImageError,
    ModelError,
    OddlensError,
    UsageError,
    as_argument,
    check_name,
    choices,
    counted,
    first_and_more,
    known_name,
    nearest,
    needs_package,
    needs_torch,
    one_line,
    printable,
    shortened,
)


@pytest.mark.parametrize("kind", [OddlensError, UsageError, ImageError, ModelError, DataError])
def test_a_name_with_a_line_break_does_not_break_the_sentence(kind: type[OddlensError]) -> None:
    assert (
        str(kind("a\nb\u202e.png does not exist: check the path")) == r"a\nb\u202e.png does not exist: check the path"
    )


def test_a_name_as_long_as_a_book_leaves_a_sentence() -> None:
    assert len(str(UsageError(f"there is no model {'x' * 10**6}: give another"))) <= 2000


@pytest.mark.parametrize("name", ["part 7.png", "-part.png", "Prüfling_μ.png", "部品.png", "🔩.png", "a[1]*.png", ""])
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert printable(name) == name


def test_a_line_break_is_shown_as_an_escape() -> None:
    assert printable("a\nb\tc") == r"a\nb\tc"


def test_bytes_that_are_no_text_are_shown_as_escapes() -> None:
    assert printable(os.fsdecode(b"\xff.png")) == r"\udcff.png"


@pytest.mark.parametrize(
    "name",
    ["line-3", "Station Spindel", "Prüfteile", "a b/ü.png", "it's", 'a "b"', "$HOME", "a;b", "b*.png", "`x`", "(1)"],
)
def test_a_name_in_a_proposed_command_is_one_word_of_a_shell(name: str) -> None:
    assert shlex.split(as_argument(name)) == [name]


def test_a_name_that_needs_no_quotes_has_none() -> None:
    assert as_argument("stations/Prüfung_3.1") == "stations/Prüfung_3.1"
    assert as_argument("Station Spindel") == '"Station Spindel"'


def test_of_many_names_the_first_stand_in_a_sentence() -> None:
    assert [first_and_more(list("abcde")[:count], 3) for count in (1, 3, 4)] == ["a", "a, b, c", "a, b, c, and 1 more"]
    assert first_and_more(list("abcde")) == "a, and 4 more"


def test_things_are_counted_in_words() -> None:
    assert [counted(number, "image") for number in (0, 1, 2)] == ["no images", "1 image", "2 images"]
    assert [counted(number, "image is", "images are") for number in (0, 1, 2)] == [
        "no images are",
        "1 image is",
        "2 images are",
    ]


@pytest.mark.parametrize("name", ["nut", "Mutter M8, verzinkt", "\u00a0nut", "ნ\u200d", "🔩", "x" * 100])
def test_a_name_that_people_give_is_one(name: str) -> None:
    check_name("the object name", name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "the object name is empty: give a word or two"),
        (" \n", "the object name is empty: give a word or two"),
        ("x" * 3000, "the object name has 3000 letters, more than 100: give a word or two"),
        ("a\nnut", r"the object name 'a\nnut' has a line break or another control character in it: leave it out"),
        ("a\0nut", r"the object name 'a\x00nut' has a line break or another control character in it: leave it out"),
        ("nut\u2028", r"the object name 'nut\u2028' has a line break or another control character in it: leave it out"),
        ("nut\udcff", r"the object name 'nut\udcff' has a line break or another control character in it: leave it out"),
    ],
)
def test_what_nobody_can_read_is_no_name(name: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name("the object name", name)
    assert str(caught.value) == said


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_the_name_the_result_is_one_line_that_can_be_written(name: str) -> None:
    shown = printable(name)
    assert shown.isprintable()
    shown.encode("utf-8")


def test_a_sentence_that_a_long_name_makes_a_page_of_keeps_its_beginning_and_its_end() -> None:
    shown = one_line(f"there is no method '{'x' * 100_000}': choose one of winclip, anovl")
    assert len(shown) <= 2000
    assert shown.startswith("there is no method 'xxx")
    assert shown.endswith("xxx': choose one of winclip, anovl")


def test_a_sentence_of_the_usual_length_stays_as_it_is() -> None:
    assert one_line("a.png does not exist: check the path") == "a.png does not exist: check the path"


def test_values_are_shown_as_python_writes_them_and_long_ones_in_part() -> None:
    assert shortened("a\nb") == r"'a\nb'"
    assert shortened([1, "x", None]) == "[1, 'x', None]"
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    for value in ("x" * 10**6, list(range(10**5)), deep, 10**5000, {"a": deep}, object()):
        shown = shortened(value)
        assert len(shown) < 200
        assert shown.isprintable()


METHODS = ("winclip", "april-gan", "anomalyclip", "AnoVL")


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("wincip", ", did you mean 'winclip'?"),
        ("APRIL_GAN", ", did you mean 'april-gan'?"),
        ("anov", ", did you mean 'AnoVL'?"),
        ("patchcore", ""),
        ("", ""),
        (7, ""),
        ("winclip" * 10**5, ""),
    ],
)
def test_the_nearest_of_the_known_names_is_suggested(name: object, suggested: str) -> None:
    assert nearest(name, METHODS) == suggested


def test_an_unknown_name_is_followed_by_the_nearest_and_by_all_there_are() -> None:
    assert choices("patchcore", METHODS) == ": choose one of winclip, april-gan, anomalyclip, AnoVL"
    assert choices("wincip", ["winclip", "vl4ad"], "there are") == ", did you mean 'winclip'? There are winclip, vl4ad"


@pytest.mark.parametrize("name", ["anovl", "AnoVL", "ANOVL"])
def test_a_name_is_known_in_any_case_of_letters(name: str) -> None:
    assert known_name("method", name, METHODS) == "AnoVL"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "wincip",
            "there is no method 'wincip', did you mean 'winclip'? Choose one of winclip, april-gan, anomalyclip, AnoVL",
        ),
        (None, "there is no method None: choose one of winclip, april-gan, anomalyclip, AnoVL"),
        ("", "there is no method '': choose one of winclip, april-gan, anomalyclip, AnoVL"),
    ],
)
def test_a_name_that_is_not_known_is_one_sentence(name: object, said: str) -> None:
    with pytest.raises(UsageError) as error:
        known_name("method", name, METHODS)
    assert str(error.value) == said


class TestFailure:
    def test_printed_it_says_what_failed_and_why(self) -> None:
        assert str(Failure("a.png", "a.png is cut short: copy it again")) == "a.png is cut short: copy it again"
        assert str(Failure("a.png", "the disk is full")) == "a.png: the disk is full"
        assert str(Failure("a\nb.png", r"a\nb.png is empty")) == r"a\nb.png is empty"

    def test_it_is_called_as_its_image_is(self) -> None:
        assert os.fspath(Failure("a\nb.png", "it is empty")) == "a\nb.png"


def test_a_package_that_is_not_installed_is_one_sentence_with_its_remedy() -> None:
    with pytest.raises(UsageError, match="the scale needs no_such_package: run pip install it"):  # noqa: SIM117
        with needs_package("no_such_package", "the scale needs no_such_package: run pip install it"):
            import no_such_package.part  # noqa: F401


def test_torch_is_named_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # so that importing it fails as where it is not installed
    with (
        pytest.raises(
            UsageError, match=r"^training needs PyTorch, which is not .*: run pip install 'oddlens\[torch\]'$"
        ),
        needs_torch("training"),
    ):
        import torch  # noqa: F401


def test_another_module_that_is_missing_stays_a_bug() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_package"), needs_torch("training"):
        import no_such_package  # noqa: F401
