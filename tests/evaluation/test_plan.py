"""A plan of what is measured."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from oddlens.data.named import open_sources
from oddlens.errors import UsageError
from oddlens.evaluation.picks import RulePicks
from oddlens.evaluation.plan import Plan
from tests.evaluation.tiny_set import write_set


class Named:
    """A detector, as far as a plan asks for its name."""

    def __init__(self, name: str) -> None:
        self.name = name


def test_two_methods_of_one_name_are_refused() -> None:
    detectors = tuple(map(Named, ("winclip", "patch-knn", "winclip")))
    with pytest.raises(UsageError, match=r"2 detectors are called winclip: give each a name of its own"):
        Plan((), detectors, (), RulePicks())  # type: ignore[arg-type]
    Plan((), detectors[:2], (), RulePicks())  # type: ignore[arg-type]


def test_copies_are_left_out_where_the_plan_says_so(tmp_path: Path) -> None:
    root = write_set(tmp_path / "parts", ["bolt"])
    shutil.copy(root / "bolt/train/good/001.png", root / "bolt/test/good/007.png")
    sources = open_sources([root])
    whole, clean = (Plan(sources, (), (), RulePicks(), leave_out_copies=said) for said in (False, True))
    assert whole.sources == sources
    assert clean.sources[0].names_left_out("bolt") == ["bolt/test/good/007.png"]
    assert replace(clean, maps=True).sources == clean.sources
