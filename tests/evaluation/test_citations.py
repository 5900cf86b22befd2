"""references.bib: the entries that the cards name, and a comment for what has none."""

import re
from typing import Any

import pytest

from oddlens import __version__
from oddlens.backbone.cards import CARDS
from oddlens.data.layouts import LAYOUTS
from oddlens.evaluation import Benchmark, summarise
from oddlens.evaluation.citations import entries, set_citations, write_bibtex
from oddlens.evaluation.published_methods import all_published, dataset_citations
from oddlens.methods.registry import method_card, method_cards

ARXIV = re.compile(r"arXiv (\d{4}\.\d{5})")
NO_PAPER = {
    "HeadCT",
    "BrainMRI",
    "Br35H",
    "COVID-19",
    "ISIC",
    "CVC-ColonDB",
    "CVC-ClinicDB",
    "Kvasir",
    "Endo",
    "TN3K",
    "AITEX",
    "ELPV",
}
"""Published sets whose entries we have not verified."""


def named_keys() -> set[str]:
    sets = {row.dataset for row in all_published()}
    return {
        *(key for card in method_cards().values() for key in card.citations),
        *(key for card in CARDS for key in card.citations),
        *(key for layout in LAYOUTS for key in layout.citations),
        *(key for name in sets for key in dataset_citations(name)),
    }


def test_every_key_that_a_card_names_has_an_entry_and_every_entry_is_named() -> None:
    assert named_keys() == set(entries())


@pytest.mark.parametrize("name", method_cards())
def test_a_methods_entry_is_of_the_paper_that_its_card_names(name: str) -> None:
    card = method_card(name)
    cited = [re.search(r"eprint = \{(.*)\}", entries()[key]) for key in card.citations]
    assert [found and found[1] for found in cited] == ARXIV.findall(card.paper)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_models_entries_are_of_the_papers_that_its_card_names(card: Any) -> None:
    cited = {found[1] for key in card.citations if (found := re.search(r"eprint = \{(.*)\}", entries()[key]))}
    assert cited >= set(ARXIV.findall(card.paper))
    assert card.citations


def test_published_sets_have_entries_but_for_those_that_were_not_verified() -> None:
    assert {row.dataset for row in all_published() if not dataset_citations(row.dataset)} <= NO_PAPER


@pytest.mark.parametrize("entry", entries().values(), ids=list(entries()))
def test_an_entry_has_what_a_bibliography_prints(entry: str) -> None:
    fields = set(re.findall(r"^  (\w+) = \{.+\},?$", entry, re.MULTILINE))
    assert fields >= {"title", "author", "year"}
    assert entry.count("{") == entry.count("}")
    assert entry.isascii()


def test_two_methods_as_one_cite_both() -> None:
    assert method_card("winclip+patch-knn").citations == ("jeong2023winclip", "roth2022towards")


def test_a_set_of_a_layout_of_its_own_is_known_by_it() -> None:
    base: Any = {"data_sha256": "", "problems": 0, "folders_left_out": [], "leaderboards": {}}
    assert set_citations({**base, "layout": "smiyc", "recognised_as": None}) == ("chan2021segmentmeifyoucan",)
    assert set_citations({**base, "layout": "mvtec", "recognised_as": "MVTec AD"}) == ("bergmann2019mvtec",)
    assert set_citations({**base, "layout": "mvtec", "recognised_as": None}) == ()


def test_what_has_no_entry_is_named(finished: Benchmark) -> None:
    text = write_bibtex(summarise(finished.plan, finished.cells, []))
    assert "% There is no entry for the model open-clip: cite what its makers ask for.\n" in text
    assert "% There is no entry for the data set parts: " in text
    assert "@inproceedings{jeong2023winclip," in text
    assert f"note = {{Version {__version__}}}" in text
    assert re.findall(r"^@\w+\{(\w+),", text, re.MULTILINE) == ["oddlens", "jeong2023winclip"]


def test_a_name_of_two_lines_cannot_leave_its_comment(finished: Benchmark) -> None:
    document = summarise(finished.plan, finished.cells, [])
    document["datasets"]["a\n@misc{b, title={c}}"] = document["datasets"].pop("parts")
    assert "\n@misc{b" not in write_bibtex(document)


def test_a_key_of_ones_own_is_left_to_ones_own_file(finished: Benchmark) -> None:
    document = summarise(finished.plan, finished.cells, [])
    document["methods"]["winclip"]["citations"].append("smith2027ours")
    text = write_bibtex(document)
    assert "% smith2027ours is cited, but has no entry here: add yours.\n" in text
    assert re.findall(r"^@\w+\{(\w+),", text, re.MULTILINE) == ["oddlens", "jeong2023winclip"]
