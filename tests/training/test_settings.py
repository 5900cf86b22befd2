"""The settings of trainings: what is out of range is refused where they are made."""

import math

import pytest

from oddlens.errors import UsageError
from oddlens.training.settings import LARGEST_SEED, TrainingSettings


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("epochs", 0, "epochs cannot be 0: give 1 or more"),
        ("batch", -3, "batch cannot be -3: give 1 or more"),
        ("learning_rate", 0.0, "learning_rate cannot be 0.0: give a number above 0"),
        ("learning_rate", math.nan, "learning_rate cannot be nan: give a number above 0"),
        ("learning_rate", math.inf, "learning_rate cannot be inf: give a number above 0"),
        ("betas", (0.5, 1.0), "betas cannot hold 1.0: give numbers from 0, below 1"),
        ("betas", (math.nan, 0.5), "betas cannot hold nan: give numbers from 0, below 1"),
        ("mosaic", 1.5, "mosaic cannot be 1.5: give a number from 0 to 1"),
        ("mosaic", math.nan, "mosaic cannot be nan: give a number from 0 to 1"),
        ("seed", LARGEST_SEED + 1, "seed cannot be 9223372036854775808: give a number from 0 to 9223372036854775807"),
    ],
)
def test_a_value_out_of_range_is_refused(field: str, value: object, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        TrainingSettings(**{field: value})  # type: ignore[arg-type]
    assert str(error.value) == sentence


def test_the_ends_of_the_ranges_are_within() -> None:
    TrainingSettings(epochs=1, batch=1, betas=(0.0, 0.0), mosaic=1.0, seed=LARGEST_SEED)
