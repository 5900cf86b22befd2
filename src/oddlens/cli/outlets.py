"""The options that send results elsewhere, for verbs that inspect a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer


@dataclass(frozen=True)
class OutletOptions:
    """Where results go besides."""

    webhook: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="POST each result there as JSON; may be repeated. $ODDLENS_WEBHOOK_SECRET signs it (see docs/guides/watching.md).",
            show_default=False,
        ),
    ] = None
    mqtt: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Publish each result: mqtt://[user:password@]host[:port][/prefix], or mqtts://. Needs 'oddlens[mqtt]'.",
            show_default=False,
        ),
    ] = None
    on_ng: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROGRAM",
            help="Call a program where an image is NG, with the result as JSON on its standard input; no shell reads it.",
            show_default=False,
        ),
    ] = None
    on_each: Annotated[
        list[str] | None,
        typer.Option(metavar="PROGRAM", help="Call a program for each image, as --on-ng does.", show_default=False),
    ] = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """As `oddlens.inference.outlets.open_outlet` takes them."""
        programs = [f"on-ng:{each}" for each in self.on_ng or ()] + [f"on-each:{each}" for each in self.on_each or ()]
        return (*(self.webhook or ()), *(self.mqtt or ()), *programs)
