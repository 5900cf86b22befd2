"""A method in a package of somebody else: what its code made is not mixed with what its next code makes."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import invalidate_caches
from pathlib import Path

import pytest

import oddlens
from oddlens.errors import MethodError, ModelError, OddlensError, UsageError
from oddlens.evaluation import Benchmark, Plan, RulePicks, open_sources, variants
from oddlens.methods import registry
from oddlens.methods.registry import method_cards, register
from tests.evaluation.tiny_set import run_whole, write_set

CODE = """
from dataclasses import replace

from oddlens.methods.patch_knn.card import CARD as PATCH_KNN
from oddlens.methods.patch_knn.method import PatchKNN
from oddlens.methods.base import Scores

CARD = replace(PATCH_KNN, name="our-knn", home="our_knn_of_tests:OurKNN")


class OurKNN(PatchKNN):
    card = CARD

    def score(self, features, text, memory):
        found = super().score(features, text, memory)
        return Scores(found.scores * FACTOR, found.maps)
"""


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The file of the method, importable and registered."""
    monkeypatch.setattr(registry, "_CARDS", dict(method_cards()))
    monkeypatch.syspath_prepend(str(tmp_path))
    # Python takes kept bytecode for code of the same length that is written within the same second.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "our_knn_of_tests.py"
    file.write_text(CODE.replace("FACTOR", "1"))
    invalidate_caches()
    import our_knn_of_tests  # type: ignore[import-not-found]

    register(our_knn_of_tests.CARD)
    yield file
    sys.modules.pop("our_knn_of_tests", None)


def plan_of(data: Path, model: Path, *seeds: int) -> Plan:
    return Plan(open_sources([data]), (oddlens.load("our-knn", model),), variants([2], seeds), RulePicks())


def test_a_benchmark_takes_no_cell_of_other_code(package: Path, open_clip_folder: Path, tmp_path: Path) -> None:
    data = write_set(tmp_path / "parts")
    run_whole(plan_of(data, open_clip_folder, 0), tmp_path / "out")
    again = Benchmark(plan_of(data, open_clip_folder, 0, 1), tmp_path / "out")
    again.open()
    assert again.pending == 12  # the same code: the images of one more seed
    package.write_text(CODE.replace("FACTOR", "2"))
    with pytest.raises(
        UsageError, match=r"our-knn-2shot-seed0\.json was made with other settings \(code of the method\)"
    ):
        Benchmark(plan_of(data, open_clip_folder, 0, 1), tmp_path / "out").open()


def test_a_station_is_opened_by_the_code_that_made_it(package: Path, open_clip_folder: Path, tmp_path: Path) -> None:
    good = write_set(tmp_path / "parts") / "bolt" / "train" / "good"
    oddlens.load("our-knn", open_clip_folder).add_references(good).save(tmp_path / "line")
    assert len(oddlens.open_station(tmp_path / "line").references or ()) == 3
    package.write_text(CODE.replace("FACTOR", "2"))
    with pytest.raises(
        ModelError, match=r"line was made with other code of the method our-knn .* make the station again"
    ):
        oddlens.open_station(tmp_path / "line")


GIVEN = "Scores(found.scores * FACTOR, found.maps)"
FAULTS = {
    "Scores(found.scores * float('nan'), found.maps)": "a score or a map that is not finite",
    "Scores(found.scores / object(), found.maps)": (
        r"the code of the method our-knn fails \(our_knn_of_tests.py, line 16\): TypeError: .*: mend it in its package"
    ),
    "Scores(found.scores[:, None], found.maps)": r"our-knn gives scores of the shape \[\d, 1\] where \[\d\] is wanted: mend it",
    "Scores(found.scores[1:], found.maps)": r"our-knn gives scores of the shape \[\d\] where \[\d\] is wanted: mend it",
    "Scores(found.scores, found.maps[:, None])": (
        r"our-knn gives maps of the shape \[\d, 1, \d+, \d+\] where \[\d, height, width\] is wanted: mend it"
    ),
    "Scores(found.scores, list(found.maps[:, None]))": r"our-knn gives maps of the shapes \[1, \d+, \d+\]",
    "found.scores": "the code of the method our-knn fails: AttributeError",
}
"""What a faulty method gives, and what is said of it."""


@pytest.fixture(params=FAULTS)
def faulty(package: Path, request: pytest.FixtureRequest) -> str:
    """A package with a fault, and what is said of that."""
    package.write_text(CODE.replace(GIVEN, request.param))
    del sys.modules["our_knn_of_tests"]
    invalidate_caches()
    return FAULTS[request.param]


def test_a_fault_of_it_is_one_sentence(faulty: str, open_clip_folder: Path, tmp_path: Path) -> None:
    good = write_set(tmp_path / "parts") / "bolt" / "train" / "good"
    with pytest.raises(OddlensError, match=faulty):
        oddlens.load("our-knn", open_clip_folder).add_references(good).detect(good)


def test_a_fault_of_it_takes_no_figure_from_another_method(faulty: str, open_clip_folder: Path, tmp_path: Path) -> None:
    data = write_set(tmp_path / "parts", ("bolt",))
    knn, ours = (oddlens.load(name, open_clip_folder) for name in ("patch-knn", "our-knn"))
    plan = Plan(open_sources([data]), (ours, knn), variants([2], [0, 1]), RulePicks())
    run = run_whole(plan, tmp_path / "out")
    assert {(key.method, key.variant.seed) for key in run.cells} == {("patch-knn", 0), ("patch-knn", 1)}
    assert {(skip.key.method, skip.key.variant.seed) for skip in run.skipped} == {("our-knn", 0), ("our-knn", 1)}
    assert all(re.search(faulty, skip.reason) for skip in run.skipped)
    alone = run_whole(Plan(plan.sources, (knn,), plan.variants, RulePicks()), tmp_path / "alone")
    assert [cell.figures for cell in run.cells.values()] == [cell.figures for cell in alone.cells.values()]


@pytest.mark.parametrize("place", ["def encode(self, vision_pass)", "def fit(self, references)"])
def test_one_that_takes_not_even_the_images_takes_no_figure_either(
    place: str, package: Path, open_clip_folder: Path, tmp_path: Path
) -> None:
    package.write_text(f"{CODE.replace(GIVEN, 'found')}\n    {place}:\n        raise ValueError('not today')\n")
    del sys.modules["our_knn_of_tests"]
    invalidate_caches()
    data = write_set(tmp_path / "parts", ("bolt",))
    detectors = tuple(oddlens.load(name, open_clip_folder) for name in ("patch-knn", "our-knn"))
    run = run_whole(Plan(open_sources([data]), detectors, variants([2], [0]), RulePicks()), tmp_path / "out")
    assert [key.method for key in run.cells] == ["patch-knn"]
    ((skip),) = run.skipped
    assert re.search(r"method our-knn fails \(our_knn_of_tests.py, line 19\): ValueError: not today", skip.reason)


def test_a_package_that_cannot_be_imported_is_named(package: Path, open_clip_folder: Path) -> None:
    package.write_text("import a_package_that_is_not_there\n")
    del sys.modules["our_knn_of_tests"]
    invalidate_caches()
    with pytest.raises(
        MethodError, match=r"the code of the method our-knn fails .*: No module named 'a_package_that_is_not"
    ):
        oddlens.load("our-knn", open_clip_folder)


def test_a_station_whose_method_is_not_there_is_not_called_damaged(
    package: Path, open_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = write_set(tmp_path / "parts") / "bolt" / "train" / "good"
    oddlens.load("our-knn", open_clip_folder).add_references(good).save(tmp_path / "line")
    monkeypatch.delitem(registry._CARDS, "our-knn")
    with pytest.raises(UsageError, match=r"names the method 'our-knn', which nothing here brings: install its package"):
        oddlens.open_station(tmp_path / "line")
