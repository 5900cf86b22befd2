"""What a benchmark leaves behind."""

import json
import shutil
from pathlib import Path

from oddlens.evaluation import Benchmark, write_results
from tests.evaluation.tiny_set import make_plan


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
