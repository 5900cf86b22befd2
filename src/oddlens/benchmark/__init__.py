"""Benchmarks: methods x data sets x numbers of good examples, resumable, with tables and a report.

    sources = open_sources(["mvtec"])
    run = Benchmark(Plan(sources, (oddlens.load("winclip"),), variants([0, 4], [0, 1, 2]), RulePicks()), Path("out"))
    run.open()
    for job in run.run():
        print(job.category)
    document = write_results(run)

OUT/metrics.json    every figure and what it depends on           OUT/scores.jsonl   every picture's scores
OUT/table.md        the figures as papers print them              OUT/report.html    curves, histograms and pictures, on one page
OUT/cells/, OUT/picks/, OUT/maps/                                 one file a cell; lists of good examples; raw maps on demand
"""

from oddlens.benchmark.cells import Cell, Key
from oddlens.benchmark.figures import METRICS
from oddlens.benchmark.naming import ObjectNames, read_names
from oddlens.benchmark.picks import ListedPicks, Picks, RulePicks
from oddlens.benchmark.plan import Job, Plan, Skipped
from oddlens.benchmark.protocol import Protocol, read_sizes
from oddlens.benchmark.results import write_results
from oddlens.benchmark.runner import Benchmark
from oddlens.benchmark.sources import Source, open_sources
from oddlens.benchmark.summary import summarise
from oddlens.benchmark.table import bare_lines, skipped_lines, summary_table
from oddlens.benchmark.variant import Variant, variants

__all__ = [
    "METRICS",
    "Benchmark",
    "Cell",
    "Job",
    "Key",
    "ListedPicks",
    "ObjectNames",
    "Picks",
    "Plan",
    "Protocol",
    "RulePicks",
    "Skipped",
    "Source",
    "Variant",
    "bare_lines",
    "open_sources",
    "read_names",
    "read_sizes",
    "skipped_lines",
    "summarise",
    "summary_table",
    "variants",
    "write_results",
]
