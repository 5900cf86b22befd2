"""The report of a training, beside the weights: the losses as JSON, and their curves as an image."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from oddlens.errors import printable
from oddlens.io.atomic import replacing, write_text
from oddlens.training.checkpoint import History


def report_files(out: Path) -> tuple[Path, Path]:
    """The files of the report of these weights: OUT.report.json and OUT.report.png."""
    return out.with_name(f"{out.name}.report.json"), out.with_name(f"{out.name}.report.png")


def write_report(
    out: Path,
    history: History,
    steps: int,
    provenance: Mapping[str, object],
    title: str,
    say: Callable[[str], None],
) -> None:
    """Write both files; the curves only where matplotlib is installed, which draws them.

    Args:
        out: The weights.
        history: The losses of all steps.
        steps: The steps of an epoch.
        provenance: How the weights are made, JSON values.
        title: The heading of the curves.
        say: Receives a sentence where there are no curves.
    """
    document_file, curves_file = report_files(out)
    epochs = history.epochs(steps)
    seconds = [sum(history.seconds[first : first + steps]) for first in range(0, len(history), steps)]
    document = {
        "training": provenance,
        "steps_per_epoch": steps,
        "epochs": [{"losses": losses, "seconds": took} for losses, took in zip(epochs, seconds, strict=True)],
        "steps": [
            {"losses": losses, "seconds": took} for losses, took in zip(history.losses, history.seconds, strict=True)
        ],
    }
    write_text(document_file, json.dumps(document, indent=1) + "\n")
    if find_spec("matplotlib") is None:
        curves_file.unlink(missing_ok=True)  # those of an earlier training
        say(
            f"{printable(curves_file.name)} is not drawn: matplotlib is not installed; run pip install 'oddlens[train]' for curves"
        )
    else:
        _draw(curves_file, history, steps, title)


def _draw(path: Path, history: History, steps: int, title: str) -> None:
    """The loss and its parts: every step thin, the mean of every epoch as a point on a line."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = history.epochs(steps)
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    at_steps = [number / steps for number in range(1, len(history) + 1)]
    at_epochs = [0.5 + number for number in range(len(epochs))]
    for name in ("loss", *epochs[0]):
        of_steps, of_epochs = ([_value(losses, name) for losses in each] for each in (history.losses, epochs))
        whole = name == "loss"
        (line,) = axes.plot(at_epochs, of_epochs, marker="o", markersize=3, linewidth=2.5 if whole else 1.5, label=name)
        axes.plot(at_steps, of_steps, color=line.get_color(), linewidth=0.7, alpha=0.35)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("loss (weighted)")
    axes.set_ylim(bottom=0)
    axes.set_title(printable(title), parse_math=False)  # a data set's name may have a dollar in it
    axes.grid(alpha=0.3)
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _value(losses: Mapping[str, float], name: str) -> float:
    return sum(losses.values()) if name == "loss" else losses[name]
