"""OUT/table.md: the figures as papers print them, in percent with one decimal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from oddlens.data.problem import problems_found
from oddlens.evaluation.document import CategoryEntry, Means, MethodEntry, MetricsDocument, ResultEntry
from oddlens.evaluation.leaderboard import CAUTION, LEADING, leaderboards
from oddlens.evaluation.marks import category_marks, marks_line, mean_marks
from oddlens.evaluation.metric_names import Figures, columns, percent


def summary_table(document: MetricsDocument) -> tuple[list[str], list[list[str]]]:
    """Head and rows, one row for each data set, method and number of shots with figures; figures that no row has are left out."""
    results = [result for result in document["results"] if result["categories"]]
    names = columns(result["mean"] for result in results)
    rows = [
        [result["dataset"], result["method"], str(result["shots"]), *figure_cells(result, names, mean_marks(result))]
        for result in results
    ]
    return ["data set", "method", "shots", *names], rows


def write_table(document: MetricsDocument) -> str:
    """The whole file: the summary, then one table a data set, method and number of shots, its last row the mean."""
    head, rows = summary_table(document)
    parts = ["# Benchmark", preamble(document, head), pipe_table(head, rows)]
    if problems := problem_lines(document):
        parts.append(_bullets(problems))
    for name in document["datasets"]:
        for result in document["results"]:
            if result["dataset"] == name:
                parts += _section(document, result)
        for board in leaderboards(document, name):
            parts += [f"## {board.title}", CAUTION, pipe_table([*LEADING, *board.names, "source"], board.rows)]
    if document["skipped"]:
        parts.append("## Skipped")
        parts += [_bullets(skipped_lines(document))]
    return "\n\n".join(parts) + "\n"


def preamble(document: MetricsDocument, head: Sequence[str]) -> str:
    """How the figures of a summary were measured. head: of its table."""
    parts = [
        "Percent. Means over the categories are unweighted"
        f"{'; ± is the standard deviation over the seeds of the picks' if has_spread(document) else ''}. "
        f"Pixels compared at {document['evaluation']['pixels_compared_at']}; AUPRO up to a false positive rate of "
        f"{document['evaluation']['aupro_limit']}"
    ]
    if "pixel_aupro_legacy" in head:
        parts.append(", `pixel_aupro_legacy` by the rule of the authors' programs")
    if "pixel_fpr95" in head:
        parts.append("; of `pixel_fpr95` less is better")
    return "".join(parts) + ". - : not defined on this data." + settings_line(document) + marks_line(document)


def title(document: MetricsDocument, result: ResultEntry) -> str:
    """The heading of a result: "mvtec, winclip on mini, 4 shots (seeds 0, 1, 2)"."""
    model = document["methods"][result["method"]]["model"]
    shots = "zero-shot" if result["shots"] == 0 else f"{result['shots']} shot{'s' if result['shots'] > 1 else ''}"
    seeds = [str(seed) for seed in result["seeds"] if seed is not None]
    drawn = f" (seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)})" if seeds else ""
    return f"{result['dataset']}, {result['method']} on {model}, {shots}{drawn}"


def figure_cells(entry: Means, names: Sequence[str], marks: Mapping[str, str]) -> list[str]:
    """The figures of a result or of one of its categories, with their marks; "" for one that such data does not have."""
    mean, std = entry["mean"], entry["std"]
    return [percent(mean[name], std[name]) + marks.get(name, "") if name in mean else "" for name in names]


def has_spread(document: MetricsDocument) -> bool:
    """Whether some mean of ours, or a published one beside it, has a ±: where a category has one, so has the mean."""
    return any(
        value is not None
        for result in document["results"]
        for entry in (result, *result["published"])
        for value in entry["std"].values()
    )


def problem_lines(document: MetricsDocument) -> list[str]:
    """The data sets in which opening them found problems."""
    return [
        line
        for name, entry in document["datasets"].items()
        for line in problems_found(name, entry["problems"], None, entry["folders_left_out"])
    ]


def settings_line(document: MetricsDocument) -> str:
    """What makes figures other than the defaults do, after a space: settings, tiles and fit, weights; "" where nothing does."""
    said = [
        f"{method['title']} with {', '.join(words)}"
        for method in document["methods"].values()
        if (words := _settings_words(method))
    ]
    return f" Settings other than the defaults: {'; '.join(said)}." if said else ""


def _settings_words(method: MethodEntry) -> list[str]:
    by_hand = {"roi": method.get("roi"), "thresholds": method.get("thresholds")}
    changed = {
        **method["changed"],
        **method.get("preparation", {}),
        **{name: each for name, each in by_hand.items() if each},
    }
    words = [
        f"{name}={_cut(value if isinstance(value, str) else json.dumps(value))}" for name, value in changed.items()
    ]
    if method["weights"]:
        words.append(f"weights {Path(method['weights']).name}{training_words(method)}")
    return words


def training_words(method: MethodEntry) -> str:
    """Which data sets the weights of a method were trained on, after a space; "" where they do not say it."""
    return f" (trained on {', '.join(method['trained_on'])})" if method["trained_on"] else ""


def _cut(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def remark_lines(document: MetricsDocument) -> list[str]:
    """What is to be known of figures, a line for all categories and methods of a data set for which it is the same."""
    where: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}
    for result in document["results"]:
        for entry in result["categories"]:
            for note in entry["notes"]:
                categories, methods = where.setdefault((result["dataset"], note), ({}, {}))
                categories[entry["category"]] = methods[result["method"]] = None
    return [
        f"{dataset} ({', '.join(categories)}), {', '.join(methods)}: {note}"
        for (dataset, note), (categories, methods) in where.items()
    ]


def shown_figures(result: ResultEntry) -> tuple[str, ...]:
    """The figures of a result that are worth a column: those with a value, and those that are published."""
    entries = [result["mean"], *(entry["mean"] for entry in result["categories"])]
    return columns([*entries, *(entry["percent"] for entry in result["published"])])


def skipped_lines(document: MetricsDocument) -> list[str]:
    """What has no figures and why, cells with the same reason on one line."""
    shots: dict[tuple[str, str], dict[str, None]] = {}
    for skip in document["skipped"]:
        drawn = "" if skip["seed"] is None else f" seed {skip['seed']}"
        shots.setdefault((skip["method"], skip["reason"]), {})[f"{skip['shots']}-shot{drawn}"] = None
    return [f"{reason}: no figures for {method} {', '.join(which)}" for (method, reason), which in shots.items()]


def bare_lines(document: MetricsDocument) -> list[str]:
    """Categories without a single figure for a method, and why: they lack the truth to compare with."""
    methods: dict[tuple[str, str], dict[str, None]] = {}
    for result in document["results"]:
        for category in result["categories"]:
            reasons = dict.fromkeys(reason for seed in category["by_seed"] for reason in seed["reasons"].values())
            if all(value is None for value in category["mean"].values()):
                where = f"{category['category']} of {result['dataset']}"
                methods.setdefault((where, "; ".join(reasons)), {})[result["method"]] = None
    return [f"{where} has no figures at all for {', '.join(which)}: {why}" for (where, why), which in methods.items()]


def published_rows(result: ResultEntry, names: Sequence[str]) -> list[list[str]]:
    """Published rows of a result: category, source, then "ours / published" for each figure."""
    ours = {entry["category"]: (entry["mean"], category_marks(entry)) for entry in result["categories"]}
    rows = []
    for entry in result["published"]:
        source = f"{entry['source']} [{entry['mark']}]"
        rows += [
            [category, source, *_beside(names, *ours[category], figures, {})]
            for category, figures in entry["by_category"].items()
            if category in ours
        ]
        beside = _beside(names, result["mean"], mean_marks(result), entry["percent"], entry["std"])
        rows.append(["mean", source, *beside])
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


def _section(document: MetricsDocument, result: ResultEntry) -> list[str]:
    if not result["categories"]:
        return []
    names = shown_figures(result)
    rows = [
        [
            entry["category"],
            f"{entry['pictures']['normal']} + {entry['pictures']['abnormal']}",
            *figure_cells(entry, names, category_marks(entry)),
        ]
        for entry in result["categories"]
    ]
    parts = [
        f"## {title(document, result)}",
        pipe_table(
            ["category", "normal + abnormal", *names],
            [*rows, ["mean", "", *figure_cells(result, names, mean_marks(result))]],
        ),
    ]
    remarks = undefined_lines(result) + [
        f"{entry['category']}: {note}"
        for entry in result["categories"]
        for note in [*entry["notes"], *component_size_lines(entry)]
    ]
    if remarks:
        parts.append(_bullets(remarks))
    published = published_rows(result, names)
    if published:
        parts += ["Ours / published:", pipe_table(["", "source", *names], published)]
    return parts


def component_size_lines(entry: CategoryEntry) -> list[str]:
    """The areas from which components of a category count; [] if they were not compared."""
    sizes = entry["by_seed"][0]["components"]
    if not sizes:
        return []
    return [f"components count from {sizes['true_from']} true and {sizes['found_from']} found pixels on"]


def undefined_lines(result: ResultEntry) -> list[str]:
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


def _beside(
    names: Sequence[str],
    ours: Figures,
    marks: Mapping[str, str],
    published: Mapping[str, float],
    std: Mapping[str, float],
) -> list[str]:
    cells = []
    for name in names:
        if name not in published:
            cells.append("")
            continue
        spread = f" ± {std[name]:.1f}" if name in std else ""
        cells.append(f"{percent(ours.get(name))}{marks.get(name, '')} / {published[name]:.1f}{spread}")
    return cells


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
