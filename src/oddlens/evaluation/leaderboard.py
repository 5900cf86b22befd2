"""The leaderboard of a road set, with our rows on top: read from the document of metrics.json."""

from __future__ import annotations

from dataclasses import dataclass

from oddlens.evaluation.document import CategoryEntry, LeaderboardRow, MetricsDocument, ResultEntry
from oddlens.evaluation.marks import category_marks
from oddlens.evaluation.metric_names import Figures, columns, percent
from oddlens.evaluation.published_roads import ROAD_METRICS

CAUTION = (
    "The published rows are of other models, and those of a hidden test set are of other frames than these: they show what is "
    "usual, enter no mean, and cannot be compared one by one."
)


@dataclass(frozen=True)
class Leaderboard:
    """One table.

    Attributes:
        dataset: The data set.
        category: Its category.
        names: The figures, of `published_roads.ROAD_METRICS`.
        rows: Texts, below the heads `LEADING`, the names, and "source".
    """

    dataset: str
    category: str
    names: tuple[str, ...]
    rows: list[list[str]]

    @property
    def title(self) -> str:
        """The heading of the table."""
        return f"{self.dataset} / {self.category}: ours and published"


LEADING = ("method", "frames", "needs outlier data")
"""The heads of the columns before the figures."""


def leaderboards(document: MetricsDocument, dataset: str) -> list[Leaderboard]:
    """One for each category of a data set that has published rows and results of ours."""
    results = [result for result in document["results"] if result["dataset"] == dataset]
    found = []
    for category, published in document["datasets"][dataset]["leaderboards"].items():
        ours = [
            (result, entry) for result in results for entry in result["categories"] if entry["category"] == category
        ]
        if not ours:
            continue
        figures: list[Figures] = [entry["mean"] for _, entry in ours] + [row["percent"] for row in published]
        names = columns(figures, ROAD_METRICS)
        rows = [_our_row(document, result, entry, names) for result, entry in ours]
        rows += [_published_row(row, names) for row in published]
        found.append(Leaderboard(dataset, category, names, rows))
    return found


def _our_row(document: MetricsDocument, result: ResultEntry, entry: CategoryEntry, names: tuple[str, ...]) -> list[str]:
    model = document["methods"][result["method"]]["model"]
    shots = "zero-shot" if result["shots"] == 0 else f"{result['shots']}-shot"
    frames = entry["pictures"]["normal"] + entry["pictures"]["abnormal"]
    marks = category_marks(entry)
    figures = [percent(entry["mean"].get(name), entry["std"].get(name)) + marks.get(name, "") for name in names]
    return [f"ours: {result['method']} on {model}, {shots}", f"these {frames}", "", *figures, ""]


def _published_row(row: LeaderboardRow, names: tuple[str, ...]) -> list[str]:
    variant = f" ({row['variant']})" if row["variant"] else ""
    figures = [f"{row['percent'][name]:.1f}" if name in row["percent"] else "" for name in names]
    outliers = "yes" if row["outliers"] else "no"
    return [row["method"] + variant, row["frames"], outliers, *figures, f"{row['source']} [{row['mark']}]"]
