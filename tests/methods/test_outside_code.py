"""What a hash of a method's code follows: the code of others, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import invalidate_caches
from pathlib import Path
from types import ModuleType

import pytest

from oddlens.methods import registry
from oddlens.methods.outside_code import method_sha256
from oddlens.methods.registry import method_card, method_cards, register
from oddlens.methods.winclip.card import CARD as WINCLIP

CLASS = "class Method:\n    def score(self):\n        return {number}\n"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A method in a package, one in a single file, and one in a notebook, for one test alone."""
    monkeypatch.setattr(registry, "_CARDS", dict(method_cards()))
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "ours_of_lab" / "inner").mkdir(parents=True)
    for name in ("__init__.py", "inner/__init__.py", "inner/method.py"):
        (tmp_path / "ours_of_lab" / name).write_text(CLASS.format(number=1))
    (tmp_path / "ours_alone.py").write_text(CLASS.format(number=1))
    invalidate_caches()
    for name, home in (("packed", "ours_of_lab.inner.method:Method"), ("alone", "ours_alone:Method")):
        register(replace(WINCLIP, name=name, home=home))
    yield
    for name in [each for each in sys.modules if each.startswith("ours_")]:
        del sys.modules[name]


def of(name: str) -> str | None:
    return method_sha256(method_card(name))


@pytest.mark.parametrize("name", [*method_cards(), "winclip+patch-knn"])
def test_methods_of_oddlens_have_none_their_version_says_it(name: str) -> None:
    assert of(name) is None


def test_any_file_of_its_package_counts(tmp_path: Path) -> None:
    before = of("packed")
    assert before == of("packed")
    (tmp_path / "ours_of_lab" / "__init__.py").write_text(CLASS.format(number=2))
    other = of("packed")
    (tmp_path / "ours_of_lab" / "helper.py").write_text("")
    assert len({before, other, of("packed")}) == 3


def test_what_python_leaves_beside_it_does_not_count(tmp_path: Path) -> None:
    before = of("packed")
    (tmp_path / "ours_of_lab" / "__pycache__").mkdir(exist_ok=True)
    (tmp_path / "ours_of_lab" / "__pycache__" / "method.cpython-311.pyc").write_bytes(b"\0")
    assert of("packed") == before


def test_of_a_single_file_it_is_the_file(tmp_path: Path) -> None:
    before = of("alone")
    (tmp_path / "ours_alone.py").write_text(CLASS.format(number=2))
    assert before != of("alone") != of("packed")


def test_of_two_that_run_as_one_both_count(tmp_path: Path) -> None:
    before = of("alone+patch-knn")
    (tmp_path / "ours_alone.py").write_text(CLASS.format(number=2))
    assert None is not before != of("alone+patch-knn") is not None


class _Base:
    @property
    def request(self) -> int:
        return 1


class _First(_Base):
    @staticmethod
    def score() -> int:
        return 1


class _Second(_Base):
    @staticmethod
    def score() -> int:
        return 2


def test_of_a_notebook_it_is_the_functions_of_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = ModuleType("ours_notebook")  # it has no file, like __main__ of a notebook
    monkeypatch.setitem(sys.modules, "ours_notebook", notebook)
    register(replace(WINCLIP, name="typed", home="ours_notebook:Method"))
    found = []
    for each in (_First, _First, _Second):
        monkeypatch.setattr(notebook, "Method", each, raising=False)
        found.append(of("typed"))
    assert found[0] == found[1] != found[2]
