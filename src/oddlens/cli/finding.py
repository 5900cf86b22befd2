"""Good and bad images that a verb is given by folders, files and patterns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.cli.options import say
from oddlens.cli.progress import progress
from oddlens.errors import Failure, UsageError, printable

if TYPE_CHECKING:
    from oddlens.inference.results import ResultsFolder
    from oddlens.io.finding import Found
    from oddlens.io.remote import ImagePath


def find_good_images(names: Sequence[str], what: str = "references") -> list[ImagePath]:
    """All of them, one that is named twice too (the detector says so).

    what: what they are, for what is said.

    Raises `UsageError` where a name leads to no image.
    """
    from oddlens.io.finding import find_images

    each = [find_images([name]) for name in names]
    for found in each:
        if found.failures:
            raise UsageError(found.failures[0].reason)
        tell_passed_over(found, f"among the {what} ")
    return [path for found in each for path in found.paths]


def tell_passed_over(found: Found, where: str = "") -> None:
    """Print what was passed over, on stderr."""
    from oddlens.io.finding import say_passed_over

    if said := say_passed_over(found.passed_over):
        say(f"oddlens: {where}{said}")


def find_images_beside(images: Sequence[str], results: ResultsFolder | None) -> Found:
    """The images, without what an earlier run drew where that lies among them; what is passed over is said.

    Raises `UsageError` where nothing is left, after saying all that is at fault.
    """
    from oddlens.io.finding import Found, find_images

    found = find_images(images)
    if results is not None:
        others = tuple(item for item in found.items if not (isinstance(item, Path) and results.is_output(item)))
        if not others:
            raise UsageError(
                f"there is only what a run drew in {printable(str(results.root))} among the images: "
                "name the images themselves"
            )
        found = Found(others, found.passed_over)
    refuse_only_failures(found.items)
    tell_passed_over(found)
    return found


def refuse_only_failures(items: Sequence[object]) -> None:
    """Raise `UsageError` where no name led to an image, after saying all that is at fault."""
    failures = [item for item in items if isinstance(item, Failure)]
    if len(failures) == len(items):
        *first, last = failures
        for failure in first:
            say(f"oddlens: {failure.reason}")
        raise UsageError(last.reason)


@contextmanager
def with_progress(what: str, paths: Sequence[ImagePath]) -> Iterator[Iterator[ImagePath]]:
    """The paths one by one, with a bar of how many were taken."""
    with progress(what, len(paths)) as advance:

        def each() -> Iterator[ImagePath]:
            for path in paths:
                yield path
                advance(1)

        yield each()
