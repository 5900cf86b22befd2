"""A whole training over frozen features: encode, learn, look on the way, write the weights and the report."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oddlens.errors import printable
from oddlens.methods.weights import write_weights
from oddlens.provenance import MODEL, versions
from oddlens.training.cached_features import CachedFeatures, Storage, collections
from oddlens.training.checkpoint import Checkpoint, History, Losses
from oddlens.training.frozen import Encoder, FrozenFeatures, RecomputedFeatures
from oddlens.training.loop import Schedule, Watcher, train_frozen
from oddlens.training.precision import Precision
from oddlens.training.preview import Preview
from oddlens.training.report import write_report
from oddlens.training.reporting import Reporter, check_out, checkpoint_file, in_words, log_resume_state
from oddlens.training.trainable import Trainable, identity_of

__all__ = ["CacheConfig", "Reporter", "TrainingRun", "check_out", "checkpoint_file", "in_words"]


@dataclass(frozen=True)
class CacheConfig:
    """Where frozen features are kept, and in what numbers."""

    folder: Path
    storage: Storage = "float32"


class TrainingRun:
    """One training of a method. A stopped one goes on when it is made and run again with the same arguments.

    out: the weights to write, .safetensors; beside them lie the checkpoint while it runs, and the report afterwards.
    kept None: features are computed anew in every epoch, which changes nothing but the time. preview: a folder of early views.
    Raises `UsageError` as `check_out` does.
    """

    def __init__(
        self, trainable: Trainable, schedule: Schedule, out: Path, precision: Precision, kept: CacheConfig | None = None,
        preview: Path | None = None, report: bool = True,
    ) -> None:  # fmt: skip
        check_out(out, report=report)
        self.trainable = trainable
        self.schedule = schedule
        self.out = out
        self.kept = kept
        self.preview = preview
        self.report = report
        self._encoder = Encoder(trainable, precision)
        self.checkpoint = Checkpoint(checkpoint_file(out), self._facts())

    def run(self, teller: Reporter | None = None) -> History:
        """Train and write; returns the losses of every step. Raises `OddlensError` where a disk is full or a loss is not finite."""
        started = time.perf_counter()
        teller = teller or Reporter()
        log_resume_state(self.checkpoint, teller)
        features = self._features(teller)
        told = self.provenance()
        preview = None if self.preview is None else Preview(self.preview, self.trainable, self.schedule.sets, told)
        history = train_frozen(self.trainable, self.schedule, features, self.checkpoint, self._watcher(teller, preview))
        told |= {"losses": history.epochs(self.schedule.steps)[-1], "seconds": round(time.perf_counter() - started, 1)}
        if self.report:
            write_report(self.out, history, self.schedule.steps, told)
        write_weights(self.out, self.trainable.tensors(), told)
        self.checkpoint.remove()
        return history

    def provenance(self) -> dict[str, Any]:
        """How the weights are made, as they say it themselves; JSON values."""
        settings, trainable = asdict(self.schedule.settings), self.trainable  # type: ignore[call-overload]
        return {
            **identity_of(trainable).part("method", "recipe", *MODEL, "preprocessing_sha256"),
            "data": [each.told() for each in self.schedule.sets],
            "settings": settings,
            "seed": settings["seed"],
            "features": self._numbers(),
            "device": trainable.backbone.device.type,
            "versions": versions(),
        }

    def _numbers(self) -> dict[str, str]:
        """In what numbers the tower ran, and in what its features were kept; float32 keeps what was computed as it is."""
        return {
            "precision": self._encoder.precision.name,
            "storage": "float32" if self.kept is None else self.kept.storage,
        }

    def _facts(self) -> dict[str, Any]:
        """What the result depends on."""
        told = self.provenance()
        return {
            **{name: told[name] for name in ("method", "recipe", *MODEL, "settings", "features", "device")},
            "pictures": [each.stamp for each in self.schedule.sets],
        }

    def _features(self, teller: Reporter) -> FrozenFeatures:
        if self.kept is None:
            teller.say("features are computed anew in every epoch")
            return RecomputedFeatures(self._encoder)
        settings = self.schedule.settings
        shown = collections(self.schedule.sets, settings.epochs, settings.seed, settings.mosaic)
        features = CachedFeatures(self._encoder, shown, self.kept.folder, self.kept.storage)
        there = "" if features.missing_nbytes else ", and are there"
        teller.say(
            f"features of {features.count} views take {features.nbytes / 1e6:,.0f} MB ({self.kept.storage}) in "
            f"{printable(str(self.kept.folder))}{there}"
        )
        features.check_room()
        for done in features.fill():
            teller.progress("encoding", done, features.count, "")
        return features

    def _watcher(self, teller: Reporter, preview: Preview | None) -> Watcher:
        total, steps, epochs = self.schedule.all_steps, self.schedule.steps, self.schedule.settings.epochs

        def after_step(done: int, losses: Losses) -> None:
            teller.progress("training", done, total, in_words(losses))

        def after_epoch(epoch: int, history: History) -> None:
            seconds = sum(history.seconds[epoch * steps :])
            teller.say(f"epoch {epoch + 1}/{epochs}: {in_words(history.epochs(steps)[epoch])}, {seconds:.1f} s")
            if preview is not None:
                preview.draw(epoch)

        return Watcher(after_step, after_epoch)
