"""`oddlens models`: which models there are, and fetching them on a connected machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oddlens.errors import UsageError

app = typer.Typer(help="List models and fetch their weights.", invoke_without_command=True)


@app.callback()
def models(context: typer.Context) -> None:
    """List the models that have a card: name, size, licence, whether they are on this machine."""
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Table

    from oddlens.backbone.cards import CARDS
    from oddlens.backbone.hub import is_present

    table = Table(box=None, pad_edge=False)
    for column in ("name", "size", "pixels", "licence", "offline", "used by", "hub id"):
        table.add_column(column, no_wrap=True)
    for card in CARDS:
        here = "yes" if is_present(card) else "no"
        table.add_row(
            card.name,
            f"{card.size_mb} MB",
            str(card.image_size),
            card.licence,
            here,
            ", ".join(card.used_by),
            card.hub_id,
        )
    Console().print(table)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A model's name, or any hub id (org/name).")],
    to: Annotated[
        Path | None, typer.Option(help="A folder to carry over; else the hub cache.", show_default=False)
    ] = None,
) -> None:
    """Download a model; run it again after a break and it goes on. Prints the folder."""
    from oddlens.backbone.cards import find_card
    from oddlens.backbone.hub import fetch_card, fetch_repository

    card = find_card(name)
    if card is not None and card.layout == "embedded":
        raise UsageError(f"the model {name} is part of oddlens: there is nothing to fetch")
    if card is None and name.removeprefix("hf-hub:").count("/") != 1:
        raise UsageError(f"there is no model {name!r}: see 'oddlens models', or give a hub id (org/name)")
    print(fetch_repository(name.removeprefix("hf-hub:"), to) if card is None else fetch_card(card, to))
