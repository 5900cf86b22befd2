"""JSON is read strictly."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Literal, NotRequired, Required, TypedDict

import pytest

from oddlens.io.strict_json import DoubleFieldError, checked, form_fault, parse_json, said_time


def test_json_is_read() -> None:
    assert parse_json('{"a": [1, 2.5, null, true, "x"]}') == {"a": [1, 2.5, None, True, "x"]}
    assert parse_json(b"[1e3]") == [1000.0]


def test_a_field_that_stands_twice_can_be_refused() -> None:
    text = '{"limits": {"low": 1, "high": 2, "low": 3}}'
    assert parse_json(text) == {"limits": {"low": 3, "high": 2}}
    with pytest.raises(DoubleFieldError, match="the field low twice") as refused:
        parse_json(text, doubles=False)
    assert refused.value.name == "low"
    assert parse_json('[{"low": 1}, {"low": 2}]', doubles=False) == [{"low": 1}, {"low": 2}]


@pytest.mark.parametrize(
    "text", ["", "{", "[NaN]", "Infinity", "-Infinity", "[1e999]", "[" * 100_000, '{"a":' * 100_000]
)
def test_anything_else_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 which words it has is its reader's business
        parse_json(text)


FORM = {"name": str, "sizes": [[int]], "note": (str, None), "limits": {"low": float}}
GOOD: dict[str, Any] = {"name": "a", "sizes": [[1, 2], []], "note": None, "limits": {"low": 1, "high": 3}, "more": 4}


def test_a_value_that_has_the_form_has_no_fault() -> None:
    assert form_fault(GOOD, FORM) == ""
    assert form_fault(GOOD | {"note": "x", "sizes": [], "limits": {"low": 0.5}}, FORM) == ""
    assert form_fault(True, bool) == ""


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"name": 3}, "name is no text"),
        ({"sizes": {}}, "sizes is no list"),
        ({"sizes": [3]}, "an entry of sizes is no list"),
        ({"sizes": [[1, 2.5]]}, "an entry of an entry of sizes is no whole number"),
        ({"sizes": [[True]]}, "an entry of an entry of sizes is no whole number"),
        ({"note": 3}, "note is no text"),
        ({"limits": []}, "limits is no object"),
        ({"limits": {}}, "limits lacks low"),
        ({"limits": {"low": "1"}}, "low is no number"),
        ({"limits": {"low": False}}, "low is no number"),
        ({"limits": {"low": 10**400}}, "low is no number"),
    ],
)
def test_what_has_another_form_is_reported_in_words(changed: dict[str, Any], fault: str) -> None:
    assert form_fault(GOOD | changed, FORM) == fault


def test_what_lacks_something_is_reported() -> None:
    assert form_fault({"name": "a", "note": None}, FORM) == "it lacks limits, sizes"
    assert form_fault([], FORM, "the file") == "the file is no object"
    assert form_fault(3, None, "references") == "references is not null"


class _Limits(TypedDict):
    low: float


class _Named(TypedDict):
    name: str
    sizes: list[list[int]]
    note: str | None
    limits: _Limits
    open: NotRequired[dict[str, object]]
    digests: NotRequired[dict[str, str]]


class _Numbered(_Named, total=False):
    number: int | None
    kind: Literal["split", "whole"]
    more: Required[int]


def test_a_checked_value_is_the_value_itself() -> None:
    assert checked(GOOD, _Named) is GOOD
    assert checked([GOOD], list[_Numbered]) == [GOOD]
    assert (
        checked(GOOD | {"number": None, "kind": "split", "open": {"a": [1]}, "digests": {"a": "b"}}, _Numbered)[
            "number"
        ]
        is None
    )


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"name": 3}, "name is no text"),
        ({"sizes": [[1, 2.5]]}, "an entry of an entry of sizes is no whole number"),
        ({"note": 3}, "note is no text"),
        ({"limits": {}}, "limits lacks low"),
        ({"limits": {"low": 10**400}}, "low is no number"),
        ({"open": []}, "open is no object"),
        ({"digests": {"a": 1}}, "an entry of digests is no text"),
        ({"number": "1"}, "number is no whole number"),
        ({"kind": "half"}, "kind is none of split, whole"),
    ],
)
def test_a_type_is_a_form(changed: dict[str, Any], fault: str) -> None:
    assert form_fault(GOOD | changed, _Numbered) == fault
    with pytest.raises(ValueError, match=f"^{fault}$"):
        checked(GOOD | changed, _Numbered)


def test_what_a_type_lacks_is_reported() -> None:
    assert form_fault({"name": "a", "note": None}, _Numbered) == "it lacks limits, more, sizes"
    assert form_fault({"name": "a"}, list[_Named] | None) == "it is no list"


def test_a_time_is_written_in_utc() -> None:
    east = timezone(timedelta(hours=2))
    assert said_time(datetime(2026, 11, 26, 1, 30, 0, 5678, east)) == "2026-11-25T23:30:00.005Z"
