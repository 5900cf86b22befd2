"""What every training shares: reports of its progress, the check of its output file, and its checkpoint file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from oddlens.errors import UsageError, printable
from oddlens.io.atomic import check_target
from oddlens.training.checkpoint import Checkpoint, Losses

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Reporter:
    """Receives reports: `say` takes a sentence, `progress` takes stage, done, total and a note."""

    say: Callable[[str], None] = lambda _: None
    progress: Callable[[str, int, int, str], None] = lambda *_: None


def checkpoint_file(out: Path) -> Path:
    """The checkpoint file of the training of these weights."""
    return out.with_name(f"{out.name}.checkpoint.pt")


def log_resume_state(checkpoint: Checkpoint, reporter: Reporter) -> None:
    """Report whether a training continues from its checkpoint, or starts over because the checkpoint is of another training."""
    where = printable(str(checkpoint.path))
    differences = checkpoint.differs()
    if differences:
        reporter.say(f"{where} is of a training with other {', '.join(differences)}: starting over")
    elif differences is not None:
        reporter.say(f"going on from {where}")


def check_out(out: Path) -> None:
    """Raise UsageError for a file that cannot be written, which would otherwise show only after the training."""
    if out.suffix != SUFFIX:
        raise UsageError(f"{printable(str(out))} cannot hold trained weights: give a name that ends in {SUFFIX}")
    check_target(out)


def in_words(losses: Losses) -> str:
    """The loss and its parts."""
    parts = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
    return f"loss {sum(losses.values()):.4f} ({parts})"
