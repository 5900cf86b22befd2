"""A run of a detector over many pictures: results as they come, what is drawn of them, and going on after a stop."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.encoding import BATCH_SIZE
from oddlens.errors import DiskError, Failure, ImageError, OddlensError, UsageError, printable
from oddlens.inference.results import Record, ResultsFolder, unfiled
from oddlens.inference.smoothing import Smoothing
from oddlens.io.atomic import replacing
from oddlens.io.images import Picture, read_image
from oddlens.io.video import VideoFrame
from oddlens.visualization.label_image import draw_labels

FORMAT = 2
"""Goes up whenever the lines of an earlier program would mean something else."""

Item = Path | VideoFrame | Failure
"""What a run looks at; a failure stands where no picture was found."""

_KEPT_PIXELS = 6_000_000  # a larger picture is read once more where it is drawn on


@dataclass(frozen=True)
class Task:
    """What is looked at, and the name of the object on it. passed_over: what was not taken, see `finding.Found`."""

    object_name: str
    items: tuple[Item, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)


class DetectionRun:
    """Iterating runs it: yields one record a picture, in order; where it goes on, the earlier ones among them.

    out None: nothing is written. Pictures run in fixed groups of `BATCH_SIZE`, the same ones on a resumed run, so that a run that
    was stopped ends with the same numbers as an undisturbed one. smoothing: of the frames of videos; it goes on from the maps in
    `out`. Raises `UsageError` where `out` holds results of other settings, for a detector whose scores are those of a set, and for
    smoothing without maps to go on from. Where the disk takes no more, iterating ends in a `DiskError`.
    """

    def __init__(
        self,
        detector: Detector,
        task: Task,
        out: ResultsFolder | None = None,
        *,
        overlays: bool = True,
        maps: bool = True,
        labels: bool = True,
        smoothing: Smoothing | None = None,
    ) -> None:
        self._detector = detector
        self._task = task
        self._out = out
        self._overlays, self._maps, self._labels = overlays, maps, labels
        self._smoothing = smoothing
        if detector.scores_sets:
            raise UsageError(
                f"with this recipe {detector.name} scores a whole set of pictures at once, and a run tells of each as it comes: "
                "take the method's own recipe, or measure with 'oddlens benchmark'"
            )
        if smoothing is not None and out is not None and not maps:
            raise UsageError("smoothing goes on from the maps of a stopped run: let them be written")
        if out is not None:
            out.check(self.settings)

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self._task.items)

    def __iter__(self) -> Iterator[Record]:
        """Run; see the class. Iterating once more gives the same records; with `out` none is computed again."""
        items, out = self._task.items, self._out
        smoothing = None if self._smoothing is None else Smoothing(self._smoothing.share)
        names: dict[str, str] = {}
        if out is not None:
            pictures = {item: _key(out, item) for item in items if not isinstance(item, Failure)}
            names = {str(item): name for item, name in out.names(pictures).items()}
        try:
            for first in range(0, len(items), BATCH_SIZE):
                yield from self._group(items[first : first + BATCH_SIZE], names, smoothing)
            if out is not None:
                out.finish([(_key(out, item), unfiled(str(item))) for item in items], self.settings)
        finally:
            if out is not None:
                out.close()

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What the run is: under "run" what its numbers depend on, under "machine" where it ran and what its files were called."""
        identity = self._detector.identity
        run = {
            "format": FORMAT,
            **identity.to_dict(),
            "object": self._task.object_name,
            "overlays": self._overlays,
            "maps": self._maps,
            "labels": self._labels,
            "smoothing": self._smoothing and {"share": self._smoothing.share, "every": self._steps()},
        }
        told = {"run": run, "machine": dict(identity.machine), "passed_over": dict(self._task.passed_over)}
        plain: dict[str, Any] = json.loads(json.dumps(told))  # as it is read back from disk
        return plain

    def _steps(self) -> list[int]:
        """How far apart the frames of videos lie."""
        return sorted({item.video.every for item in self._task.items if isinstance(item, VideoFrame)})

    def _group(self, items: Sequence[Item], names: Mapping[str, str], smoothing: Smoothing | None) -> Iterator[Record]:
        """The records of pictures that run together; nothing runs where all of them are done."""
        out = self._out
        files = [None if out is None else _file(out, item) for item in items]
        done = [None if out is None else out.known(file) for file in files]
        if out is not None and done[-1] is not None and all(done):
            self._go_on_from(out, items[-1], done[-1], smoothing)
            yield from (record for record in done if record is not None)
            return
        keep = out is not None and self._overlays
        looks = [_Look(item, self._detector.max_megapixels, keep=keep) for item in items]
        started = time.perf_counter()
        outcomes = list(self._detector.detect_each(looks, self._task.object_name, BATCH_SIZE))
        found = sum(isinstance(outcome, Detection) for outcome in outcomes)
        ms = 1000 * (time.perf_counter() - started) / max(1, found)
        if out is not None:  # only now: a run that cannot even start leaves the earlier one as it is
            out.begin(self.settings)
        for look, file, record, outcome in zip(looks, files, done, outcomes, strict=True):
            if isinstance(outcome, Detection) and smoothing is not None and isinstance(look.item, VideoFrame):
                outcome = smoothing(look.item.video, outcome)
            if record is None:
                record = self._record(look, outcome, ms, names)
                if out is not None:
                    record = out.append(record, file)
            look.kept = None
            yield record

    def _go_on_from(self, out: ResultsFolder, item: Item, record: Record, smoothing: Smoothing | None) -> None:
        """Tell the smoothing what an earlier run found last."""
        if smoothing is None or not isinstance(item, VideoFrame):
            return
        place = out.root / record["map"]
        try:
            with Image.open(place) as image:
                anomaly_map = np.asarray(image, np.float32)
        except OSError as error:
            raise UsageError(
                f"{printable(str(place))}, from which smoothing would go on, is missing or damaged: "
                "add --overwrite to begin anew, or give another --out"
            ) from error
        smoothing.go_on_from(item.video, anomaly_map, record["score"])

    def _record(self, look: _Look, outcome: Detection | Failure, ms: float, names: Mapping[str, str]) -> Record:
        path = str(look)
        if isinstance(outcome, Failure):
            return {"path": path, "error": outcome.reason}
        record = outcome.to_dict() | {"path": path, "ms": round(ms, 1)}
        if self._out is not None:
            try:
                record |= self._draw(self._out, names[path], look, outcome)
            except DiskError as error:
                raise DiskError(f"{error}, then go on with --resume") from error
            except OddlensError as error:
                return {"path": path, "error": str(error)}
        return record

    def _draw(self, out: ResultsFolder, name: str, look: _Look, detection: Detection) -> Record:
        """Write overlay, map and labels; their places, relative to the folder."""
        written: Record = {}
        if self._overlays:
            overlay = detection.overlay((look.kept or look.read()).pixels)
            written["overlay"] = _save(overlay, out.root, out.overlays / f"{name}.png", compress_level=1)
        if self._maps:
            written["map"] = _save(Image.fromarray(detection.anomaly_map), out.root, out.maps / f"{name}.tiff")
        if self._labels and detection.labels is not None:
            labels = draw_labels(detection.labels, detection.image_size)
            written["labels"] = _save(labels, out.root, out.labels / f"{name}.png")
        return written


class _Look:
    """An item as the detector reads it. keep: `kept` has the picture then, for drawing on it, unless it is a large file."""

    def __init__(self, item: Item, max_megapixels: float | None, *, keep: bool) -> None:
        self.item = item
        self.kept: Picture | None = None
        self._max_megapixels = max_megapixels
        self._keep = keep

    def __fspath__(self) -> str:
        """What it is called."""
        return str(self.item)

    __str__ = __fspath__

    def read(self) -> Picture:
        """The picture. Raises `ImageError` where there is none."""
        if isinstance(self.item, Failure):
            raise ImageError(self.item.reason)
        if isinstance(self.item, VideoFrame):
            picture = self.item.read()
            keep = True  # a video goes forwards: one step back is all the way again
        else:
            picture = read_image(self.item, max_megapixels=self._max_megapixels)
            width, height = picture.size
            keep = width * height <= _KEPT_PIXELS
        if self._keep and keep:
            self.kept = picture
        return picture


def _key(out: ResultsFolder, item: Item) -> str:
    if isinstance(item, VideoFrame):
        return out.key_of(item.video.path, item.number)
    return unfiled(item.source) if isinstance(item, Failure) else out.key_of(item)


def _file(out: ResultsFolder, item: Item) -> Record | None:
    if isinstance(item, VideoFrame):
        return out.file_of(item.video.path, item.number)
    return None if isinstance(item, Failure) else out.file_of(item)


def _save(image: Image.Image, root: Path, path: Path, **options: Any) -> str:
    """Write a drawing; its place relative to the root."""
    with replacing(path) as temporary:
        image.save(temporary, **options)
    return path.relative_to(root).as_posix()
