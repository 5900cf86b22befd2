"""OUT/report.html: figures, curves and images of a benchmark on one self-contained page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from oddlens.evaluation.cell_key import Key
from oddlens.evaluation.cell_results import CellResult
from oddlens.evaluation.document import CategoryEntry, Means, MethodEntry, MetricsDocument, ResultEntry
from oddlens.evaluation.leaderboard import CAUTION, LEADING, leaderboards
from oddlens.evaluation.markdown_tables import (
    component_size_lines,
    figure_cells,
    has_spread,
    problem_lines,
    published_rows,
    settings_line,
    shown_figures,
    skipped_lines,
    training_words,
    undefined_lines,
)
from oddlens.evaluation.marks import category_marks, marks_line, mean_marks
from oddlens.evaluation.metric_names import columns, heading, headings, percent
from oddlens.evaluation.svg_charts import STYLE as CHART_STYLE
from oddlens.evaluation.svg_charts import Line, histogram, legend, line_chart
from oddlens.evaluation.verdicts import KINDS, figure, verdict_words
from oddlens.visualization import html

STYLE = """
body { max-width: 84rem; }
nav { display: flex; flex-wrap: wrap; gap: .4rem; margin: 1rem 0; font-size: .9rem; }
nav a { border: 1px solid var(--line); border-radius: 1rem; padding: .1rem .7rem; text-decoration: none; color: inherit; }
nav a:hover { background: var(--soft); }
.wide { overflow-x: auto; } .wide table { width: 100%; font-variant-numeric: tabular-nums; font-size: .9rem; }
td { white-space: nowrap; } th, td { padding: .26rem .55rem; } th { vertical-align: bottom; }
tr.groups th { border-bottom: 0; text-align: center; padding-bottom: 0; }
tr.groups th:not(:empty) { border-bottom: 1px solid var(--line); }
td.bar { background: linear-gradient(to right, var(--bar) var(--share), transparent var(--share)); }
:root { --bar: #4b92d42e; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
h3 { font-size: 1.08rem; margin: 2.4rem 0 .2rem; }
h4 { font-size: .95rem; margin: 1.4rem 0 .4rem; }
.quiet { opacity: .7; font-size: .9rem; margin: .1rem 0 .6rem; }
.charts { display: grid; gap: .8rem 1.2rem; margin: .8rem 0; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .85rem; margin: .3rem 0; }
.legend i { display: inline-block; width: 1.3rem; border-top: .22rem solid; margin-right: .4rem; vertical-align: middle; }
.grid, .charts { grid-template-columns: repeat(4, minmax(0, 1fr)); }
@media (max-width: 60rem) { .grid, .charts { grid-template-columns: 1fr 1fr; } }
details > summary { cursor: pointer; margin: .8rem 0; } td a { color: inherit; }
figcaption small, p, li, h3 { overflow-wrap: anywhere; }
"""

_QUOTED = (
    ("image_auroc", "pixel_auroc", "pixel_aupro"),
    ("pixel_ap", "pixel_fpr95", "component_f1_mean", "miou"),
)
"""The figures that papers quote: of industrial sets, and of scenes."""

_SPREAD = "; figures with ± are means and standard deviations over the seeds that pick the good examples"


def write_report(document: MetricsDocument, cells: Mapping[Key, CellResult]) -> str:
    """The page, from the document of metrics.json and the cells."""
    body = [_navigation(document), html.heading("Summary"), _summary(document)]
    if problems := problem_lines(document):
        body.append(_list(problems))
    if document["skipped"]:
        body += [html.heading("Skipped"), _list(skipped_lines(document))]
    for name in document["datasets"]:
        results = [result for result in document["results"] if result["dataset"] == name]
        body += _dataset(document, name, results, {key: cell for key, cell in cells.items() if key.dataset == name})
    body += _settings(document)
    return html.page("Benchmark", _lead(document), body, STYLE + CHART_STYLE)


def _lead(document: MetricsDocument) -> str:
    methods = ", ".join(f"{name} on {method['model']}" for name, method in document["methods"].items())
    shots = ", ".join(str(shots) for shots in sorted({result["shots"] for result in document["results"]}))
    return (
        f"{methods}; shots {shots}. Percent{_SPREAD if has_spread(document) else ''}. Pixels are compared at "
        f"{document['evaluation']['pixels_compared_at']}.{settings_line(document)}{marks_line(document)}"
    )


def _navigation(document: MetricsDocument) -> str:
    links = [
        f'<a href="#{_anchor(result["dataset"], entry["category"])}">{escape(entry["category"])}</a>'
        for result in _first_of_each_dataset(document)
        for entry in result["categories"]
    ]
    return f"<nav>{''.join(links)}</nav>" if len(links) > 1 else ""


def _summary(document: MetricsDocument) -> str:
    names = columns(result["mean"] for result in document["results"])
    groups = [("", ["data set", "method", "shots"]), *headings(names), ("", ["ms an image"])]
    rows = []
    for result in document["results"]:
        if result["categories"]:
            first = [_cell(result["dataset"]), _cell(result["method"]), _cell(result["shots"])]
            rows.append([*first, *_bars(result, names, mean_marks(result)), _cell(f"{1000 * _seconds(result):.0f}")])
    return _table(groups, rows)


def _dataset(
    document: MetricsDocument, name: str, results: Sequence[ResultEntry], cells: Mapping[Key, CellResult]
) -> Iterator[str]:
    yield html.heading(name)
    for result in results:
        names = shown_figures(result)
        published = published_rows(result, names)
        if published:
            yield html.paragraph(f"{_label(result)}: ours / published, percent")
            yield _table([("", ["", "source"]), *headings(names)], _text(published))
    for board in leaderboards(document, name):
        yield html.paragraph(f"{board.title}, percent. {CAUTION}")
        yield _table([("", LEADING), *headings(board.names), ("", ["source"])], _text(board.rows))
    remarks = [f"{_label(result)}: {line}" for result in results for line in undefined_lines(result)]
    if remarks:
        yield _list(remarks)
    categories = list(dict.fromkeys(key.category for key in cells))
    if len(categories) > 1:
        yield _overview(name, categories, [result for result in results if result["categories"]])
    for category in categories:
        here = {key: cell for key, cell in cells.items() if key.category == category}
        yield from _category(name, category, results, here, document["methods"])


def _overview(dataset: str, categories: Sequence[str], results: Sequence[ResultEntry]) -> str:
    """The figures that papers quote, a row a category."""
    scenes = any("component_f1_mean" in result["mean"] for result in results)
    quoted = columns((entry["mean"] for result in results for entry in result["categories"]), _QUOTED[scenes])
    groups = [("", ["category"]), *((_label(result), list(map(heading, quoted))) for result in results)]
    rows = []
    for category in categories:
        link = f'<td><a href="#{_anchor(dataset, category)}">{escape(category)}</a></td>'
        found = [_entry(result, category) for result in results]
        rows.append([link, *(cell for entry in found for cell in _category_bars(entry, quoted))])
    rows.append(
        ["<td><b>mean</b></td>", *(cell for result in results for cell in _bars(result, quoted, mean_marks(result)))]
    )
    return _table(groups, rows)


def _object(methods: Mapping[str, MethodEntry], entries: Sequence[tuple[ResultEntry, CategoryEntry]]) -> str:
    """What the object is called, with the methods that it matters to where it does not to others; "" where it does to none.

    Not all of these have prompts: AnomalyDINO masks the background of objects of some names.
    """
    every = list(dict.fromkeys(result["method"] for result, _ in entries))
    asking = [method for method in every if "object_name" in methods[method]["takes"]]
    if not asking:
        return ""
    whose = "The" if asking == every else f"For {' and '.join(asking)}, the"
    names = dict.fromkeys(f"“{entry['object_name']}”" for result, entry in entries if result["method"] in asking)
    return f"{whose} object is called {' and '.join(names)}. "


def _category(
    dataset: str,
    category: str,
    results: Sequence[ResultEntry],
    cells: Mapping[Key, CellResult],
    methods: Mapping[str, MethodEntry],
) -> Iterator[str]:
    entries = [(result, entry) for result in results for entry in result["categories"] if entry["category"] == category]
    counts = entries[0][1]["pictures"]
    yield f'<h3 id="{_anchor(dataset, category)}">{escape(category)}</h3>'
    lead = f"{_object(methods, entries)}{counts['normal']} normal and {counts['abnormal']} abnormal test images"
    lead += "" if counts["drawn"] == counts["abnormal"] else f", {counts['drawn']} of them with a mask"
    yield f'<p class="quiet">{escape("; ".join([lead, *_notes(entries)]))}.</p>'
    names = columns(entry["mean"] for _, entry in entries)
    yield _table(
        [("", [""]), *headings(names), ("", ["image AUROC, 95 % interval" + _of_seeds(entries)])],
        [[_cell(_label(result)), *_category_bars(entry, names), _cell(_interval(entry))] for result, entry in entries],
    )
    yield from _classes(entries)
    shown = _first_seeds(cells)
    labels = [_cell_label(key) for key in shown]
    yield legend(labels)
    yield f'<div class="charts">{"".join(_curves(shown))}</div>'
    yield f'<div class="charts">{"".join(_histograms(shown))}</div>'
    for number, (key, cell) in enumerate(shown.items()):
        opened = " open" if number == len(shown) - 1 else ""
        low, high = cell.value_range
        best = cell.thresholds["pixel"]
        middle = ", with the threshold of their best pixel F1 in the middle" if best is not None and best > low else ""
        yield (
            f"<details{opened}><summary>Images, {escape(_cell_label(key))}: the image and what was found; "
            f"the true defect outlined. Colours from {low:.3g} to {high:.3g} on all of them{middle}.</summary>"
        )
        yield f'<p class="verdicts">{escape(verdict_words(cell, key.method, methods[key.method]["takes"]))}</p>'
        for kind, words in KINDS.items():
            figures = [figure(cell, item.number, item.drawing) for item in cell.shown if item.kind == kind]
            if figures:
                yield f"<h4>{escape(words)}</h4>{html.gallery(figures)}"
        yield "</details>"


def _notes(entries: Sequence[tuple[ResultEntry, CategoryEntry]]) -> list[str]:
    """The notes of a category, each once, with the methods or rows that it is of where these are not all rows of its table."""
    rows: dict[str, list[ResultEntry]] = {}
    for result, entry in entries:
        for note in dict.fromkeys([*entry["notes"], *component_size_lines(entry)]):
            rows.setdefault(note, []).append(result)
    return [f"{_whose(found, [result for result, _ in entries])}{note}" for note, found in rows.items()]


def _whose(some: Sequence[ResultEntry], every: Sequence[ResultEntry]) -> str:
    """Some results in words, before a colon; "" where they are all."""
    if len(some) == len(every):
        return ""
    methods = dict.fromkeys(result["method"] for result in some)
    whole = sum(result["method"] in methods for result in every) == len(some)
    if whole:
        return f"{' and '.join(methods)}: "
    parts = []
    for shots in dict.fromkeys(result["shots"] for result in some):
        here, there = ([result["method"] for result in each if result["shots"] == shots] for each in (some, every))
        parts.append(_shots(shots) if len(here) == len(there) else f"{' and '.join(here)}, {_shots(shots)}")
    return f"{' and '.join(parts)}: "


def _classes(entries: Sequence[tuple[ResultEntry, CategoryEntry]]) -> Iterator[str]:
    """How well every known class is recognised, for methods that recognise classes; of the first seed."""
    found = [(_label(result), entry["by_seed"][0]["class_iou"]) for result, entry in entries]
    found = [(label, iou) for label, iou in found if iou]
    if found:
        rows = [[_cell(label), *(_cell(percent(value), value) for value in iou.values())] for label, iou in found]
        yield _table([("", [""]), ("intersection over union of the known classes", list(found[0][1]))], rows)


def _curves(cells: Mapping[Key, CellResult]) -> Iterator[str]:
    charts = (
        ("image_roc", "ROC of images", "false positive rate", "true positive rate"),
        ("image_pr", "Precision-recall of images", "recall", "precision"),
        ("pixel_roc", "ROC of pixels", "false positive rate", "true positive rate"),
        ("pixel_pr", "Precision-recall of pixels", "recall", "precision"),
    )
    for name, title, x_label, y_label in charts:
        lines = [
            Line(_cell_label(key), number, cell.curves[name])
            for number, (key, cell) in enumerate(cells.items())
            if name in cell.curves
        ]
        if lines:
            chance = ((0.0, 0.0), (1.0, 1.0)) if name.endswith("roc") else ()
            yield line_chart(title, x_label, y_label, lines, chance)


def _histograms(cells: Mapping[Key, CellResult]) -> Iterator[str]:
    for key, cell in cells.items():
        kinds = [[score.score for score in cell.scores if score.label == label] for label in (0, 1)]
        marks = [
            (label, value, soft)
            for label, name, soft in (("detect's threshold", "calibrated", False), ("best F1 at", "image", True))
            if (value := cell.thresholds[name]) is not None
        ]
        yield histogram(f"Scores, {_cell_label(key)}", kinds[0], kinds[1], marks)


def _settings(document: MetricsDocument) -> Iterator[str]:
    yield html.heading("Settings")
    for name, method in document["methods"].items():
        recipe = ", ".join(f"{field} {value}" for field, value in method["recipe"].items())
        lines = [f"{name}: {recipe}", *method["fitted"]]
        if prepared := method.get("preparation"):
            lines.append("images: " + ", ".join(f"{field} {value}" for field, value in prepared.items()))
        lines.append(f"model {method['model']}, SHA-256 {method['model_sha256']}")
        if method["weights"]:
            lines.append(f"weights {method['weights']}{training_words(method)}, SHA-256 {method['weights_sha256']}")
        yield _list(lines)
    machine, runtimes = document["machine"], sorted({method["runtime"] for method in document["methods"].values()})
    yield html.paragraph(
        f"oddlens {document['oddlens']}, {', '.join(runtimes)}, Python {machine['python']}, {machine['device']}, "
        f"{machine['threads']} threads. Data sets: "
        + ", ".join(
            f"{name} ({entry['layout']}, {entry['data_sha256'][:12]})" for name, entry in document["datasets"].items()
        )
        + ". The good examples are listed in picks/, every image's scores in scores.jsonl."
    )


def _first_seeds(cells: Mapping[Key, CellResult]) -> dict[Key, CellResult]:
    """Of every method and number of shots the cell of its first seed."""
    first: dict[tuple[str, int], tuple[Key, CellResult]] = {}
    for key, cell in cells.items():
        first.setdefault((key.method, key.variant.shots), (key, cell))
    return dict(first.values())


def _first_of_each_dataset(document: MetricsDocument) -> list[ResultEntry]:
    first: dict[str, ResultEntry] = {}
    for result in document["results"]:
        if result["categories"]:
            first.setdefault(result["dataset"], result)
    return list(first.values())


def _label(result: ResultEntry) -> str:
    return f"{result['method']}, {_shots(result['shots'])}"


def _cell_label(key: Key) -> str:
    seed = "" if key.variant.seed is None else f", seed {key.variant.seed}"
    return f"{key.method}, {_shots(key.variant.shots)}{seed}"


def _shots(number: int) -> str:
    return "zero-shot" if number == 0 else f"{number}-shot"


def _entry(result: ResultEntry, category: str) -> CategoryEntry | None:
    return next((entry for entry in result["categories"] if entry["category"] == category), None)


def _of_seeds(entries: Sequence[tuple[ResultEntry, CategoryEntry]]) -> str:
    """Whose intervals stand beside means over seeds, for a heading; "" where no mean is of several."""
    seeds = {each["seed"] for _, entry in entries if len(entry["by_seed"]) > 1 for each in entry["by_seed"][:1]}
    return f" (of seed {', '.join(map(str, sorted(seed for seed in seeds if seed is not None)))})" if seeds else ""


def _interval(entry: CategoryEntry) -> str:
    """Of the first seed."""
    bounds = entry["by_seed"][0]["image_auroc_interval"]
    return "-" if bounds is None else f"{percent(bounds[0])} to {percent(bounds[1])}"


def _seconds(result: ResultEntry) -> float:
    cells = [cell["seconds"] for entry in result["categories"] for cell in entry["by_seed"]]
    return float(sum(seconds["encode"] + seconds["ask"] for seconds in cells) / len(cells))


def _category_bars(entry: CategoryEntry | None, names: Sequence[str]) -> list[str]:
    return [_cell("-")] * len(names) if entry is None else _bars(entry, names, category_marks(entry))


def _bars(entry: Means, names: Sequence[str], marks: Mapping[str, str]) -> list[str]:
    """Figures as cells with a bar behind each, see `figure_cells`."""
    cells = zip(figure_cells(entry, names, marks), names, strict=True)
    return [_cell(text, entry["mean"].get(name)) for text, name in cells]


def _cell(text: object, share: float | None = None) -> str:
    bar = "" if share is None else f' class="bar" style="--share: {100 * share:.1f}%"'
    return f"<td{bar}>{escape(str(text))}</td>"


def _table(groups: Sequence[tuple[str, Sequence[str]]], rows: Sequence[Sequence[str]]) -> str:
    """A table with a head of two lines: groups, and the columns of each."""
    above = "".join(f'<th colspan="{len(columns)}">{escape(group)}</th>' for group, columns in groups)
    below = "".join(f"<th>{escape(column)}</th>" for _, columns in groups for column in columns)
    lines = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr class="groups">{above}</tr><tr>{below}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _text(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[_cell(text) for text in row] for row in rows]


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _anchor(dataset: str, category: str) -> str:
    return escape(f"{dataset}/{category}", quote=True)
