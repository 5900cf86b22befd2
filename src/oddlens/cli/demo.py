"""`oddlens demo`: see it work, without a network and without images of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oddlens.cli.options import RuntimeName, say
from oddlens.cli.serve import needs_serve
from oddlens.errors import printable
from oddlens.io.atomic import check_target


def demo(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page to write.")] = Path("oddlens-demo.html"),
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Only copy the images of one part, a star, into DIR/good and DIR/parts, to try things."
        ),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show it as the service of a line instead, until Ctrl-C; nothing is left.")
    ] = False,
    port: Annotated[int, typer.Option(metavar="N", help="Of --serve; 0: any that is free.")] = 8000,
    runtime: RuntimeName = "auto",
) -> None:
    """See it work on images that oddlens carries.

    The command scores them zero-shot and with four good examples, prints scores and verdicts, and writes a page with overlays.
    """
    if images is not None:
        from oddlens.inference.demo import copy_part

        good, parts = copy_part(images)
        print(
            f"{printable(str(images / 'good'))}: {good} good parts\n{printable(str(images / 'parts'))}: {parts} to check"
        )
        return
    if serve:
        with needs_serve():
            from oddlens.cli.serve_demo import serve_demo
        serve_demo(port, runtime, say)
        return
    from oddlens.cli.progress import progress
    from oddlens.cli.table import print_table
    from oddlens.inference.demo import REFERENCES, in_words, picture_count, run_demo, write_page

    check_target(out)
    with progress("images", picture_count()) as advance:
        results = list(run_demo(advance, runtime))
    print_table(
        ("category", "image", "truth", "zero-shot", f"{REFERENCES} references", "verdict"),
        [
            (
                result.name,
                record.image.name,
                "normal" if record.label == 0 else record.defect.replace("_", " "),
                f"{zero.score:.3f}",
                f"{few.score:.3f}",
                (few.verdict or "-").upper(),
            )
            for result in results
            for record, zero, few in zip(result.records, result.zero_shot, result.few_shot, strict=True)
        ],
    )
    print(f"\n{in_words(results)}\n")
    print_table(
        ("AUROC", "zero-shot: image", "pixel", f"{REFERENCES} references: image", "pixel"),
        [
            (
                result.name,
                *(f"{value:.3f}" for found in (result.zero_shot, result.few_shot) for value in result.figures(found)),
            )
            for result in results
        ],
    )
    write_page(results, out)  # last: the scores are printed even where the page cannot be written
    print(f"\npage: {printable(str(out))}")
