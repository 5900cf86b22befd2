"""`oddlens train`: make what learns."""

from __future__ import annotations

import typer

from oddlens.cli.benchmark import ManyValues
from oddlens.cli.train_method import EXAMPLES, summary, train_method
from oddlens.cli.train_vl4ad import EXAMPLES as VL4AD_EXAMPLES
from oddlens.cli.train_vl4ad import vl4ad
from oddlens.training import TRAINABLE

app = typer.Typer(no_args_is_help=True)
for method in TRAINABLE:
    app.command(method, cls=ManyValues, no_args_is_help=True, help=summary(method), epilog=EXAMPLES)(train_method)
app.command(no_args_is_help=True, epilog=VL4AD_EXAMPLES)(vl4ad)


@app.callback()
def train() -> None:
    """Train what learns."""
