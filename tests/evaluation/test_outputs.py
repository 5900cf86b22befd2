"""What a benchmark leaves behind."""

import json
import shutil
from pathlib import Path

import oddlens
from oddlens.evaluation import Benchmark, write_results
from tests.evaluation.tiny_set import make_plan, run_whole


def test_all_files_are_written_and_the_document_is_what_lies_on_disk(
    finished: Benchmark, small_set: Path, open_clip_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished.out, tmp_path / "out")
    run = Benchmark(make_plan(small_set, open_clip_folder), tmp_path / "out")
    run.open()
    document = write_results(run)
    assert sorted(path.name for path in run.out.iterdir()) == [
        "cells", "metrics.json", "picks", "references.bib", "report.html", "scores.jsonl", "table.md", "table.tex",
    ]  # fmt: skip
    assert json.loads((run.out / "metrics.json").read_text()) == document
    assert (run.out / "report.html").read_text().startswith("<!doctype html>")
    assert (run.out / "table.md").read_text().startswith("# Benchmark")
    assert r"\cite{jeong2023winclip}" in (run.out / "table.tex").read_text()
    assert "@inproceedings{jeong2023winclip," in (run.out / "references.bib").read_text()
    assert len((run.out / "scores.jsonl").read_text().splitlines()) == 36


def test_a_method_with_other_settings_has_rows_under_a_name_of_its_own(
    small_set: Path, open_clip_folder: Path, tmp_path: Path
) -> None:
    other = oddlens.load("winclip", open_clip_folder, fusion="mean")
    other.name = "winclip mean"
    run = run_whole(make_plan(small_set, open_clip_folder, shots=(0,), detectors=(other,)), tmp_path)
    document = write_results(run)
    assert document["methods"]["winclip mean"]["recipe"]["fusion"] == "mean"
    assert r"winclip mean~\cite{jeong2023winclip} & 0 &" in (tmp_path / "table.tex").read_text()
    assert "@inproceedings{jeong2023winclip," in (tmp_path / "references.bib").read_text()
    assert "| winclip mean |" in (tmp_path / "table.md").read_text()
    assert "winclip mean" in (tmp_path / "report.html").read_text()
