"""A configuration whose values are asked for by name, and what is said of those that cannot be used."""

from collections.abc import Callable

import pytest
import torch

from oddlens.backbone.layouts.base import without_leading_ones
from oddlens.backbone.layouts.settings import Settings
from oddlens.errors import ModelError

GOOD = {"width": 64, "eps": 1e-6, "square": [14, 14], "side": 14, "flag": False, "act": "gelu_pytorch_tanh", "heads": 4}


def settings(**values: object) -> Settings:
    return Settings(GOOD | values, "config.json", {"left_out": 12})


def test_good_values_are_read() -> None:
    read = settings()
    assert (read.whole("width"), read.number("eps"), read.flag("flag")) == (64, 1e-6, False)
    assert (read.side("side"), read.side("square"), read.heads("heads", 64)) == (14, 14, 4)
    assert read.nonlinearity("act") == "gelu_tanh"
    assert read.whole("left_out") == 12
    assert read.whole("absent", 7) == 7
    read.require("flag", False)


READERS: dict[str, Callable[[Settings], object]] = {
    "width": lambda read: read.whole("width"),
    "eps": lambda read: read.number("eps"),
    "flag": lambda read: read.flag("flag"),
    "square": lambda read: read.side("square"),
    "heads": lambda read: read.heads("heads", 64),
    "act": lambda read: read.nonlinearity("act"),
}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("width", [None, 0, -3, 1.5, "64", True, [64], 10**30, 1 << 24]),
        ("eps", [None, 0, -1e-6, "1e-6", True, float("nan"), float("inf"), [1]]),
        ("flag", [None, 0, 1, "false"]),
        ("square", [None, [14], [14, 16], [14, 14, 14], [0, 0], [True, True], 0, {}]),
        ("heads", [None, 0, 5, "4"]),
        ("act", [None, "relu", 3, ["gelu"], {}]),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, values: list[object]) -> None:
    for value in values:
        with pytest.raises(ModelError) as error:
            READERS[name](settings(**{name: value}))
        told = f"config.json lacks {name} (" if value is None else f"config.json sets {name} to "
        assert str(error.value).startswith(told)
        assert "\n" not in str(error.value)


def test_a_setting_that_changes_the_arithmetic_is_refused() -> None:
    with pytest.raises(ModelError, match="sets flag to False, where oddlens reads True"):
        settings().require("flag", True)
    with pytest.raises(ModelError, match=r"config.json lacks absent \(oddlens reads 3\)"):
        settings().require("absent", 3)


@pytest.mark.parametrize("values", [[], "vision", 3])
def test_a_part_that_is_no_object_is_refused(values: object) -> None:
    with pytest.raises(ModelError, match="is no JSON object"):
        Settings(values, "vision_config in config.json", {})


def test_a_part_that_is_left_out_is_its_defaults() -> None:
    assert Settings(None, "config.json", {"width": 3}).whole("width") == 3


def test_only_dimensions_of_size_one_in_front_are_dropped() -> None:
    given = {"a": torch.zeros(1, 1, 5), "b": torch.zeros(2, 1, 5), "c": torch.zeros(1, 5), "d": torch.zeros(1, 2)}
    made = without_leading_ones(given, {"a": 1, "b": 1, "c": 2, "absent": 1})
    assert {name: tuple(value.shape) for name, value in made.items()} == {
        "a": (5,), "b": (2, 1, 5), "c": (1, 5), "d": (1, 2),
    }  # fmt: skip
