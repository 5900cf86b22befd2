"""`oddlens station`: make a station, look at it, check it, change it, go back, share it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer

from oddlens.cli import station_check, station_create, station_learn, station_set
from oddlens.cli.command import Command, Group, grouped
from oddlens.cli.options import AsJson, MakesPublic, NewFolder, PlaceFrom, PlaceTo, StationFolder, say
from oddlens.cli.station_page import print_station, when
from oddlens.errors import counted

app = typer.Typer(cls=Group, no_args_is_help=True)


@app.callback()
def station() -> None:
    """Make, show, check, change and share a saved detector of a part."""


app.command("create", cls=Command, no_args_is_help=True, epilog=station_create.EXAMPLES)(grouped(station_create.create))


@app.command(cls=Command, no_args_is_help=True)
def show(
    folder: StationFolder,
    version: Annotated[
        int | None, typer.Option(metavar="N", help="An earlier version.", show_default="the one in force")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a station is and what it promises. Every file is checked; no model runs.

    Exit code: 0, 1 if a file is missing or damaged, 2 if there is no station or no such version.
    """
    print_station(folder, version, as_json=as_json)


app.command("check", cls=Command, no_args_is_help=True, epilog=station_check.EXAMPLES)(grouped(station_check.check))
app.command("set", cls=Command, no_args_is_help=True, epilog=station_set.EXAMPLES)(grouped(station_set.set_station))
app.command("learn", cls=Command, no_args_is_help=True, epilog=station_learn.EXAMPLES)(station_learn.learn)


@app.command(cls=Command, no_args_is_help=True)
def versions(
    folder: StationFolder,
    prune: Annotated[
        int | None,
        typer.Option(
            metavar="KEEP",
            help="Remove the oldest versions, and the files that no other version names; so many versions stay.",
            show_default="every version stays",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the versions of a station. The newest, which is in force, comes last."""
    from oddlens import station

    if prune is not None:
        gone = station.prune(folder, prune)
        say(f"oddlens: {counted(len(gone), 'version was', 'versions were')} removed")
    found = station.versions(folder)
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=2))
        return
    _print_lines((each.number, each.time, each.verb, each.what) for each in found)


@app.command(cls=Command, no_args_is_help=True)
def log(folder: StationFolder, as_json: AsJson = False) -> None:
    """List what was done with a station. Checks are in the list too."""
    from oddlens.station import read_log

    found = read_log(folder)
    if as_json:
        print(json.dumps([each._asdict() for each in found], indent=2))
        return
    _print_lines((each.version, each.time, each.verb, each.what) for each in found)


@app.command(cls=Command, no_args_is_help=True)
def rollback(
    folder: StationFolder,
    number: Annotated[
        int, typer.Argument(metavar="N", help="An earlier version: 'oddlens station versions' lists them.")
    ],
    as_json: AsJson = False,
) -> None:
    """Put an earlier version in force again, as a new version. It also mends a station whose station.json is damaged."""
    from oddlens import station

    made = station.rollback(folder, number)
    if as_json:
        print(json.dumps(asdict(made), indent=2))
        return
    print(f"version {made.number}: {made.what}")


@app.command(cls=Command, no_args_is_help=True)
def push(folder: StationFolder, to: PlaceTo, public: MakesPublic = False) -> None:
    """Share the version in force, with a card of what made it: in a folder, or on the hub.

    Feedback, the log and earlier versions stay. The names of its good images go along.
    """
    from oddlens.sharing.station import push_station

    print(push_station(folder, to, private=not public))


@app.command(cls=Command, no_args_is_help=True)
def pull(
    place: PlaceFrom,
    to: NewFolder,
) -> None:
    """Fetch a station that somebody pushed, checked by the SHA-256 of each file."""
    from oddlens.errors import printable
    from oddlens.sharing.station import pull_station

    version = pull_station(place, to)
    print(f"{printable(str(to))}: {printable(version.what)}")


def _print_lines(entries: Iterable[tuple[int, str, str, str]]) -> None:
    from oddlens.cli.table import print_table
    from oddlens.errors import printable

    rows = [[str(number), when(time), verb, printable(what)] for number, time, verb, what in entries]
    print_table(("version", "when", "verb", "what"), rows)
