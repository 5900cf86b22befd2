"""What any training has around it: who is told how it goes, the file it writes, and the one beside it where it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from oddlens.errors import UsageError, printable
from oddlens.io.atomic import check_target
from oddlens.training.checkpoint import Checkpoint, Losses
from oddlens.training.report import check_drawing

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Reporter:
    """Who is told: `say` a sentence, and `progress` (stage, done, total, note) of what takes long."""

    say: Callable[[str], None] = lambda _: None
    progress: Callable[[str, int, int, str], None] = lambda *_: None


def checkpoint_file(out: Path) -> Path:
    """Where the training of these weights stands while it runs."""
    return out.with_name(f"{out.name}.checkpoint.pt")


def log_resume_state(checkpoint: Checkpoint, teller: Reporter) -> None:
    """Say whether a training goes on from its checkpoint, or begins anew beside one of another training."""
    where = printable(str(checkpoint.path))
    differences = checkpoint.differs()
    if differences:
        teller.say(f"{where} is of a training with other {', '.join(differences)}: beginning anew")
    elif differences is not None:
        teller.say(f"going on from {where}")


def check_out(out: Path, *, report: bool) -> None:
    """Raises `UsageError` for what would show after the training only: a name that nothing reads, curves that nothing draws."""
    if out.suffix != SUFFIX:
        raise UsageError(f"{printable(str(out))} cannot hold trained weights: give a name that ends in {SUFFIX}")
    check_target(out)
    if report:
        check_drawing()


def in_words(losses: Losses) -> str:
    """The loss and its parts."""
    parts = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
    return f"loss {sum(losses.values()):.4f} ({parts})"
