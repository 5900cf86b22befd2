"""What every training shares: reports of its progress, the check of its output file, and its checkpoint file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oddlens.errors import OddlensError, UsageError, printable
from oddlens.io.atomic import check_target
from oddlens.io.paths import exists
from oddlens.methods.weights import read_weights
from oddlens.training.checkpoint import Checkpoint, Losses

SUFFIX = ".safetensors"

TRAINING = "training_sha256"
"""What weights say of the training that made them: `Checkpoint.facts_sha256`."""

_OPTIONS = {
    "pictures": "images", "data": "images", "object_names": "object names", "features": "precision or cache-dtype",
    "model_sha256": "model", "model_fingerprint": "model", "preprocessing_sha256": "model",
}  # fmt: skip
"""Facts that no option is called by."""


@dataclass(frozen=True)
class Reporter:
    """Receives reports: `say` takes a sentence, `progress` takes stage, done, total and a note."""

    say: Callable[[str], None] = lambda _: None
    progress: Callable[[str, int, int, str], None] = lambda *_: None


def checkpoint_file(out: Path) -> Path:
    """The checkpoint file of the training of these weights."""
    return out.with_name(f"{out.name}.checkpoint.pt")


def is_trained(out: Path, checkpoint: Checkpoint, overwrite: bool, reporter: Reporter) -> bool:
    """Whether the weights of this very training are there, so that there is nothing to do. Reports that, or where it begins.

    Args:
        out: The weights to write.
        checkpoint: The checkpoint of the training.
        overwrite: Weights that are there, and a checkpoint of another training, are replaced.
        reporter: Receives a sentence.

    Raises:
        UsageError: There are weights or a checkpoint of another training, and nothing may be replaced.
    """
    where, differences = printable(str(checkpoint.path)), checkpoint.differs()
    if differences and not overwrite:
        raise UsageError(
            f"{where} is of a stopped training with other settings ({_in_short(differences)}): give the same ones to go on, "
            "another --out, or --overwrite to start over"
        )
    there = exists(out) and not overwrite
    if there and (why := _of_another(out, checkpoint)):
        raise UsageError(
            f"{printable(str(out))} is there already, {why}: give another --out, or --overwrite to replace it"
        )
    if differences is None:
        if there:
            reporter.say(f"{printable(str(out))} is of this very training: nothing is left to do")
        return there
    reporter.say(f"{where} is of another training: starting over" if differences else f"going on from {where}")
    return False


def _of_another(out: Path, checkpoint: Checkpoint) -> str:
    """Why weights are not those of the training of a checkpoint; "" where they are."""
    try:
        provenance: Mapping[str, object] = read_weights(out).provenance or {}
    except OddlensError:
        return "and holds no weights of oddlens"
    if provenance.get(TRAINING) == checkpoint.facts_sha256:
        return ""
    if others := checkpoint.differing_from(provenance):
        return f"trained otherwise ({_in_short(others)})"
    if TRAINING in provenance:
        return "trained otherwise (images or object names)"
    return "trained by an earlier version, which does not say on exactly which images"


def _in_short(facts: Sequence[str]) -> str:
    """Names of facts as the options call them; of another method nothing else counts."""
    if "method" in facts:
        return "method"
    words = (name.removeprefix("settings ").removeprefix("recipe ") for name in facts)
    return ", ".join(dict.fromkeys(_OPTIONS.get(word, word) for word in words))


def check_out(out: Path) -> None:
    """Raise UsageError for a file that cannot be written, which would otherwise show only after the training."""
    if out.suffix != SUFFIX:
        raise UsageError(f"{printable(str(out))} cannot hold trained weights: give a name that ends in {SUFFIX}")
    check_target(out)


def in_words(losses: Losses) -> str:
    """The loss and its parts."""
    parts = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
    return f"loss {sum(losses.values()):.4f} ({parts})"
