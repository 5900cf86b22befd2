"""`oddlens serve`: inspection over HTTP, with a page."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.options import RuntimeName, say
from oddlens.cli.outlets import OutletOptions
from oddlens.errors import UsageError, needs_package, shortened

if TYPE_CHECKING:
    from oddlens.service.settings import Source

EXAMPLES = """\b
Examples:
  oddlens serve line-3
  oddlens serve line-3 line-4 --watch incoming/=line-3
  oddlens serve line-3 --host 0.0.0.0 --history postgresql://oddlens@db/line
"""


_PACKAGES = ("fastapi", "starlette", "uvicorn", "jinja2", "sqlalchemy", "prometheus_client", "anyio", "pydantic")


def needs_serve() -> AbstractContextManager[None]:
    """Raises `UsageError` where the service is imported within and its extra is not installed."""
    return needs_package(_PACKAGES, "the service needs more than is installed: run pip install 'oddlens[serve]'")


_MOST = 1_000_000
"""Of what options count: days, gigabytes, images, seconds, megabytes, megapixels."""


def serve(
    outlets: OutletOptions,
    stations: Annotated[
        list[Path] | None,
        typer.Argument(metavar="STATION...", help="Stations; the page can make new ones.", show_default=False),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; 0.0.0.0: on all networks.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", help="0: any that is free.")] = 8000,
    home: Annotated[Path, typer.Option(metavar="DIR", help="Where history, images and new stations are kept.")] = Path(
        "oddlens-service"
    ),
    history: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL", help="The database: a file for SQLite, or postgresql://...", show_default="in DIR"
        ),
    ] = None,
    watch: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR=STATION", help="A folder whose images are inspected; may be repeated."),
    ] = None,
    move: Annotated[
        bool,
        typer.Option(
            "--move",
            help="Move images that were inspected out of the way: done/, review/, ng/, failed/ in their folder.",
        ),
    ] = False,
    camera: Annotated[
        list[str] | None,
        typer.Option(metavar="URL|N=STATION", help="A camera whose images are inspected; may be repeated."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="ODDLENS_TOKEN",
            metavar="TEXT",
            help="What clients must know.",
            show_default="generated and printed, where others than this machine can connect",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A further name of this service, as behind a proxy; may be repeated."),
    ] = None,
    audit: Annotated[
        float, typer.Option(metavar="SHARE", help="The share of images that people look at whatever their verdict.")
    ] = 0.0,
    keep_days: Annotated[
        float | None, typer.Option(metavar="DAYS", help="Remove older images.", show_default="they stay")
    ] = None,
    keep_gb: Annotated[
        float | None, typer.Option(metavar="GB", help="Remove the oldest images beyond.", show_default="they stay")
    ] = None,
    queue: Annotated[int, typer.Option(metavar="N", help="Images that may wait; others are told to come again.")] = 64,
    deadline: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long an image may wait for its verdict.")
    ] = 30.0,
    max_mb: Annotated[float, typer.Option("--max-mb", metavar="MB", help="The largest request.")] = 64.0,
    max_megapixels: Annotated[
        float | None, typer.Option(metavar="MP", help="The largest image.", show_default="128")
    ] = None,
    runtime: RuntimeName = "auto",
) -> None:
    """Inspect images over HTTP, with a page for people.

    The page shows verdicts, review, thresholds, teaching and history. It is at http://127.0.0.1:8000, the interface for programs is
    described there at /api/openapi.json. Each verdict is kept before it is answered. Ctrl-C, or SIGTERM, finishes what is in hand.

    Exit code: 0, or 2 if the call was wrong.
    """
    with needs_serve():
        from oddlens.service.run import run
    from oddlens.history.records import Retention
    from oddlens.service.settings import Limits, ServeSettings

    numbers = {
        "--keep-gb": keep_gb,
        "--keep-days": keep_days,
        "--queue": queue,
        "--deadline": deadline,
        "--max-mb": max_mb,
        "--max-megapixels": max_megapixels,
    }
    for option, given in numbers.items():
        if given is not None and not 0 < given <= _MOST:
            raise UsageError(f"{option} cannot be {given:g}: give a number above 0, and at most {_MOST:,}")
    run(
        ServeSettings(
            stations=tuple(stations or ()),
            home=home,
            history=history,
            host=host,
            port=port,
            hosts=tuple(allow_host or ()),
            token=token,
            watch=_sources(watch, "--watch"),
            move=move,
            sinks=outlets.addresses,
            cameras=_sources(camera, "--camera"),
            retention=Retention(max_days=keep_days, max_bytes=None if keep_gb is None else int(keep_gb * 1e9)),
            limits=Limits(max_bytes=int(max_mb * 1e6), max_megapixels=max_megapixels, queue=queue, deadline_s=deadline),
            audit=audit,
            runtime=runtime,
        ),
        say,
    )


def _sources(given: list[str] | None, option: str) -> tuple[Source, ...]:
    """Read each "ADDRESS=STATION". Raises `UsageError` for anything else."""
    from oddlens.service.settings import Source

    found = []
    for text in given or ():
        address, equals, station = text.rpartition("=")
        if not (equals and address.strip() and station.strip()):
            raise UsageError(f"{option} {shortened(text)} is not of the form ADDRESS=STATION, such as incoming/=line-3")
        found.append(Source(address=address, station=station))
    return tuple(found)
