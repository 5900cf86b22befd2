"""`oddlens models`: which models there are, and fetching them on a connected machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from oddlens.backbone.cards import CARDS, Card, find_card
from oddlens.cli.command import Command, Context, Group
from oddlens.cli.options import AsJson
from oddlens.errors import UsageError, printable


class ModelsGroup(Group):
    """The verb "models", whose only verb is "fetch"."""

    def resolve_command(self, ctx: Context, args: list[str]) -> Context:
        """The verb that is named. Raises `UsageError` where a model is named instead."""
        name = printable(args[0])
        if find_card(args[0]) is not None:
            raise UsageError(
                f"'oddlens models' lists all models, {name} among them: 'oddlens models fetch {name}' downloads it, "
                f"--model {name} uses it"
            )
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=ModelsGroup, invoke_without_command=True)


@app.callback()
def models(context: typer.Context, as_json: AsJson = False) -> None:
    """List the models, or fetch one.

    The list shows which models have a text tower ("text"; methods that work from words need one), which are on this machine
    ("offline"), and which methods' papers used them. Any other CLIP, SigLIP or DINOv2 can be named by its hub id or its path.
    """
    if context.invoked_subcommand is not None:
        if as_json:
            raise UsageError("--json is of the list of models: leave it out, or leave the verb out")
        return
    from oddlens.backbone.hub import is_present
    from oddlens.cli.table import print_table
    from oddlens.methods.registry import method_cards

    def users(card: Card) -> list[str]:
        return sorted(name for name, method in method_cards().items() if card.name in method.models)

    if as_json:
        documents = [
            {
                "name": card.name,
                "kind": card.kind,
                "text": card.has_text,
                "size_mb": card.size_mb,
                "offline": is_present(card),
                "used_by": users(card),
                "licence": card.licence,
                "image_size": card.image_size,
                "hub_id": card.hub_id or None,
            }
            for card in CARDS
        ]
        print(json.dumps(documents, indent=2))
        return
    print_table(
        ("name", "kind", "text", "size", "offline", "used by", "licence", "pixels", "hub id"),
        [
            (
                card.name,
                card.kind,
                "yes" if card.has_text else "no",
                f"{card.size_mb} MB",
                "yes" if is_present(card) else "no",
                ", ".join(users(card)) or "-",
                card.licence,
                str(card.image_size),
                card.hub_id or "-",
            )
            for card in CARDS
        ],
    )


@app.command(cls=Command)
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model's name, or any hub id (org/name).")],
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder to carry to another machine.", show_default="the hub cache"),
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(
            metavar="REV", help="A branch, tag or commit; the model's name is NAME@REV then.", show_default="main"
        ),
    ] = None,
) -> None:
    """Download a model, check it against the hub's hashes, and print its folder.

    Run it again after a break: it goes on where it stopped.
    """
    from oddlens.backbone.cards import unknown_model
    from oddlens.backbone.fetching import fetch_model
    from oddlens.backbone.hub import is_hub_id

    bare, _, named = name.partition("@")
    if named and revision not in (None, named):
        raise UsageError(f"{name} and --revision {revision} contradict each other: give one of them")
    card = find_card(bare)
    if card is not None and card.layout == "embedded":
        raise UsageError(f"the model {name} is part of oddlens: there is nothing to fetch")
    hub_id = bare.removeprefix("hf-hub:") if card is None else card.hub_id
    if not is_hub_id(hub_id):
        raise unknown_model(name, "or a hub id (org/name)")
    fetched = fetch_model(hub_id, card, to, revision or named or None)
    for warning in fetched.warnings:
        print(f"oddlens: {warning}", file=sys.stderr)
    print(fetched.folder)
