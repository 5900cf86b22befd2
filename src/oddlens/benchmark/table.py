"""OUT/table.md: the figures as papers print them, in percent with one decimal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oddlens.benchmark.cells import METRICS


def percent(mean: float | None, std: float | None = None) -> str:
    """A fraction as papers print it: "92.0", "92.0 ± 0.3" over seeds, "-" where undefined."""
    if mean is None:
        return "-"
    return f"{100 * mean:.1f}" if std is None else f"{100 * mean:.1f} ± {100 * std:.1f}"


SUMMARY_HEAD = ("data set", "method", "shots", *METRICS)


def summary_rows(document: Mapping[str, Any]) -> list[list[str]]:
    """One row a data set, method and number of shots, under `SUMMARY_HEAD`."""
    return [
        [result["dataset"], result["method"], str(result["shots"]), *figure_cells(result)]
        for result in document["results"]
    ]


def write_table(document: Mapping[str, Any]) -> str:
    """The whole file: the summary, then one table a data set, method and number of shots, its last row the mean."""
    parts = [
        "# Benchmark",
        "Percent. Means over the categories are unweighted; ± is the standard deviation over the seeds of the picks. "
        f"Pixels compared at {document['evaluation']['pixels_compared_at']}; AUPRO up to a false positive rate of "
        f"{document['evaluation']['aupro_limit']}, `pixel_aupro_legacy` by the rule of the authors' programs. "
        "- : not defined on this data.",
        pipe_table(SUMMARY_HEAD, summary_rows(document)),
    ]
    for result in document["results"]:
        parts += _section(document, result)
    if document["skipped"]:
        parts.append("## Skipped")
        parts += [_bullets(skipped_lines(document))]
    return "\n\n".join(parts) + "\n"


def title(document: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """What a result is of: "mvtec, winclip on mini, 4 shots (seeds 0, 1, 2)"."""
    model = document["methods"][result["method"]]["model"]["name"]
    shots = "zero-shot" if result["shots"] == 0 else f"{result['shots']} shot{'s' if result['shots'] > 1 else ''}"
    seeds = [str(seed) for seed in result["seeds"] if seed is not None]
    drawn = f" (seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)})" if seeds else ""
    return f"{result['dataset']}, {result['method']} on {model}, {shots}{drawn}"


def figure_cells(result: Mapping[str, Any]) -> list[str]:
    """The figures of a result or of one of its categories, in the order of `METRICS`."""
    return [percent(result["mean"][name], result["std"][name]) for name in METRICS]


def skipped_lines(document: Mapping[str, Any]) -> list[str]:
    """What has no figures and why, cells with the same reason on one line."""
    shots: dict[tuple[str, str], list[str]] = {}
    for skip in document["skipped"]:
        drawn = "" if skip["seed"] is None else f" seed {skip['seed']}"
        shots.setdefault((skip["method"], skip["reason"]), []).append(f"{skip['shots']}-shot{drawn}")
    return [f"{reason}: no figures for {method} {', '.join(which)}" for (method, reason), which in shots.items()]


def published_rows(result: Mapping[str, Any]) -> list[list[str]]:
    """What is published of this, "ours / published" in the order of `METRICS`; first cells: where, source."""
    ours = {entry["category"]: entry["mean"] for entry in result["categories"]}
    rows = []
    for entry in result["published"]:
        source = f"{entry['source']} [{entry['mark']}]"
        rows += [
            [category, source, *_beside(ours[category], figures, {})]
            for category, figures in entry["by_category"].items()
            if category in ours
        ]
        rows.append(["mean", source, *_beside(result["mean"], entry["percent"], entry["std"])])
    return rows


def pipe_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with its columns aligned, the first to the left, figures to the right."""
    lines = [list(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = [":" + "-" * (width - 1) if number == 0 else "-" * (width - 1) + ":" for number, width in enumerate(widths)]
    padded = [
        [
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in [padded[0], rule, *padded[1:]])


def _section(document: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    if not result["categories"]:
        return []
    rows = [
        [
            entry["category"],
            f"{entry['pictures']['normal']} + {entry['pictures']['abnormal']}",
            *figure_cells(entry),
        ]
        for entry in result["categories"]
    ]
    parts = [
        f"## {title(document, result)}",
        pipe_table(["category", "normal + abnormal", *METRICS], [*rows, ["mean", "", *figure_cells(result)]]),
    ]
    remarks = undefined_lines(result) + [
        f"{entry['category']}: {note}" for entry in result["categories"] for note in entry["notes"]
    ]
    if remarks:
        parts.append(_bullets(remarks))
    published = published_rows(result)
    if published:
        parts += ["Ours / published:", pipe_table(["", "source", *METRICS], published)]
    return parts


def undefined_lines(result: Mapping[str, Any]) -> list[str]:
    """Why there is a "-": one line for the categories that lack the same figures for the same reason."""
    lacking: dict[tuple[str, str], dict[str, None]] = {}
    for entry in result["categories"]:
        for cell in entry["by_seed"]:
            names: dict[str, list[str]] = {}
            for name, reason in cell["reasons"].items():
                names.setdefault(reason, []).append(name)
            for reason, which in names.items():
                lacking.setdefault((", ".join(which), reason), {})[entry["category"]] = None
    return [f"{', '.join(categories)}: no {names}: {reason}" for (names, reason), categories in lacking.items()]


def _beside(ours: Mapping[str, float | None], published: Mapping[str, float], std: Mapping[str, float]) -> list[str]:
    cells = []
    for name in METRICS:
        if name not in published:
            cells.append("")
            continue
        spread = f" ± {std[name]:.1f}" if name in std else ""
        cells.append(f"{percent(ours[name])} / {published[name]:.1f}{spread}")
    return cells


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
