"""A whole training over frozen features: encode, train, draw previews, write the weights and the report."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from oddlens.errors import printable
from oddlens.methods.weights import write_weights
from oddlens.provenance import MODEL, versions
from oddlens.training.cached_features import CachedFeatures, Storage, collections
from oddlens.training.checkpoint import Checkpoint, History, Losses
from oddlens.training.frozen import Encoder, FrozenFeatures, RecomputedFeatures
from oddlens.training.loop import Callbacks, Schedule, train_frozen
from oddlens.training.precision import Precision
from oddlens.training.preview import Preview
from oddlens.training.processes import ALONE, Processes
from oddlens.training.report import write_report
from oddlens.training.reporting import TRAINING, Reporter, check_out, checkpoint_file, in_words, is_trained
from oddlens.training.trainable import Trainable, identity_of

__all__ = ["CacheConfig", "Reporter", "TrainingRun", "check_out", "checkpoint_file", "in_words"]


@dataclass(frozen=True)
class CacheConfig:
    """The cache of frozen features: its folder, and the type of its numbers."""

    folder: Path
    storage: Storage = "float32"


class TrainingRun:
    """One training of a method. A stopped training continues when it is made and run again with the same arguments.

    Args:
        trainable: The method.
        schedule: The images of every step.
        out: The weights to write, .safetensors; beside them lie the checkpoint during the training, and the report afterwards.
        precision: The numbers that the tower computes in.
        cache: The cache of features; None computes them anew in every epoch, which changes nothing but the time.
        preview: A folder for images of what the method finds after each epoch.
        report: Whether to write the report.
        processes: They share the work. The first of them reports, draws and writes.
        overwrite: Weights that are there, and a checkpoint of another training, are replaced.

    Raises:
        UsageError: As `check_out`.
    """

    def __init__(
        self, trainable: Trainable, schedule: Schedule, out: Path, precision: Precision, cache: CacheConfig | None = None,
        preview: Path | None = None, report: bool = True, processes: Processes = ALONE,
        overwrite: bool = False,
    ) -> None:  # fmt: skip
        check_out(out)
        self.trainable = trainable
        self.schedule = schedule
        self.out = out
        self.cache = cache
        self.preview = preview
        self.report = report
        self.processes = processes
        self.overwrite = overwrite
        self._encoder = Encoder(trainable, precision)
        self.checkpoint = Checkpoint(checkpoint_file(out), self._facts(), processes=processes)

    def run(self, reporter: Reporter | None = None) -> History:
        """Train and write.

        Returns:
            The losses of every step; none where the weights of this very training are there already.

        Raises:
            UsageError: As `is_trained`.
            OddlensError: A disk is full, or a loss is not finite.
        """
        started = time.perf_counter()
        first = self.processes.first
        reporter = reporter if reporter is not None and first else Reporter()
        if self.processes.from_first(lambda: is_trained(self.out, self.checkpoint, self.overwrite, reporter)):
            return History()
        features = self._features(reporter)
        provenance: dict[str, object] = {}
        if first:  # which writes the weights
            self._hash_images(reporter)
            provenance = self.provenance()
        preview = (
            Preview(self.preview, self.trainable, self.schedule.sets, provenance)
            if self.preview is not None and first
            else None
        )
        callbacks = self._callbacks(reporter, preview)
        history = train_frozen(self.trainable, self.schedule, features, self.checkpoint, callbacks, self.processes)
        if not first:
            return history
        provenance |= {
            TRAINING: self.checkpoint.facts_sha256,
            "losses": history.epochs(self.schedule.steps)[-1],
            "seconds": round(time.perf_counter() - started, 1),
        }
        write_weights(self.out, self.trainable.tensors(), provenance)
        if self.report:
            title = f"{self.trainable.name} on {', '.join(each.name for each in self.schedule.sets)}"
            write_report(self.out, history, self.schedule.steps, provenance, title, reporter.say)
        self.checkpoint.remove()
        return history

    def provenance(self) -> dict[str, object]:
        """How the weights are made, JSON values; the weights file carries them. All images are read, for their hashes."""
        return self._provenance([each.metadata() for each in self.schedule.sets])

    def _provenance(self, data: list[dict[str, object]]) -> dict[str, object]:
        settings, trainable = asdict(self.schedule.settings), self.trainable
        return {
            **identity_of(trainable).part("method", "recipe", *MODEL, "preprocessing_sha256"),
            "data": data,
            "settings": settings,
            "seed": settings["seed"],
            "features": self._numbers(),
            "device": trainable.backbone.device.type,
            "versions": versions(),
        }

    def _hash_images(self, reporter: Reporter) -> None:
        """Read the images for what `provenance` says of them, with reports."""
        done, total = count(1), sum(len(each.images) for each in self.schedule.sets)
        for each in self.schedule.sets:
            each.images.sha256(lambda _: reporter.progress("hashing images", next(done), total, ""))

    def _numbers(self) -> dict[str, str]:
        """The numbers that the tower computes in, and those that its features are stored in; float32 stores them unchanged."""
        return {
            "precision": self._encoder.precision.name,
            "storage": "float32" if self.cache is None else self.cache.storage,
        }

    def _facts(self) -> dict[str, object]:
        """What the result depends on. The images by their `stamp`, so that none is read where there is nothing to do."""
        provenance = self._provenance([])
        return {
            **{name: provenance[name] for name in ("method", "recipe", *MODEL, "settings", "features", "device")},
            "pictures": [each.stamp for each in self.schedule.sets],
            "object_names": [each.object_names for each in self.schedule.sets],
        }

    def _features(self, reporter: Reporter) -> FrozenFeatures:
        if self.cache is None:
            reporter.say("features are computed anew in every epoch")
            return RecomputedFeatures(self._encoder)
        settings = self.schedule.settings
        shown = collections(self.schedule.sets, settings.epochs, settings.seed, settings.mosaic)
        features = CachedFeatures(self._encoder, shown, self.cache.folder, self.cache.storage, self.processes)
        there = "" if features.missing_nbytes else ", all cached"
        reporter.say(
            f"features of {features.count} images take {features.nbytes / 1e6:,.0f} MB ({self.cache.storage}) in "
            f"{printable(str(self.cache.folder))}{there}"
        )
        features.check_room()
        for done in features.fill():
            reporter.progress("encoding", done, features.count, "")
        return features

    def _callbacks(self, reporter: Reporter, preview: Preview | None) -> Callbacks:
        total, steps, epochs = self.schedule.all_steps, self.schedule.steps, self.schedule.settings.epochs

        def after_step(done: int, losses: Losses) -> None:
            reporter.progress("training", done, total, in_words(losses))

        def after_epoch(epoch: int, history: History) -> None:
            seconds = sum(history.seconds[epoch * steps :])
            reporter.say(f"epoch {epoch + 1}/{epochs}: {in_words(history.epochs(steps)[epoch])}, {seconds:.1f} s")
            if preview is not None:
                preview.draw(epoch)

        return Callbacks(after_step, after_epoch)
