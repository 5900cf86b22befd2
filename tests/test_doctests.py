"""The examples in docstrings are true: doctest runs those of every module that has one."""

import doctest
import importlib
from pathlib import Path

import pytest

import oddlens
from oddlens import metrics
from tests.torch_free import missing_package

SOURCE = Path(oddlens.__file__).parent
MODULES = sorted(
    ".".join(("oddlens", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
    for path in SOURCE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


CHANGE_RECIPES = ("oddlens.loading.detectors",)
"""Modules whose examples set fields that graphs do not take."""


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.needs_torch] * (each in CHANGE_RECIPES)) for each in MODULES]
)
def test_examples_of_a_module_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if missing := missing_package(error):  # that others run without it is the business of test_import_graph
            pytest.skip(f"{name} needs {missing}, which is not installed")
        raise
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


def test_every_public_metric_has_an_example():
    lacking = [
        name
        for name in metrics.__all__
        if callable(thing := getattr(metrics, name))
        and (name.islower() or name.endswith(("Accumulator", "Scores", "Counts")))
        and not any(test.examples for test in doctest.DocTestFinder(recurse=False).find(thing, name))
    ]
    assert lacking == []
