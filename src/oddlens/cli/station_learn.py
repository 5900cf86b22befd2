"""`oddlens station learn`: a new version of a station, of what users marked."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from oddlens.cli.command import before_the_first_image
from oddlens.cli.options import AsJson, DeviceName, RuntimeName, StationFolder
from oddlens.cli.vetting import SHEET, AcceptNames, refuse_doubtful
from oddlens.errors import UsageError, printable

EXAMPLES = """\b
Examples:
  oddlens feedback line-3 results/ --good parts/014.png --bad parts/007.png --defect scratch
  oddlens station learn line-3
  oddlens station learn line-3 --defect-memory
"""


def learn(
    folder: StationFolder,
    defect_memory: Annotated[
        bool | None,
        typer.Option(
            "--defect-memory/--no-defect-memory",
            help="Score images by their nearness to marked defects, too. It pays from about ten on. It makes the thresholds anew.",
            show_default="as it is",
        ),
    ] = None,
    renew_calibration: Annotated[
        bool,
        typer.Option(
            "--renew-calibration",
            help="Make the thresholds by the good images that 'oddlens detect --audit' drew at random.",
        ),
    ] = False,
    accept: AcceptNames = None,
    device: DeviceName = "auto",
    runtime: RuntimeName = "auto",
    as_json: AsJson = False,
) -> None:
    """Make a new version of a station of what was marked with 'oddlens feedback'.

    Good images that were flagged join the references, and the thresholds stay. Images of defects are known defects from then on;
    with a name they name others. 'oddlens station rollback' goes back.

    Images that make the thresholds are looked at first, as 'oddlens calibrate' does.

    Exit code: 0, also where there was nothing to learn; 2 if the call was wrong, or an image is doubtful: then nothing changes.
    """
    if accept and not renew_calibration:
        raise UsageError("--accept is for --renew-calibration: add it, or leave --accept out")
    from oddlens.teaching.learn import learn as learn_marks

    with before_the_first_image():
        learned = learn_marks(
            folder,
            defect_memory=defect_memory,
            renew_calibration=renew_calibration,
            look=lambda vetting: refuse_doubtful(
                vetting,
                accept or [],
                folder / SHEET,
                instead="mark them as bad or unsure",
                title="Images that were drawn at random",
            ),
            device=device,
            runtime=runtime,
        )
    if as_json:
        print(json.dumps(learned.to_dict(), indent=2))
        return
    if learned.version is not None:
        print(f"version {learned.version.number}:")
    for sentence in learned.sentences:
        print(printable(sentence))
