"""A method in a package of somebody else: what its code made is not mixed with what its next code makes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import invalidate_caches
from pathlib import Path

import pytest

import oddlens
from oddlens.errors import ModelError, UsageError
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
    file = tmp_path / "our_knn_of_tests.py"
    file.write_text(CODE.replace("FACTOR", "1"))
    invalidate_caches()
    import our_knn_of_tests  # type: ignore[import-not-found]

    register(our_knn_of_tests.CARD)
    yield file
    del sys.modules["our_knn_of_tests"]


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
