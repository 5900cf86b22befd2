"""`oddlens models`: which models there are, and fetching them on a connected machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oddlens.errors import UsageError

app = typer.Typer(invoke_without_command=True)


@app.callback()
def models(context: typer.Context) -> None:
    """List the models, or fetch one.

    The list tells which of them are on this machine ("offline"), and which the papers use. Any other CLIP can be named by its
    hub id or its path.
    """
    if context.invoked_subcommand is not None:
        return
    from oddlens.backbone.cards import CARDS
    from oddlens.backbone.hub import is_present
    from oddlens.cli.table import print_table

    print_table(
        ("name", "size", "offline", "used by", "licence", "pixels", "hub id"),
        [
            (
                card.name,
                f"{card.size_mb} MB",
                "yes" if is_present(card) else "no",
                ", ".join(card.used_by) or "-",
                card.licence,
                str(card.image_size),
                card.hub_id or "-",
            )
            for card in CARDS
        ],
    )


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model's name, or any hub id (org/name).")],
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder to carry to another machine.", show_default="the hub cache"),
    ] = None,
) -> None:
    """Download a model and print its folder.

    Run it again after a break: it goes on where it stopped.
    """
    from oddlens.backbone.cards import find_card
    from oddlens.backbone.hub import fetch_card, fetch_repository

    card = find_card(name)
    hub_id = name.removeprefix("hf-hub:")
    if card is not None and card.layout == "embedded":
        raise UsageError(f"the model {name} is part of oddlens: there is nothing to fetch")
    if card is None and hub_id.count("/") != 1:
        raise UsageError(f"there is no model {name!r}: see 'oddlens models', or give a hub id (org/name)")
    print(fetch_repository(hub_id, to) if card is None else fetch_card(card, to))
