"""report.html: one page that needs nothing else, with everything on it."""

import copy
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from oddlens.evaluation import Benchmark, Key, Skipped, Variant, summarise
from oddlens.evaluation.html_report import write_report

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What a page holds; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.tags if name == tag and attributes.items() <= found.items()]


@pytest.fixture(scope="module")
def document(finished: Benchmark) -> dict[str, Any]:
    return summarise(finished.plan, finished.cells, [])


@pytest.fixture(scope="module")
def page(document: dict[str, Any], finished: Benchmark) -> Page:
    return Page(write_report(document, finished.cells))


def test_weights_name_what_they_were_trained_on_and_problems_of_data_sets_are_said(
    document: dict[str, Any], finished: Benchmark
) -> None:
    changed = copy.deepcopy(document)
    changed["methods"]["winclip"] |= {"weights": "here/w.pth", "weights_sha256": "00", "trained_on": ["visa"]}
    changed["datasets"]["parts"]["problems"] = 1
    text = Page(write_report(changed, finished.cells)).text
    assert "weights here/w.pth (trained on visa), SHA-256 00" in text
    assert "parts: 1 problem found without reading its images" in text
    for result in changed["results"]:
        for entry in (result, *result["categories"]):
            entry["std"] = dict.fromkeys(entry["std"])
    assert "figures with ±" in text
    assert "figures with ±" not in Page(write_report(changed, finished.cells)).text


def test_a_note_that_is_not_of_all_rows_says_of_which_it_is(document: dict[str, Any], finished: Benchmark) -> None:
    changed = copy.deepcopy(document)
    other = copy.deepcopy(changed["results"])
    for result in other:
        result["method"] = "patch-knn"
    changed["methods"]["patch-knn"] = changed["methods"]["winclip"]
    changed["results"] += other

    for numbers, note in (((0, 1, 2, 3), "of all"), ((2, 3), "of one"), ((1, 3), "of shots"), ((0,), "of a row")):
        for number in numbers:
            changed["results"][number]["categories"][0]["notes"].append(note)
    text = Page(write_report(changed, finished.cells)).text
    said = "; of all; winclip, zero-shot: of a row; 2-shot: of shots; patch-knn: of one."
    assert said in text


def test_the_object_is_named_for_the_methods_that_it_matters_to(document: dict[str, Any], finished: Benchmark) -> None:
    assert "The object is called “bolt”. 3 normal" in Page(write_report(document, finished.cells)).text
    changed = copy.deepcopy(document)
    other = copy.deepcopy(changed["results"])
    for result in other:
        result["method"] = "vl4ad"
    changed["methods"]["vl4ad"] = copy.deepcopy(changed["methods"]["winclip"]) | {"takes": []}
    changed["results"] += other
    assert "For winclip, the object is called “bolt”. 3 normal" in Page(write_report(changed, finished.cells)).text
    changed["methods"]["winclip"]["takes"] = []
    text = Page(write_report(changed, finished.cells)).text
    assert "object is called" not in text
    assert "here, since winclip takes no good examples that would give one." in text
    assert "two good examples" not in text


def test_the_interval_of_a_seed_beside_a_mean_over_seeds_is_said_to_be(
    document: dict[str, Any], finished: Benchmark
) -> None:
    assert "image AUROC, 95 % interval (of seed 0)" in Page(write_report(document, finished.cells)).text
    changed = copy.deepcopy(document)
    for result in changed["results"]:
        for entry in result["categories"]:
            del entry["by_seed"][1:]
    text = Page(write_report(changed, finished.cells)).text
    assert "95 % interval" in text
    assert "of seed" not in text


def test_a_mean_over_a_category_of_which_the_mask_left_nothing_has_its_mark(
    document: dict[str, Any], finished: Benchmark
) -> None:
    assert "†" not in Page(write_report(document, finished.cells)).text
    changed = copy.deepcopy(document)
    bolt = changed["results"][0]["categories"][0]
    bolt["unseen"] = 1
    page = Page(write_report(changed, finished.cells))
    defined = sum(value is not None for value in bolt["mean"].values())
    quoted = 3
    # The row of the summary, that of the category, and both rows of the overview; and the sentence that says what it is.
    assert page.text.count("†") == 2 * defined + 2 * quoted + 1


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    assert not page.all("script")
    assert not page.all("link")
    assert page.all("img")
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert all(str(link["href"]).startswith("#") for link in page.all("a"))


def test_every_link_leads_to_a_category(page: Page) -> None:
    targets = {found["id"] for _, found in page.tags if "id" in found}
    assert {str(link["href"])[1:] for link in page.all("a")} == targets == {"parts/bolt", "parts/metal_nut"}


def test_every_category_has_its_curves_and_histograms(page: Page) -> None:
    charts = [chart["aria-label"] for chart in page.all("svg")]
    assert charts.count("ROC of images") == charts.count("Precision-recall of pixels") == 2
    assert charts.count("Scores, winclip, zero-shot") == charts.count("Scores, winclip, 2-shot, seed 0") == 2
    assert len(page.all("polyline", **{"class": "curve"})) == 2 * 4 * 2


def test_pictures_of_the_first_seed_are_shown_and_of_the_last_number_of_shots_at_once(
    page: Page, finished: Benchmark
) -> None:
    shown = [cell for key, cell in finished.cells.items() if key.variant in (Variant(0), Variant(2, 0))]
    assert len(page.all("img")) == sum(len(cell.shown) for cell in shown)
    assert [("open" in details) for details in page.all("details")] == [False, True, False, True]
    assert "bolt/test/block/000.png" in page.text


def test_verdicts_are_those_of_detect_with_the_same_examples_and_the_page_says_so(
    page: Page, finished: Benchmark, small_set: Path
) -> None:
    cell = finished.cells[Key("parts", "bolt", "winclip", Variant(2, 0))]
    detector = copy.copy(finished.plan.detectors[0])
    detector.add_references([small_set / path for path in cell.settings["references"]])
    found = detector.detect([small_set / score.path for score in cell.scores], "bolt")
    threshold = cell.thresholds["calibrated"]
    assert threshold == pytest.approx(found[0].threshold, abs=1e-6)  # its references were encoded in other batches
    assert cell.threshold_source == found[0].thresholds.source == "leave-one-out scores of 2 references"
    alarms = sum(each.is_anomalous for each, score in zip(found, cell.scores, strict=True) if not score.label)
    missed = sum(not each.is_anomalous for each, score in zip(found, cell.scores, strict=True) if score.label)
    assert (
        f"Verdicts at {threshold:.4g}, the threshold that detect uses with these good examples "
        f"(leave-one-out scores of 2 references): {alarms} of 3 normal images called NG, {missed} of 3 abnormal ones"
    ) in page.text
    for shown in cell.shown:
        verdict = "NG" if found[shown.number].is_anomalous else "OK"
        assert f": called {verdict}, {cell.scores[shown.number].score:.3g}" in page.text


def test_without_a_threshold_of_detects_own_there_is_no_verdict(finished: Benchmark) -> None:
    key = Key("parts", "bolt", "winclip", Variant(0))
    cells = {key: finished.cells[key]}
    text = Page(write_report(summarise(finished.plan, cells, []), cells)).text
    best = finished.cells[key].thresholds["image"]
    assert "called anomalous" not in text
    assert "called normal" not in text
    assert "No verdicts: detect has no threshold of its own here" in text
    assert (
        f"follows from the best F1 on these same images, at {best:.4g}: that threshold is not known beforehand" in text
    )


def test_figures_are_those_of_the_document(page: Page, document: dict[str, Any]) -> None:
    for result in document["results"]:
        assert f"{100 * result['mean']['pixel_aupro']:.1f}" in page.text
    assert document["methods"]["winclip"]["model_sha256"] in page.text


def test_a_single_category_needs_no_overview(finished: Benchmark) -> None:
    cells = {key: cell for key, cell in finished.cells.items() if key.category == "bolt"}
    page = Page(write_report(summarise(finished.plan, cells, []), cells))
    assert not page.all("a")
    assert "metal_nut" not in page.text


def test_what_is_undefined_or_skipped_or_published_is_reported(finished: Benchmark) -> None:
    key = Key("parts", "bolt", "winclip", Variant(0))
    bare = replace(
        finished.cells[key],
        figures=dict.fromkeys(finished.cells[key].figures),
        reasons={"pixel_ap": "no abnormal test image has a mask"},
        thresholds={"image": None, "pixel": None, "calibrated": None},
        interval=None,
        curves={},
    )
    cells = finished.cells | {key: bare}
    skipped = [
        Skipped(Key("parts", "bolt", "winclip", Variant(4, 0)), "bolt of parts has 3 good examples: 4 are needed")
    ]
    document = copy.deepcopy(summarise(finished.plan, cells, skipped))
    document["results"][1]["published"] = [
        {"source": "a <b>paper</b>", "mark": "S", "percent": {"image_auroc": 91.8}, "std": {}, "by_category": {}}
    ]
    page = Page(write_report(document, cells))
    assert "bolt of parts has 3 good examples: 4 are needed" in page.text
    assert "no pixel_ap: no abnormal test image has a mask" in page.text
    assert "a <b>paper</b> [S]" in page.text
    assert "/ 91.8" in page.text


def test_a_run_of_which_everything_was_skipped_still_has_a_page(finished: Benchmark) -> None:
    skipped = [Skipped(Key("parts", "bolt", "winclip", Variant(0)), "it rained")]
    page = Page(write_report(summarise(finished.plan, {}, skipped), {}))
    assert "it rained" in page.text
