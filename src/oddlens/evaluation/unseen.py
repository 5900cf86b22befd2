"""Test images of which a method looked at nothing, as its mask took all of them for background: notes, and one line a category."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from oddlens.errors import OddlensWarning, counted, first_and_more
from oddlens.evaluation.cell_results import ImageScore
from oddlens.evaluation.document import MetricsDocument
from oddlens.evaluation.markdown_tables import remark_lines

_BEGINS = "the mask of the background leaves nothing of "
"""How the note begins, and the warning of a detector."""


def unseen_notes(scores: Sequence[ImageScore], remedy: str) -> tuple[str, ...]:
    """The note of a cell, or none. remedy: what to give, from the card of the method."""
    unseen = [score.path for score in scores if score.unseen]
    if not unseen:
        return ()
    return (
        f"{_BEGINS}{len(unseen)} of {counted(len(scores), 'test image')} ({first_and_more(unseen)}), so that what they score "
        f"says nothing: give {remedy}",
    )


def unseen_lines(document: MetricsDocument) -> list[str]:
    """The notes with where they belong, of what was measured now and before."""
    return [line for line in remark_lines(document) if f": {_BEGINS}" in line]


@contextmanager
def noted_not_warned() -> Iterator[None]:
    """Within, detectors do not warn of such images: a cell has a note that names them, and a warning a batch would name none.

    The filters of warnings belong to all threads: enter and leave it where no other one runs that changes them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _BEGINS, OddlensWarning)
        yield
