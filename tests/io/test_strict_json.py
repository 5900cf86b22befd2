"""JSON is read strictly."""

from typing import Any

import pytest

from oddlens.io.strict_json import form_fault, parse_json


def test_json_is_read() -> None:
    assert parse_json('{"a": [1, 2.5, null, true, "x"]}') == {"a": [1, 2.5, None, True, "x"]}
    assert parse_json(b"[1e3]") == [1000.0]


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
