"""table.md: percent with one decimal, and a reason for every dash."""

import copy
from typing import Any

import pytest

from oddlens.evaluation import METRICS, Benchmark, Key, Skipped, Variant, summarise, summary_table
from oddlens.evaluation.markdown_tables import (
    bare_lines,
    has_spread,
    pipe_table,
    problem_lines,
    published_rows,
    remark_lines,
    settings_line,
    skipped_lines,
    title,
    undefined_lines,
    write_table,
)

INDUSTRIAL = METRICS[:9]
"""The figures of images with masks."""


@pytest.fixture
def document(finished: Benchmark) -> dict[str, Any]:
    return copy.deepcopy(summarise(finished.plan, finished.cells, []))


def test_pipe_tables_are_aligned_and_their_bars_escaped() -> None:
    assert pipe_table(["name", "value"], [["a|b", "1.0"], ["c", "10.0"]]).splitlines() == [
        "| name | value |",
        "| :--- | ----: |",
        "| a\\|b |   1.0 |",
        "| c    |  10.0 |",
    ]


def test_the_summary_has_a_row_a_data_set_method_and_number_of_shots(document: dict[str, Any]) -> None:
    head, rows = summary_table(document)
    assert head == ["data set", "method", "shots", *INDUSTRIAL]
    assert [row[:3] for row in rows] == [["parts", "winclip", "0"], ["parts", "winclip", "2"]]
    assert all(len(row) == len(head) for row in rows)


def test_a_figure_without_a_value_has_no_column(document: dict[str, Any]) -> None:
    for result in document["results"]:
        for entry in (result, *result["categories"]):
            entry["mean"]["pixel_ap"] = None
    assert "pixel_ap" not in summary_table(document)[0]
    assert "pixel_ap" not in write_table(document)


def test_a_figure_that_only_another_data_set_has_is_a_blank(document: dict[str, Any]) -> None:
    document["results"][0]["mean"]["miou"] = 0.5
    document["results"][0]["std"]["miou"] = None
    head, (first, second) = summary_table(document)
    assert (head[-1], first[-1], second[-1]) == ("miou", "50.0", "")


def test_what_is_printed_is_explained(document: dict[str, Any]) -> None:
    assert (
        "`pixel_aupro_legacy` by the rule of the authors' programs; of `pixel_fpr95` less is better. - :"
        in write_table(document)
    )
    for result in document["results"]:
        for entry in (result, *result["categories"]):
            entry["mean"] |= {"pixel_fpr95": None, "pixel_aupro_legacy": None}
    assert "AUPRO up to a false positive rate of 0.3. - :" in write_table(document)


def test_what_was_not_measured_has_no_row(document: dict[str, Any]) -> None:
    document["results"][0]["categories"] = []
    assert [row[2] for row in summary_table(document)[1]] == ["2"]


def test_every_category_has_a_row_and_the_mean_is_last(document: dict[str, Any]) -> None:
    text = write_table(document)
    section = text.split("## parts, winclip on open-clip, 2 shots (seeds 0, 1)\n\n")[1]
    first_cells = [line.split("|")[1].strip() for line in section.split("\n\n")[0].splitlines()]
    assert first_cells[0] == "category"
    assert first_cells[2:] == ["bolt", "metal_nut", "mean"]
    mean = document["results"][1]["mean"]["image_auroc"]
    assert f"{100 * mean:.1f} ± " in section.splitlines()[4]


@pytest.mark.parametrize(
    ("shots", "seeds", "words"),
    [(0, [None], "zero-shot"), (1, [3], "1 shot (seed 3)"), (4, [0, 1], "4 shots (seeds 0, 1)")],
)
def test_titles_read_well(document: dict[str, Any], shots: int, seeds: list[int | None], words: str) -> None:
    result = document["results"][0] | {"shots": shots, "seeds": seeds}
    assert title(document, result) == f"parts, winclip on open-clip, {words}"


def test_a_dash_has_its_reason_below(document: dict[str, Any]) -> None:
    entry = document["results"][0]["categories"][0]
    names = [name for name in INDUSTRIAL if name.startswith("pixel")]
    for figures in (entry["mean"], entry["by_seed"][0]["figures"]):
        figures.update(dict.fromkeys(names))
    entry["by_seed"][0]["reasons"] = dict.fromkeys(names, "no abnormal test image has a mask")
    text = write_table(document)
    assert f"- bolt: no {', '.join(names)}: no abnormal test image has a mask" in text
    first_of_bolt = next(line for line in text.splitlines() if line.startswith("| bolt"))
    assert first_of_bolt.split("|")[6].strip() == "-"


def test_categories_that_lack_the_same_share_a_line(document: dict[str, Any]) -> None:
    result = document["results"][1]
    for entry in result["categories"]:
        for cell in entry["by_seed"]:
            cell["reasons"] = {"pixel_aupro_legacy": "it rained"}
    assert undefined_lines(result) == ["bolt, metal_nut: no pixel_aupro_legacy: it rained"]


def test_a_mean_over_fewer_categories_has_a_star(document: dict[str, Any]) -> None:
    assert "*" not in write_table(document)
    document["results"][0]["categories_counted"]["pixel_ap"] = 1
    head, rows = summary_table(document)
    assert [name for name, cell in zip(head, rows[0], strict=True) if cell.endswith("*")] == ["pixel_ap"]
    assert not any(cell.endswith("*") for cell in rows[1])
    text = write_table(document)
    assert ". *: a mean over fewer categories, since the others do not define this figure.\n" in text
    assert [line.count("*") for line in text.splitlines() if line.startswith("| mean")] == [1, 0]


def test_a_mean_over_a_category_of_which_the_mask_left_nothing_has_its_mark(document: dict[str, Any]) -> None:
    assert "†" not in write_table(document)
    result = document["results"][0]
    result["categories"][0] |= {"unseen": 1}
    result["categories"][0]["mean"]["pixel_ap"] = None
    result["categories_counted"]["pixel_ap"] = 1
    result["categories_counted"]["image_ap"] = 1
    head, rows = summary_table(document)
    cells = dict(zip(head, rows[0], strict=True))
    assert cells["pixel_ap"].endswith(f"{100 * result['mean']['pixel_ap']:.1f}*"), "of metal_nut alone"
    assert cells["image_ap"].endswith("*†")
    assert cells["image_auroc"].endswith("†")
    assert "†" not in "".join(rows[1])
    text = write_table(document)
    assert " †: with test images of which the mask of the background leaves nothing" in text
    marked = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|") and "†" in line]
    assert marked == ["parts", "bolt", "mean"]
    result["published"] = [
        {
            "source": "a paper",
            "mark": "S",
            "percent": {"image_auroc": 91.8},
            "std": {},
            "by_category": {"bolt": {"image_auroc": 1.0}},
        }
    ]
    assert all("† / " in row[2] for row in published_rows(result, METRICS))


def test_what_is_known_of_several_categories_and_methods_is_one_line(document: dict[str, Any]) -> None:
    first, second = document["results"]
    second["method"] = "patch-knn"
    for result in (first, second):
        for entry in result["categories"]:
            entry["notes"] = ["it rained"]
    first["categories"][1]["notes"].append("it snowed")
    assert remark_lines(document) == [
        "parts (bolt, metal_nut), winclip, patch-knn: it rained",
        "parts (metal_nut), winclip: it snowed",
    ]


def test_published_figures_stand_beside_ours(document: dict[str, Any]) -> None:
    result = document["results"][0]
    result["mean"]["image_auroc"] = 0.9
    result["categories"][0]["mean"]["pixel_auroc"] = 0.5
    result["published"] = [
        {
            "source": "a paper",
            "mark": "S",
            "percent": {"image_auroc": 91.8},
            "std": {"image_auroc": 0.3},
            "by_category": {"bolt": {"pixel_auroc": 51.0}, "unknown": {"pixel_auroc": 1.0}},
        }
    ]
    blank = [""] * len(METRICS)
    bolt, mean = blank.copy(), blank.copy()
    bolt[METRICS.index("pixel_auroc")] = "50.0 / 51.0"
    mean[METRICS.index("image_auroc")] = "90.0 / 91.8 ± 0.3"
    assert published_rows(result, METRICS) == [["bolt", "a paper [S]", *bolt], ["mean", "a paper [S]", *mean]]
    assert "90.0 / 91.8 ± 0.3" in write_table(document)


def test_what_was_skipped_is_reported_once_a_reason(finished: Benchmark) -> None:
    skipped = [Skipped(Key("parts", "bolt", "winclip", Variant(4, seed)), "bolt has 3") for seed in (0, 1, 1)]
    document = summarise(finished.plan, finished.cells, skipped)
    assert skipped_lines(document) == ["bolt has 3: no figures for winclip 4-shot seed 0, 4-shot seed 1"]
    assert "## Skipped\n\n- bolt has 3: no figures" in write_table(document)


def test_a_category_without_any_figure_is_reported_with_the_methods_that_have_none(document: dict[str, Any]) -> None:
    assert bare_lines(document) == []
    (bare, *others) = document["results"][0]["categories"]
    bare["mean"] = dict.fromkeys(bare["mean"])
    for cell in bare["by_seed"]:
        cell["reasons"] = {"pixel_ap": "no mask", "miou": "it tells no classes", "pixel_auroc": "no mask"}
    result = document["results"][0] | {"categories": [bare, *others]}
    document["results"] = [result, result | {"shots": 1}, result | {"method": "anovl"}, result | {"categories": others}]
    where = f"{bare['category']} of {result['dataset']}"
    assert bare_lines(document) == [f"{where} has no figures at all for winclip, anovl: no mask; it tells no classes"]


def test_a_spread_is_explained_where_there_is_one(document: dict[str, Any]) -> None:
    explained = "; ± is the standard deviation over the seeds of the picks."
    assert has_spread(document)
    assert explained in write_table(document)
    for result in document["results"]:
        for entry in (result, *result["categories"]):
            entry["std"] = dict.fromkeys(entry["std"])
    assert not has_spread(document)
    assert "± is" not in write_table(document)
    result["published"] = [
        {
            "source": "a paper",
            "mark": "R",
            "percent": {"image_auroc": 91.8},
            "std": {"image_auroc": 0.3},
            "by_category": {},
        }
    ]
    assert explained in write_table(document)


def test_problems_of_a_data_set_stand_below_the_summary(document: dict[str, Any]) -> None:
    assert "problem" not in write_table(document)
    document["datasets"]["parts"]["problems"] = 2
    (line,) = problem_lines(document)
    assert line == (
        "parts: 2 problems found without reading its images: 'oddlens data check' reads them and lists all problems"
    )
    assert f"|\n\n- {line}\n\n## parts" in write_table(document)


def test_settings_other_than_the_defaults_stand_above_the_tables(document: dict[str, Any]) -> None:
    method = document["methods"]["winclip"]
    method["changed"] = {}
    assert "Settings" not in write_table(document)
    method["changed"] = {"temperature": 0.01, "scales": [2, 3], "prompts": "few", "words": "w" * 90}
    method |= {"preparation": {"tiles": "2x2"}, "weights": "here/learned.pth"}
    assert settings_line(document) == (
        " Settings other than the defaults: WinCLIP with temperature=0.01, scales=[2, 3], prompts=few, "
        f"words={'w' * 57}..., tiles=2x2, weights learned.pth."
    )
    assert f"not defined on this data.{settings_line(document)}" in write_table(document)
    method["trained_on"] = ["visa", "parts"]
    assert settings_line(document).endswith("weights learned.pth (trained on visa, parts).")
    method["trained_on"] = []
    method |= {"changed": {}, "thresholds": {"image": 0.3}, "roi": {"include": [[[0, 0], [1, 0], [1, 1]]]}}
    assert settings_line(document) == (
        ' Settings other than the defaults: WinCLIP with tiles=2x2, roi={"include": [[[0, 0], [1, 0], [1, 1]]]}, '
        'thresholds={"image": 0.3}, weights learned.pth.'
    )
