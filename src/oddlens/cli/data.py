"""`oddlens data`: check a data set before you measure or train on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import Command, Group
from oddlens.cli.options import AsJson, say

if TYPE_CHECKING:
    from rich.console import Console

    from oddlens.data import Report

app = typer.Typer(cls=Group, no_args_is_help=True, help="Check a data set, or list it in a manifest.")

SHOWN_OF_A_KIND = 10

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The data set's folder, or its manifest or meta.json.")]
LayoutName = Annotated[str, typer.Option("--layout", "-l", metavar="NAME", help="How it is laid out; auto: found out.")]


@app.command(cls=Command)
def check(
    folder: Folder,
    layout: LayoutName = "auto",
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", metavar="FILE", help="Also write a contact sheet to this .png or .jpg file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read every image and mask, count them, and say what is wrong.

    Exit code: 0, 1 if something is wrong with the data set, 2 if the call was wrong.
    """
    import json

    from rich.console import Console
    from rich.progress import Progress

    from oddlens.data import check_dataset, open_dataset, write_contact_sheet
    from oddlens.data.contact_sheet import check_sheet

    if sheet is not None:
        check_sheet(sheet)
    dataset = open_dataset(folder, layout)
    if sheet is not None:
        write_contact_sheet(dataset, sheet)
        say(f"contact sheet: {sheet}")
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Reading", total=len(dataset))
        report = check_dataset(dataset, lambda done, total: progress.update(task, completed=done))
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2))
    else:
        _show(report, Console(markup=False, highlight=False))
    if not report.ok:
        raise typer.Exit(1)


@app.command(cls=Command)
def manifest(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The .jsonl file to write.")],
    layout: LayoutName = "auto",
) -> None:
    """Write the data set into one file, a line for each image, and print the hash that names its content."""
    from oddlens.data import manifest_hash, open_dataset, write_manifest
    from oddlens.data.problem import folders_left_out, problems_found
    from oddlens.io.paths import exists

    dataset = open_dataset(folder, layout)
    made = next((place for place in reversed(out.absolute().parents) if not exists(place)), None)
    write_manifest(dataset, out)
    if made is not None:
        say(f"made the folder {made}")
    typer.echo(manifest_hash(dataset))
    problems = dataset.problems
    say(*problems_found("the data set", len(problems), dataset.place, folders_left_out(problems)))


def _show(report: "Report", console: "Console") -> None:
    from rich.table import Table

    from oddlens.errors import counted, printable

    console.print(f"{printable(str(report.listing or report.root))} ({report.layout})", soft_wrap=True)
    table = Table()
    table.add_column("category")
    table.add_column("split")
    for column in ("normal", "abnormal", "with mask", "unlabelled"):
        table.add_column(column, justify="right")
    for count in report.counts:
        numbers = (count.normal, count.abnormal, count.drawn, count.unlabelled)
        table.add_row(printable(count.category), count.split, *(str(number or "-") for number in numbers))
    console.print(table)
    for category, names in report.classes.items():
        number = counted(len(names), "known class", "known classes")
        known = printable(f"{category} has {number}: {', '.join(names)}")
        console.print(known, soft_wrap=True)
    by_kind: dict[str, list[str]] = {}
    for problem in report.problems:
        by_kind.setdefault(problem.kind, []).append(printable(problem.sentence))
    for kind, sentences in by_kind.items():
        lines = [f"\n{kind}: {len(sentences)}", *(f"  {sentence}" for sentence in sentences[:SHOWN_OF_A_KIND])]
        if len(sentences) > SHOWN_OF_A_KIND:
            lines.append(f"  ... and {len(sentences) - SHOWN_OF_A_KIND} more: --json lists them all.")
        console.print("\n".join(lines), soft_wrap=True)
    if report.ok:
        console.print("No problems.")
