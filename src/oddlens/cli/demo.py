"""`oddlens demo`: see it work, without a network and without pictures of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(out: Annotated[Path, typer.Option(help="The page to write.")] = Path("oddlens-demo.html")) -> None:
    """Score the pictures that oddlens carries, zero-shot and with four good examples; write a page with overlays."""
    from rich.console import Console
    from rich.table import Table

    from oddlens.cli.progress import progress
    from oddlens.demo import REFERENCES, picture_count, run_demo, write_page

    with progress("pictures", picture_count()) as advance:
        results = list(run_demo(advance))
    table = Table(box=None, pad_edge=False)
    for column in ("category", "picture", "truth", "zero-shot", f"{REFERENCES} references", "verdict"):
        table.add_column(column)
    for result in results:
        for record, zero, few in zip(result.records, result.zero_shot, result.few_shot, strict=True):
            truth = "normal" if record.label == 0 else record.defect.replace("_", " ")
            verdict = "anomalous" if few.is_anomalous else "normal"
            table.add_row(result.name, record.image.name, truth, f"{zero.score:.3f}", f"{few.score:.3f}", verdict)
    console = Console()
    console.print(table)
    for result in results:
        without, having = result.figures(result.zero_shot), result.figures(result.few_shot)
        console.print(
            f"{result.name}: AUROC image / pixel {without[0]:.3f} / {without[1]:.3f} zero-shot, "
            f"{having[0]:.3f} / {having[1]:.3f} with {REFERENCES} references",
            highlight=False,
        )
    write_page(results, out)
    print(f"page: {out}")
