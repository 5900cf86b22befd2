"""OUT/table.tex: the summary as a paper prints it, published rows below ours, with keys of OUT/references.bib."""

from __future__ import annotations

from collections.abc import Sequence

from oddlens.evaluation.citations import SOFTWARE, model_citations, set_citations
from oddlens.evaluation.document import MethodEntry, MetricsDocument, PublishedEntry, ResultEntry
from oddlens.evaluation.markdown_tables import (
    figure_cells,
    has_spread,
    problem_lines,
    remark_lines,
    settings_line,
    skipped_lines,
)
from oddlens.evaluation.marks import MARKS, marks_line, mean_marks
from oddlens.evaluation.metric_names import columns, headings

_SPREAD = r"$\pm$ is the standard deviation over the draws of the good examples"

_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "±": r"$\pm$",
        "↓": r"$\downarrow$",
        "†": r"$\dagger$",
        "‡": r"$\ddagger$",
    }
)


def write_latex(document: MetricsDocument) -> str:
    """The whole file: one `table*` for a paper that uses the packages booktabs and graphicx, made narrower where it is wider than
    the text: `table` in its place makes it as wide as a column.

    Rows: one a data set, method and number of shots. Below it what is published of the same thing, as `published` of metrics.json.
    """
    results = [result for result in document["results"] if result["categories"]]
    names = columns(figures for result in results for figures in (result["mean"], *_published_means(result)))
    sources = list(
        dict.fromkeys(_source(entry) for result in results for entry in result["published"] if entry["percent"])
    )
    body: list[str] = []
    for name, entry in document["datasets"].items():
        ours = [result for result in results if result["dataset"] == name]
        if ours:
            title = escaped(entry["recognised_as"] or name) + cite(set_citations(entry))
            body += [r"\midrule", rf"\multicolumn{{{2 + len(names)}}}{{l}}{{\emph{{{title}}}}} \\"]
        for result in ours:
            body += _rows(result, document["methods"][result["method"]], names, sources)
    comments = problem_lines(document) + remark_lines(document) + skipped_lines(document)
    return (
        "\n".join(
            [
                r"% \usepackage{booktabs,graphicx}, and \bibliography{references} for the keys.",
                *(f"% {' '.join(line.split())}" for line in comments),
                r"\begin{table*}",
                r"\centering\footnotesize\setlength{\tabcolsep}{2pt}",
                rf"\caption{{{_caption(document)}}}",
                r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
                rf"\begin{{tabular}}{{lr{'r' * len(names)}}}",
                r"\toprule",
                *_head(names),
                *body,
                r"\bottomrule",
                r"\end{tabular}}",
                *_footnotes(sources),
                r"\end{table*}",
            ]
        )
        + "\n"
    )


def escaped(text: str) -> str:
    r"""A text as LaTeX prints it, on one line.

    Examples:
        >>> print(escaped("100 % of metal_nut"))
        100 \% of metal\_nut
    """
    return " ".join(text.split()).translate(_ESCAPES)


def cite(keys: Sequence[str]) -> str:
    """The command that cites them; "" for none."""
    return rf"~\cite{{{','.join(keys)}}}" if keys else ""


def _caption(document: MetricsDocument) -> str:
    models: dict[str, list[str]] = {}
    measured = {result["method"] for result in document["results"] if result["categories"]}
    for method in (each for name, each in document["methods"].items() if name in measured):
        models.setdefault(method["model"], []).append(escaped(method["title"]))
    used = "; ".join(
        rf"{', '.join(methods)} on \texttt{{{escaped(model)}}}{cite(model_citations(model))}"
        for model, methods in models.items()
    )
    evaluation = document["evaluation"]
    return (
        f"Figures in percent, measured with oddlens{cite([SOFTWARE])}: {used}. Means over the categories are unweighted"
        rf"{'; ' + _SPREAD if has_spread(document) else ''}. Pixels compared at "
        f"{escaped(evaluation['pixels_compared_at'])}; AUPRO up to a false positive rate of {evaluation['aupro_limit']}."
        f"{_line(settings_line(document))}{_line(marks_line(document))}"
    )


def _line(text: str) -> str:
    """A sentence of the tables' preamble, escaped; "" stays."""
    return f" {escaped(text)}" if text else ""


def _head(names: Sequence[str]) -> list[str]:
    levels, rules, shorts, column = [], [], [], 3
    for level, figures in headings(names):
        levels.append(rf"\multicolumn{{{len(figures)}}}{{c}}{{{escaped(level)}}}")
        rules.append(rf"\cmidrule(lr){{{column}-{column + len(figures) - 1}}}")
        shorts += [escaped(figure) for figure in figures]
        column += len(figures)
    return [_row(["", "", *levels]), " ".join(rules), _row(["method", "shots", *shorts])]


def _rows(result: ResultEntry, method: MethodEntry, names: Sequence[str], sources: Sequence[str]) -> list[str]:
    figures = [_number(cell) for cell in figure_cells(result, names, mean_marks(result))]
    rows = [_row([escaped(method["title"]) + cite(method["citations"]), str(result["shots"]), *figures])]
    for entry in result["published"]:
        if entry["percent"]:
            mark = _letter(sources.index(_source(entry)))
            cells = [_published_cell(entry, name) for name in names]
            rows.append(_row([rf"\quad published\textsuperscript{{{mark}}}", str(result["shots"]), *cells]))
    return rows


def _published_means(result: ResultEntry) -> list[dict[str, float | None]]:
    return [dict(entry["percent"]) for entry in result["published"]]


def _published_cell(entry: PublishedEntry, name: str) -> str:
    if name not in entry["percent"]:
        return ""
    spread = f" ± {entry['std'][name]:.1f}" if name in entry["std"] else ""
    return _number(f"{entry['percent'][name]:.1f}{spread}")


def _number(cell: str) -> str:
    """A cell of a table of texts, as LaTeX sets it: "92.0 ± 0.3" in mathematics, marks beside the column, a dash for what is not
    defined.
    """
    if cell == "-":
        return "--"
    figure = cell.rstrip(MARKS)
    marks = escaped(cell.removeprefix(figure))
    number = f"${figure}$".replace("±", r"\pm") if "±" in figure or "<" in figure else figure
    return number + (rf"\rlap{{{marks}}}" if marks else "")


def _footnotes(sources: Sequence[str]) -> list[str]:
    if not sources:
        return []
    notes = [rf"\textsuperscript{{{_letter(number)}}} {escaped(source)}." for number, source in enumerate(sources)]
    return ["", r"\smallskip", rf"\parbox{{\linewidth}}{{\footnotesize {' '.join(notes)}}}"]


def _source(entry: PublishedEntry) -> str:
    return f"{entry['source']} [{entry['mark']}]"


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else str(number + 1)


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
