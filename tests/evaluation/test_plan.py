"""A plan of what is measured."""

from __future__ import annotations

import pytest

from oddlens.errors import UsageError
from oddlens.evaluation.picks import RulePicks
from oddlens.evaluation.plan import Plan


class Named:
    """A detector, as far as a plan asks for its name."""

    def __init__(self, name: str) -> None:
        self.name = name


def test_two_methods_of_one_name_are_refused() -> None:
    detectors = tuple(map(Named, ("winclip", "patch-knn", "winclip")))
    with pytest.raises(UsageError, match=r"2 detectors are called winclip: give each a name of its own"):
        Plan((), detectors, (), RulePicks())  # type: ignore[arg-type]
    Plan((), detectors[:2], (), RulePicks())  # type: ignore[arg-type]
