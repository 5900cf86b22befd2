"""Good images that were vetted, on the screen; a verb stops where one is doubtful and nobody accepted it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.errors import UsageError, printable

if TYPE_CHECKING:
    from oddlens.calibration import Vetting

SHOWN = 12
"""Rows of the table: the most doubtful images."""


def print_vetting(vetting: Vetting) -> None:
    """Print the most doubtful images as a table, and what was found."""
    from oddlens.cli.table import print_table

    rows = [
        (
            printable(row.observation.name),
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


def refuse_doubtful(vetting: Vetting, accept: Sequence[str], accepted: Sequence[str], sheet: Path) -> None:
    """Raise `UsageError` for a doubtful image that is not accepted, now or by an earlier version, or for a name that is none."""
    names = {name for row in vetting.rows for name in (row.observation.name, row.source)}
    for name in accept:
        if name not in names and name != "all":
            raise UsageError(
                f"--accept {printable(name)} names none of the images: give a file's name, or the word all"
            )
    if "all" in accept:
        return
    left = [row for row in vetting.flagged if not {row.observation.name, row.source} & {*accept, *accepted}]
    if left:
        listed = " ".join(printable(row.observation.name) for row in left[:5])
        raise UsageError(
            f"{vetting.sentence} Look at {printable(str(sheet))}, and say --accept {listed} (or all) where they are good, or "
            f"--leave-out {listed} where they are not; nothing was changed"
        )
