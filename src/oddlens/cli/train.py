"""`oddlens train`: train the methods that learn."""

from __future__ import annotations

import typer

from oddlens.cli import train_vl4ad
from oddlens.cli.command import Command, Group, grouped
from oddlens.cli.train_method import examples, summary, train_method
from oddlens.training import TRAINABLE

app = typer.Typer(cls=Group, no_args_is_help=True)
for method in TRAINABLE:
    app.command(method, cls=Command, no_args_is_help=True, help=summary(method), epilog=examples(method))(
        grouped(train_method)
    )
TRAINED = (*TRAINABLE, "vl4ad")
"""The methods that can be trained: vl4ad has a verb of its own, as it learns from road scenes."""

app.command("vl4ad", cls=Command, no_args_is_help=True, epilog=train_vl4ad.EXAMPLES)(grouped(train_vl4ad.vl4ad))


@app.callback()
def train() -> None:
    """Train the methods that learn, on a frozen model."""
