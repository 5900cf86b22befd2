"""What is read from disk is judged before it is used."""

import pytest
import torch

from oddlens.checked import find_non_finite, is_finite, parse_json


class TestJson:
    def test_json_is_read(self) -> None:
        assert parse_json('{"a": [1, 2.5, null, true, "x"]}') == {"a": [1, 2.5, None, True, "x"]}
        assert parse_json(b"[1e3]") == [1000.0]

    @pytest.mark.parametrize(
        "text", ["", "{", "[NaN]", "Infinity", "-Infinity", "[1e999]", "[" * 100_000, '{"a":' * 100_000]
    )
    def test_anything_else_is_a_value_error(self, text: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 which words it has is its reader's business
            parse_json(text)


class TestTensors:
    @pytest.mark.parametrize(
        "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn]
    )
    def test_a_number_that_is_not_finite_is_found(self, dtype: torch.dtype) -> None:
        good = torch.ones(1000).to(dtype)
        for bad in (torch.nan, torch.inf, -torch.inf):
            damaged = torch.ones(1000)
            damaged[777] = bad
            if dtype is torch.float8_e4m3fn and bad is not torch.nan:
                continue  # this type has no infinities
            assert is_finite(good)
            assert not is_finite(damaged.to(dtype))
            assert find_non_finite({"good": good, "bad": damaged.to(dtype)}) == "bad"

    def test_whole_numbers_and_nothing_at_all_are_finite(self) -> None:
        tensors = {"none": torch.ones(0, 3), "int": torch.ones(3, dtype=torch.int64), "bool": torch.ones(2) > 0}
        assert find_non_finite(tensors) is None
        assert not is_finite(torch.tensor([1 + 1j, complex(0, torch.nan)]))
