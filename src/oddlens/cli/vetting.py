"""Good images that were vetted, on the screen; a verb stops where one is doubtful and nobody accepted it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from glob import has_magic
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.errors import UsageError, as_argument, printable

if TYPE_CHECKING:
    from oddlens.calibration import Observation, Vetting

AcceptNames = Annotated[
    list[str] | None,
    typer.Option(
        "--accept",
        metavar="NAME...",
        help="Doubtful images that are good, by name or pattern; or the word all.",
        show_default=False,
    ),
]

LeaveOutNames = Annotated[
    list[str] | None,
    typer.Option(
        "--leave-out",
        metavar="NAME...",
        help="Images that are not to be used, by name or pattern.",
        show_default=False,
    ),
]

SHEET = "calibration.png"
"""The contact sheet in a station."""

SHOWN = 12
"""Rows of the table: the most doubtful images."""


def print_vetting(vetting: Vetting) -> None:
    """Print the most doubtful images as a table, and what was found."""
    from oddlens.cli.table import print_table

    rows = [
        (
            printable(row.name),
            f"{row.observation.score:.4f}",
            f"{row.p_value:.3f}",
            "{} x {}".format(*row.observation.size),
            printable(", ".join(row.reasons)) or "-",
        )
        for row in vetting.rows[: max(SHOWN, len(vetting.flagged))]
    ]
    print_table(("image", "score", "p", "size", "doubtful"), rows)
    if len(vetting.rows) > len(rows):
        print(f"... and {len(vetting.rows) - len(rows)} more")
    print(vetting.sentence)


def images_named(option: str, names: Iterable[str], sources: Iterable[str], more: str = "") -> set[str]:
    """The images that an option names, each by its name or several by a pattern.

    Raises `UsageError` where there is none of a name, or where a name that is no pattern is that of several.

    more: what the option takes besides.
    """
    from oddlens.calibration import named, short_names

    known = short_names(sources)
    images: set[str] = set()
    for name in names:
        found = named(name, known)
        if not found and has_magic(name):
            images |= (matching := {source for source in known if PurePath(source).match(name)})
            if matching:
                continue
        if not found:
            raise UsageError(
                f"{option} {as_argument(name)} names none of the images: give a file's name, or a pattern such as 'b*.png'{more}"
            )
        if len(found) > 1:
            listed = ", ".join(printable(known[each]) for each in found[:3])
            raise UsageError(
                f"{option} {as_argument(name)} names {len(found)} images: give more of the path ({listed})"
            )
        images.add(found[0])
    return images


def refuse_doubtful(
    vetting: Vetting,
    accept: Sequence[str],
    sheet: Path,
    *,
    known: Iterable[Observation] = (),
    accepted: Sequence[str] = (),
    leave_out: bool = False,
    instead: str = "leave them out",
    title: str = "Good images",
) -> None:
    """Raise `UsageError` for a doubtful image that is not accepted, and for a name that is none; a contact sheet is written then.

    Args:
        vetting: The images.
        accept: The names that a person accepts.
        sheet: Where the contact sheet is written.
        known: Other images whose names are none of these.
        accepted: What an earlier version accepted.
        leave_out: Whether the verb has --leave-out.
        instead: What is to be done with images that are not good, where it has not.
        title: Of the contact sheet.
    """
    from oddlens.calibration.sheet import write_sheet

    sources = [each.source for each in (*known, *(row.observation for row in vetting.rows))]
    good = images_named("--accept", (name for name in accept if name != "all"), sources, ", or the word all")
    if "all" in accept:
        return
    left = [row for row in vetting.flagged if row.source not in {*good, *accepted}]
    if left:
        write_sheet(vetting, sheet, title)
        listed = " ".join(as_argument(row.name) for row in left[:5])
        instead = f"--leave-out {listed}" if leave_out else instead
        raise UsageError(
            f"{vetting.sentence} Look at {printable(str(sheet))}, and say --accept {listed} (or all) where they are good, or "
            f"{instead} where they are not; nothing was changed"
        )
