"""Marks beside figures in tables, and what they say: what must be known of a figure, wherever it is read."""

from __future__ import annotations

from oddlens.evaluation.document import CategoryEntry, MetricsDocument, ResultEntry

STAR, DAGGER, LACKING = "*", "†", "‡"
MARKS = STAR + DAGGER + LACKING
_SENTENCES = {
    STAR: "a mean over fewer categories, since the others do not define this figure",
    DAGGER: "with test images of which the mask of the background leaves nothing, so that what they score says nothing of the "
    "method; a mean has it where one of its categories has it, and the notes name them",
    LACKING: "a mean that lacks what was skipped, so that it does not stand beside one that has all",
}


def category_marks(entry: CategoryEntry) -> dict[str, str]:
    """Figure -> its mark, of those with one."""
    mark = DAGGER * bool(entry.get("unseen")) + LACKING * bool(entry.get("lacking"))
    return {name: mark for name, value in entry["mean"].items() if mark and value is not None}


def mean_marks(result: ResultEntry) -> dict[str, str]:
    """The same of the means over the categories: one has the mark of each category that it takes in."""
    counted, categories = result["categories_counted"], result["categories"]
    marks = {name: STAR for name, count in counted.items() if 0 < count < len(categories)}
    for name in dict.fromkeys(name for entry in categories if entry.get("unseen") for name in category_marks(entry)):
        marks[name] = marks.get(name, "") + DAGGER
    for name, value in result["mean"].items() if result.get("lacking") else ():
        if value is not None:
            marks[name] = marks.get(name, "") + LACKING
    return marks


def marks_line(document: MetricsDocument, of: str = MARKS) -> str:
    """What the marks say, of these, after a space; "" where no figure has one."""
    found = {mark for result in document["results"] for marks in mean_marks(result).values() for mark in marks}
    return "".join(f" {mark}: {sentence}." for mark, sentence in _SENTENCES.items() if mark in found and mark in of)
