"""Benchmarks: methods x data sets x numbers of good examples, resumable, with tables and a report.

    sources = open_sources(["mvtec"])
    run = Benchmark(Plan(sources, (oddlens.load("winclip"),), variants([0, 4], [0, 1, 2]), RulePicks()), Path("out"))
    run.open()
    for job in run.run():
        print(job.category)
    document = write_results(run)

OUT/metrics.json    every figure and what it depends on           OUT/scores.jsonl   every image's scores
OUT/table.md        the figures as papers print them              OUT/report.html    curves, histograms and images, on one page
OUT/table.tex       the same for a paper                          OUT/references.bib what a paper cites for it
OUT/cells/, OUT/picks/, OUT/maps/                                 one file a cell; lists of good examples; raw maps with --maps
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddlens.data.named import NamedDataset, open_sources
from oddlens.data.object_names import ObjectNames, read_names
from oddlens.evaluation.cell_key import Key, Variant, variants
from oddlens.evaluation.cell_results import CellResult
from oddlens.evaluation.markdown_tables import bare_lines, skipped_lines, summary_table
from oddlens.evaluation.metric_names import METRICS
from oddlens.evaluation.metrics_document import summarise
from oddlens.evaluation.outputs import write_results
from oddlens.evaluation.picks import ListedPicks, Picks, RulePicks
from oddlens.evaluation.plan import Job, Plan, Skipped
from oddlens.evaluation.protocol import Protocol, read_sizes
from oddlens.evaluation.unseen import unseen_lines

if TYPE_CHECKING:
    from oddlens.evaluation.runner import Benchmark

__all__ = [
    "METRICS",
    "Benchmark",
    "CellResult",
    "Job",
    "Key",
    "ListedPicks",
    "NamedDataset",
    "ObjectNames",
    "Picks",
    "Plan",
    "Protocol",
    "RulePicks",
    "Skipped",
    "Variant",
    "bare_lines",
    "open_sources",
    "read_names",
    "read_sizes",
    "skipped_lines",
    "summarise",
    "summary_table",
    "unseen_lines",
    "variants",
    "write_results",
]


def __getattr__(name: str) -> type[Benchmark]:
    """`Benchmark` runs detectors: torch comes in with it, and not with the tables and pages."""
    if name == "Benchmark":
        from oddlens.evaluation.runner import Benchmark

        return Benchmark
    raise AttributeError(f"module 'oddlens.evaluation' has no attribute {name!r}")
