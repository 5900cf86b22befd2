"""Test images and good examples that the mask of a method took for background as a whole: notes, and one line a category."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from oddlens.detector.fitted import UNSEEN_BEGINS, unseen_references
from oddlens.errors import OddlensWarning, counted, first_and_more
from oddlens.evaluation.cell_results import ImageScore
from oddlens.evaluation.document import MetricsDocument
from oddlens.evaluation.markdown_tables import remark_lines


def unseen_notes(scores: Sequence[ImageScore], examples: Sequence[str], remedy: str) -> Iterator[str]:
    """The notes of a cell. examples: the good examples of which nothing is left. remedy: what to give, from the method's card."""
    if unseen := [score.path for score in scores if score.unseen]:
        yield (
            f"{UNSEEN_BEGINS}{len(unseen)} of {counted(len(scores), 'test image')} ({first_and_more(unseen)}), so that what they "
            f"score says nothing: give {remedy}"
        )
    if examples:
        yield unseen_references(examples, remedy)


def unseen_lines(document: MetricsDocument) -> list[str]:
    """The notes with where they belong, of what was measured now and before."""
    return [line for line in remark_lines(document) if f": {UNSEEN_BEGINS}" in line]


@contextmanager
def noted_not_warned() -> Iterator[None]:
    """Within, detectors do not warn of such images: a cell has a note that names them, and a warning a batch would name none.

    The filters of warnings belong to all threads: enter and leave it where no other one runs that changes them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", UNSEEN_BEGINS, OddlensWarning)
        yield
