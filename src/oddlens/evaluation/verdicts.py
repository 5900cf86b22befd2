"""The verdicts of a cell in its report: those of `detect` with the same good examples, on cards and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from oddlens.detection import Thresholds, Verdict
from oddlens.errors import counted
from oddlens.evaluation.cell_results import CellResult, ImageScore
from oddlens.evaluation.examples import BORDERLINE, CLEAR, MISTAKEN, UNSEEN
from oddlens.visualization import html

KINDS = {
    CLEAR: "Clearest: the highest scores of abnormal images, the lowest of a normal one",
    MISTAKEN: "Most mistaken: abnormal images scored lowest, a normal one scored highest",
    BORDERLINE: "Borderline: nearest to the threshold",
    UNSEEN: "For review whatever the score: the method looked at nothing of them",
}
"""Why images are shown, in their order on the page."""

_CALLED: Mapping[Verdict | None, str] = {None: "", "ok": ": called OK", "review": ": for review", "ng": ": called NG"}


def called(cell: CellResult, image: ImageScore) -> Verdict | None:
    """What `detect` calls an image of a cell; None where there is no threshold and the method looked at it."""
    if image.unseen:
        return "review"
    review = cell.settings.get("thresholds", {}).get("review")  # only by hand: good examples alone send none to review
    given = review if isinstance(review, int | float) else None
    return Thresholds(cell.thresholds["calibrated"], review=given).verdict(image.score)


def figure(cell: CellResult, number: int, drawing: str) -> str:
    """The card of an image. drawing: its data URI."""
    score = cell.scores[number]
    verdict, mood = called(cell, score), ""
    if verdict in ("ok", "ng"):
        mood = "good" if (verdict == "ng") == bool(score.label) else "bad"
    truth = "normal" if score.label == 0 else score.defect.replace("_", " ")
    return html.figure(drawing, f"{truth}{_CALLED[verdict]}, {score.score:.3g}", mood, score.path)


def verdict_words(cell: CellResult, method: str, takes: Sequence[str]) -> str:
    """The threshold in use, where it comes from, how often it is wrong, and how many images are for review.

    takes: what the method takes.
    """
    in_use, best = cell.thresholds["calibrated"], cell.thresholds["image"]
    verdicts = Counter((image.label, called(cell, image)) for image in cell.scores)
    normal, abnormal = (sum(image.label == label for image in cell.scores) for label in (0, 1))
    if in_use is None:
        said = "No verdicts: detect has no threshold of its own here"
        if "references" in takes:
            said += ", for which it needs two good examples or more."
        else:
            said += f", since {method} takes no good examples that would give one."
        if best is not None:
            said += (
                f" Which images are mistaken or borderline follows from the best F1 on these same images, at {best:.4g}: "
                "that threshold is not known beforehand."
            )
    else:
        said = (
            f"Verdicts at {in_use:.4g}, the threshold that detect uses with these good examples ({cell.threshold_source}): "
            f"{verdicts[0, 'ng']} of {normal} normal images called NG, {verdicts[1, 'ok']} of {abnormal} abnormal ones called OK."
        )
    if verdicts[0, "review"] or verdicts[1, "review"]:
        said += f" For review: {verdicts[0, 'review']} of {normal} normal and {verdicts[1, 'review']} of {abnormal} abnormal ones"
        unseen = sum(image.unseen for image in cell.scores)
        said += f"; of {counted(unseen, 'image')} the method looked at nothing." if unseen else "."
    return said
