"""Writing the outputs of a benchmark."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from oddlens.evaluation.citations import write_bibtex
from oddlens.evaluation.document import MetricsDocument
from oddlens.evaluation.html_report import write_report
from oddlens.evaluation.latex_table import write_latex
from oddlens.evaluation.markdown_tables import write_table
from oddlens.evaluation.metrics_document import score_lines, summarise
from oddlens.io.atomic import write_text

if TYPE_CHECKING:
    from oddlens.evaluation.runner import Benchmark


def write_results(run: Benchmark) -> MetricsDocument:
    """Write every file of OUT that is made of the figures. Returns the document of metrics.json."""
    document: MetricsDocument = json.loads(json.dumps(summarise(run.plan, run.cells, run.skipped), allow_nan=False))
    write_text(run.out / "metrics.json", json.dumps(document, indent=1) + "\n")
    write_text(run.out / "scores.jsonl", score_lines(run.cells))
    write_text(run.out / "table.md", write_table(document))
    write_text(run.out / "table.tex", write_latex(document))
    write_text(run.out / "references.bib", write_bibtex(document))
    write_text(run.out / "report.html", write_report(document, run.cells))
    return document
