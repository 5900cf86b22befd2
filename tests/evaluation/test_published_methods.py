"""Published figures: only what was read, and only beside what is the same."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from oddlens.backbone.cards import CARDS
from oddlens.data import Dataset, Record
from oddlens.evaluation import METRICS, NamedDataset
from oddlens.evaluation.published_methods import all_published, find_published, recognise

MVTEC = (
    "bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut", "pill", "screw", "tile", "toothbrush",
    "transistor", "wood", "zipper",
)  # fmt: skip
PLUS_E31, PLUS_E32 = "laion400m-vit-b-16-plus-240-e31", "laion400m-vit-b-16-plus-240-e32"


def source(name: str, categories: Iterable[str], tests: int) -> NamedDataset:
    names = list(categories)
    records = [
        Record(Path(f"{number}.png"), None, 0, names[number % len(names)], "good", "test") for number in range(tests)
    ]
    return NamedDataset(name, Dataset(Path(), "mvtec", tuple(records)))


@pytest.mark.parametrize("name", ["mvtec", "MVTec-AD", "mvtec_anomaly_detection"])
def test_mvtec_is_known_by_name_categories_and_number_of_pictures(name: str) -> None:
    assert recognise(source(name, MVTEC, 1725)) == "MVTec AD"


def test_a_subset_or_a_set_of_another_name_is_not_taken_for_it() -> None:
    assert recognise(source("mvtec", MVTEC, 1724)) is None
    assert recognise(source("mvtec", MVTEC[:3], 1725)) is None
    assert recognise(source("mvtec_mini", MVTEC, 1725)) is None


def test_figures_are_found_by_method_shots_data_set_and_model() -> None:
    zero = find_published("MVTec AD", "winclip", 0, PLUS_E31)
    assert [entry.percent["image_auroc"] for entry in zero] == [91.8, 90.4]
    assert [entry.percent["pixel_aupro"] for entry in find_published("VisA", "winclip", 4, PLUS_E32)] == [87.6]
    assert find_published("MVTec AD", "winclip", 3, PLUS_E31) == ()
    assert find_published("MVTec AD", "winclip", 0, "mini") == ()
    assert find_published(None, "winclip", 0, PLUS_E31) == ()


def test_logs_by_category_hold_every_category() -> None:
    logs = [entry for entry in all_published() if entry.by_category and entry.dataset == "MVTec AD"]
    assert [tuple(sorted(entry.by_category)) for entry in logs] == [MVTEC, MVTEC]
    assert [log.by_category["bottle"]["pixel_auroc"] for log in logs] == [90.4, 98.48]


def test_their_mean_is_the_printed_mean() -> None:
    for entry in all_published():
        printed = {name for figures in entry.by_category.values() for name in figures}
        for name, mean in entry.percent.items():
            if name not in printed:
                continue
            values = [figures[name] for figures in entry.by_category.values()]
            assert sum(values) / len(values) == pytest.approx(mean, abs=0.1)  # both are rounded


def test_everything_says_where_it_was_read_and_belongs_to_a_known_model() -> None:
    names = {card.name for card in CARDS}
    for entry in all_published():
        assert entry.mark in {"R", "img", "3rd", "S"}
        assert entry.source
        assert set(entry.models) <= names
        for figures in (entry.percent, entry.std, *entry.by_category.values()):
            assert set(figures) <= set(METRICS)
            assert all(0 <= value <= 100 for value in figures.values())
