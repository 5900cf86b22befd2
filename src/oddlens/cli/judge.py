"""`oddlens judge`: new verdicts over kept results, without a model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import before_the_first_image
from oddlens.cli.options import JsonLines, MarkingOptions, ResultsPath, parse_kinds, say, threshold_option
from oddlens.cli.thresholds import parse_thresholds
from oddlens.errors import UsageError, counted

if TYPE_CHECKING:
    from oddlens.detector import Detector
    from oddlens.inference.judge import Judged
    from oddlens.inference.judgement import Judgement
    from oddlens.inference.results import ResultsFolder

EXAMPLES = """\b
Examples:
  oddlens judge results/ --threshold 0.42
  oddlens judge results/ --threshold 0.42,0.5 --review-threshold 0.35
  oddlens judge results/ --station line-3 --write nothing
  oddlens judge results/ --min-area 1.5mm2 --mm-per-pixel 0.05
"""


@dataclass(frozen=True)
class VerdictOptions:
    """What the verdicts follow from."""

    station: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Judge by the thresholds of this station, which must score images as the run did."
        ),
    ] = None
    threshold: Annotated[list[str] | None, threshold_option("as the run has it")] = None
    review_threshold: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE", help="An image goes to review above SCORE.", show_default="none beside --threshold"
        ),
    ] = None


def judge(
    results: ResultsPath,
    what: VerdictOptions,
    marking: MarkingOptions,
    write: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help="What to draw again: overlays, masks, divided by commas, or nothing. The others are removed: they would show "
            "verdicts that do not hold any more.",
            show_default="what the run drew",
        ),
    ] = None,
    as_json: JsonLines = False,
) -> None:
    """Give the results of a run new verdicts, without a model.

    The scores and maps that a run kept are compared with other thresholds: verdicts, regions, masks, overlays, results.csv and
    report.html follow, as if the run had had these thresholds. What you do not give stays as the run had it.

    Exit code: 0, 1 if an overlay or a mask could not be drawn again, 2 if the call was wrong and nothing was changed.
    """
    image, pixel = parse_thresholds(what.threshold or [])
    given = any(value is not None for value in (image, pixel, what.review_threshold))
    if what.station is not None and given:
        raise UsageError("--station brings its thresholds: leave --threshold and --review-threshold out")
    if what.station is None and not given and not marking.is_given:
        raise UsageError("give --threshold, --review-threshold, --min-area, --mm-per-pixel or --station")

    from oddlens.inference import judge as judging
    from oddlens.inference.results import kept_results

    kinds = None if write is None else parse_kinds(write, judging.REDRAWN)
    with before_the_first_image():
        kept = kept_results(results)
        judgement = _judgement(kept, what, marking, image, pixel)
        dropped = "" if what.station is not None else _dropped(kept, judgement)

    from oddlens.cli.progress import stages
    from oddlens.inference.report import NAME

    with stages() as show:
        judged = judging.judge(results, judgement, kinds=kinds, advance=show)
    if as_json:
        for record in judged.records:
            print(json.dumps(record))
    say_judged(judged, str(results / NAME))
    if dropped:
        say(dropped)
    if judgement.thresholds.promise is not None and not as_json:
        say(judgement.thresholds.promise)
    if judged.failed:
        raise typer.Exit(1)


def _judgement(
    kept: ResultsFolder, what: VerdictOptions, marking: MarkingOptions, image: float | None, pixel: float | None
) -> Judgement:
    from dataclasses import replace

    from oddlens.inference.judgement import by_station, by_thresholds, marking_of

    if what.station is None:
        marks = marking_of(kept.document)
        marks = marking.marking(marks) if marking.is_given else marks
        return by_thresholds(kept.document, image, pixel, what.review_threshold, marks)

    from oddlens.station import read_station

    judgement = by_station(kept.document, read_station(what.station), what.station)
    return replace(judgement, marking=marking.marking(judgement.marking)) if marking.is_given else judgement


def _dropped(kept: ResultsFolder, judgement: Judgement) -> str:
    """What is said where a new threshold goes without the review threshold of before."""
    from oddlens.inference.judgement import review_of

    review = review_of(kept.document)
    if review is None or judgement.thresholds.review is not None:
        return ""
    return f"Nothing goes to review any more, as it did above {review:.4g}: --review-threshold gives another one."


def judge_again(results: ResultsFolder, detector: Detector, object_name: str, by: str) -> None:
    """Give the results that a run continues the verdicts of the thresholds of now. by: the verb that does it."""
    from oddlens.cli.progress import stages
    from oddlens.inference import judge as judging
    from oddlens.inference.judgement import Judgement

    with before_the_first_image(), stages() as show:
        judgement = Judgement(
            given=detector.thresholds,
            calibration=detector.calibration(object_name),
            marking=detector.marking,
            by=by,
            how=detector.identity.calibration,
        )
        judged = judging.judge(results.root, judgement, advance=show)
    say_judged(judged, "kept results")


def say_judged(judged: Judged, where: str) -> None:
    """Print how many verdicts there are, how many are others than before, and what could not be treated as the rest."""
    from oddlens.inference.records import count_verdicts, say_counts

    changed = f" ({judged.changed} with another verdict)"
    say(f"{counted(len(judged.records), 'image')}{changed}: {say_counts(count_verdicts(judged.records))}: {where}")
    say(*judged.said)
