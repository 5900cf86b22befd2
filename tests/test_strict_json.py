"""JSON is read strictly."""

import pytest

from oddlens.strict_json import parse_json


def test_json_is_read() -> None:
    assert parse_json('{"a": [1, 2.5, null, true, "x"]}') == {"a": [1, 2.5, None, True, "x"]}
    assert parse_json(b"[1e3]") == [1000.0]


@pytest.mark.parametrize(
    "text", ["", "{", "[NaN]", "Infinity", "-Infinity", "[1e999]", "[" * 100_000, '{"a":' * 100_000]
)
def test_anything_else_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 which words it has is its reader's business
        parse_json(text)
