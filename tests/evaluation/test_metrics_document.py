"""metrics.json: every figure, and what it depends on."""

import json
import math
import statistics
from dataclasses import replace
from importlib.metadata import version

import pytest

import oddlens
from oddlens.evaluation import METRICS, Benchmark, Key, Skipped, Variant, summarise
from oddlens.evaluation.latex_table import write_latex
from oddlens.evaluation.markdown_tables import write_table
from oddlens.evaluation.metrics_document import score_lines


@pytest.fixture(scope="module")
def document(finished: Benchmark) -> dict[str, object]:
    return summarise(finished.plan, finished.cells, finished.skipped)


def few(document: dict[str, list[dict[str, object]]]) -> dict[str, object]:
    return next(result for result in document["results"] if result["shots"] == 2)


def test_it_is_json_without_nan(document: dict[str, object]) -> None:
    json.dumps(document, allow_nan=False)


def test_a_mean_is_the_mean_over_seeds_of_the_unweighted_mean_over_categories(
    document: dict[str, object], finished: Benchmark
) -> None:
    result = few(document)
    assert list(result["mean"]) == document["figures"] == list(METRICS[:9])
    for name in METRICS[:9]:
        by_seed = [
            statistics.fmean(
                finished.cells[Key("parts", category, "winclip", Variant(2, seed))].figures[name]
                for category in ("bolt", "metal_nut")
            )
            for seed in (0, 1)
        ]
        assert result["mean"][name] == pytest.approx(statistics.fmean(by_seed))
        assert result["std"][name] == pytest.approx(statistics.stdev(by_seed))
        assert [seed["figures"][name] for seed in result["by_seed"]] == pytest.approx(by_seed)


def test_zero_shot_has_one_draw_and_no_deviation(document: dict[str, object]) -> None:
    result = next(result for result in document["results"] if result["shots"] == 0)
    assert result["seeds"] == [None]
    assert set(result["std"].values()) == {None}


def test_a_figure_that_a_category_lacks_is_the_mean_of_the_others(finished: Benchmark) -> None:
    key = Key("parts", "bolt", "winclip", Variant(0))
    cell = finished.cells[key]
    lacking = replace(
        cell, figures=cell.figures | {"pixel_ap": None}, reasons={"pixel_ap": "no abnormal test image has a mask"}
    )
    result = summarise(finished.plan, finished.cells | {key: lacking}, [])["results"][0]
    other = finished.cells[Key("parts", "metal_nut", "winclip", Variant(0))]
    assert result["mean"]["pixel_ap"] == other.figures["pixel_ap"]
    assert result["categories_counted"]["pixel_ap"] == 1
    assert result["categories_counted"]["pixel_auroc"] == 2


def test_every_category_has_counts_names_examples_and_time(document: dict[str, object]) -> None:
    bolt = few(document)["categories"][0]
    assert bolt["pictures"] == {"normal": 3, "abnormal": 3, "drawn": 3, "unlabelled": 0}
    assert (bolt["category"], bolt["object_name"], bolt["pixels_compared_at"]) == ("bolt", "bolt", (40, 40))
    seed = bolt["by_seed"][1]
    assert seed["seed"] == 1
    assert len(seed["references"]) == 2
    assert set(seed["seconds"]) == {"encode", "ask"}
    assert all(value > 0 and math.isfinite(value) for value in seed["seconds"].values())


def test_methods_and_data_sets_are_identified(document: dict[str, object], finished: Benchmark) -> None:
    method = document["methods"]["winclip"]
    identity = finished.plan.detectors[0].identity
    assert (method["model"], method["model_sha256"]) == ("open-clip", identity.model.sha256)
    assert method["preprocessing_sha256"] == identity.preprocessing_sha256
    assert method["recipe"]["image_size"] == method["changed"]["image_size"] == 40
    assert "temperature" not in method["changed"]
    assert method["fitted"] == list(finished.plan.detectors[0].notes)
    assert method["weights"] is method["weights_sha256"] is None
    assert document["datasets"]["parts"]["recognised_as"] is None
    assert document["datasets"]["parts"]["leaderboards"] == {}
    assert document["evaluation"]["pixels_compared_at"].startswith("the size of the method's maps")


def test_seeds_that_cannot_differ_say_so(finished: Benchmark) -> None:
    cells = {
        key: replace(
            cell, settings=cell.settings | {"references": ["a.png", "b.png"][:: 1 if key.variant.seed else -1]}
        )
        for key, cell in finished.cells.items()
    }
    result = few(summarise(finished.plan, cells, []))
    category = result["categories"][0]
    assert category["notes"] == ["with 2 good examples every seed picks the same ones: there is no ±"]
    assert set(category["std"].values()) == set(result["std"].values()) == {None}
    assert result["mean"]["image_auroc"] is not None


def test_a_note_of_any_seed_stands_once_in_its_category(finished: Benchmark) -> None:
    cells = {
        key: replace(cell, notes=("of all", f"of seed {key.variant.seed}")) for key, cell in finished.cells.items()
    }
    category = few(summarise(finished.plan, cells, []))["categories"][0]
    assert category["notes"] == ["of all", "of seed 0", "of seed 1"]


def test_what_was_skipped_is_reported(finished: Benchmark) -> None:
    key = Key("parts", "bolt", "winclip", Variant(2, 0))
    document = summarise(finished.plan, {}, [Skipped(key, "it rained")])
    assert document["skipped"] == [
        {"dataset": "parts", "category": "bolt", "method": "winclip", "shots": 2, "seed": 0, "reason": "it rained"}
    ]
    assert document["results"][0]["categories"] == []
    assert document["results"][0]["mean"] == {}


def test_means_that_lack_a_skipped_cell_say_so(finished: Benchmark) -> None:
    gone, left = [key for key in finished.cells if key.variant.seed == 1]
    cells = {key: cell for key, cell in finished.cells.items() if key != gone}
    document = summarise(finished.plan, cells, [Skipped(gone, "it failed")])
    zero, few = document["results"]
    assert (few["lacking"], "lacking" in zero) == (1, False)
    assert {each["category"]: each.get("lacking") for each in few["categories"]} == {
        gone.category: 1,
        left.category: None,
    }
    by_nature = summarise(finished.plan, cells, [Skipped(gone, "it takes none", by_nature=True)])
    assert "lacking" not in by_nature["results"][1]
    row, *_ = (line for line in write_table(document).splitlines() if "winclip" in line and "‡" in line)
    assert row.split("|")[3].strip() == "2"
    latex = write_latex(document)
    assert r"\rlap{$\ddagger$}" in latex
    assert "% it failed: no figures for winclip 2-shot seed 1" in latex


def test_every_score_has_a_line(finished: Benchmark) -> None:
    lines = [json.loads(line) for line in score_lines(finished.cells).splitlines()]
    assert len(lines) == 6 * len(finished.cells)
    first = finished.cells[Key("parts", "bolt", "winclip", Variant(0))].scores[0]
    assert lines[0] == {
        "dataset": "parts", "category": "bolt", "method": "winclip", "shots": 0, "seed": None,
        "path": first.path, "label": first.label, "defect": first.defect, "score": first.score,
    }  # fmt: skip


@pytest.mark.parametrize(("runtime", "package"), [("onnx", "onnxruntime"), ("torch", "torch")])
def test_each_method_says_what_computed_whatever_else_is_installed(
    finished: Benchmark, runtime: str, package: str
) -> None:
    plan = replace(finished.plan, detectors=(oddlens.load("winclip", runtime=runtime),))
    said = summarise(plan, {}, [])["methods"]["winclip"]["runtime"]
    assert said == f"{package} {version(package)}"
