"""A station watches its line: it learns from a random sample of what it sees, and notices a drift."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from oddlens.calibration import (
    LEAST_KNOWN,
    Calibration,
    DriftMonitor,
    Exchangeability,
    Observation,
    Scene,
    compare,
    look_at,
    summary,
)
from oddlens.errors import as_argument
from oddlens.inference.records import Record
from oddlens.inference.sinks import Sink
from oddlens.io.images import Picture
from oddlens.io.pixels import Pixels
from oddlens.station.comparison import keep_comparison
from oddlens.station.learning import ENOUGH, LEAST_COMPARED, LearningSample, sample_scored_by

if TYPE_CHECKING:
    from oddlens.detection import Detection
    from oddlens.detector import Detector

MOST_COMPARED = 200
"""Images of a run that are compared: the first that are OK."""


class LearningSink(Sink):
    """Keeps a random sample of the images of a run, whatever their verdict, for a station that is learning.

    None of them is a good example of the station: one that is compared with itself scores lower than any of the line.
    """

    needs_image = True

    def __init__(
        self, sample: LearningSample, calibration: Calibration | None, scene: Scene, references: Iterable[str] = ()
    ) -> None:
        """references: the digests of the good examples."""
        self.sample, self._references = sample, frozenset(references)
        self._calibration, self._scene = calibration, scene
        self._waiting: dict[int, Observation] = {}

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """See `Sink`."""
        if detection.embedding is None or detection.is_unseen:  # whose score is none to calibrate on
            return {}
        picture = Picture(pixels(), detection.source)
        if (digest := picture.digest()) not in self._references and self.sample.wants(digest):
            score, peak, usual = summary(detection.source, detection.score, detection.anomaly_map, "image")
            self._waiting[number] = Observation(
                source=detection.source,
                digest=digest,
                size=detection.image_size,
                score=score,
                peak=peak,
                usual=usual,
                embedding=detection.embedding,
                look=look_at(picture.pixels),
            )
        return {}

    def kept(self, number: int) -> object:
        """See `Sink`."""
        return self._waiting.pop(number, None)

    def keep(self, number: int, kept: object) -> None:
        """See `Sink`."""
        assert isinstance(kept, Observation)
        self._waiting[number] = kept

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        if (image := self._waiting.pop(number, None)) is not None:
            self.sample.add(image)
        return record

    def compared(self) -> Exchangeability | None:
        """Whether the references stand for the line, by the sample; None while it is too small, or nothing is known of them."""
        known = self._calibration
        if known is None or known.kind != "leave-one-out" or len(self.sample) < LEAST_COMPARED:
            return None
        images = self.sample.read()
        embeddings = self._scene.references, images.embeddings
        found = compare((known.scores, images.scores), embeddings, rank=known.rank)
        return keep_comparison(self.sample.station, known, found)

    def sentence(self, station: str) -> str:
        """How far the station has come."""
        count = len(self.sample)
        then = f"look at them and calibrate on them: oddlens calibrate {as_argument(station)} --from-learning"
        if count < ENOUGH:
            return f"the station is learning: it keeps a random sample of its line, {count} of {ENOUGH} images so far; then {then}"
        return f"the station has seen enough of its line, and keeps a random sample of {count} images: {then}"


class LineSink(Sink):
    """Watches the images that are called OK: whether their scores change, and whether the calibration images stand for them.

    Images that the station knows are not compared: that calibration images are like themselves says nothing of the line.

    Attributes:
        monitor: Has seen all of them, in their order.
    """

    def __init__(
        self,
        calibration: Calibration,
        scene: Scene | None,
        station: str | os.PathLike[str] | None = None,
        references: Iterable[str] = (),
    ) -> None:
        """station: where a comparison is kept; None: nowhere. references: the digests of the good examples."""
        self._calibration, self._station = calibration, station
        # Leave-one-out scores are higher by their making.
        below = list(calibration.below)
        self._known = [calibration.scores[number] for number in below] if calibration.kind == "split" else []
        is_whole = scene is not None and len(scene.calibrated) == len(calibration)
        self._embeddings = scene.calibrated[below] if scene is not None and is_whole and self._known else None
        self.monitor = DriftMonitor(self._known)
        self._digests = frozenset() if self._embeddings is None else frozenset([*calibration.digests, *references])
        self.needs_image = bool(self._digests)
        self._waiting: dict[int, NDArray[np.float32]] = {}
        self._ok: list[tuple[float, NDArray[np.float32]]] = []

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """See `Sink`."""
        if self._embeddings is None or detection.embedding is None or len(self._ok) >= MOST_COMPARED:
            return {}
        if not self._digests or Picture(pixels(), detection.source).digest() not in self._digests:
            self._waiting[number] = detection.embedding
        return {}

    def kept(self, number: int) -> object:
        """See `Sink`."""
        return self._waiting.pop(number, None)

    def keep(self, number: int, kept: object) -> None:
        """See `Sink`."""
        assert isinstance(kept, np.ndarray)
        self._waiting[number] = kept

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        embedding = self._waiting.pop(number, None)
        if record.get("verdict") == "ok" and np.isfinite(record["score"]):
            self.monitor.add(record["score"])
            if embedding is not None and len(self._ok) < MOST_COMPARED:
                self._ok.append((record["score"], embedding))
        return record

    @property
    def ok_count(self) -> int:
        """How many images can be compared, of those that are OK."""
        return len(self._ok)

    def compared(self) -> Exchangeability | None:
        """Whether the calibration images stand for those of this run; None where too few can be compared."""
        if self._embeddings is None or len(self._known) < LEAST_KNOWN or len(self._ok) < LEAST_COMPARED:
            return None
        scores, embeddings = zip(*self._ok, strict=True)
        found = replace(compare((self._known, scores), (self._embeddings, np.stack(embeddings))), groups="ok")
        return found if self._station is None else keep_comparison(self._station, self._calibration, found)


def sinks_of(
    detector: Detector, station: str | os.PathLike[str], object_name: str
) -> tuple[LearningSink | None, LineSink | None]:
    """What watches the line of a station: the sample it learns from, while it learns or nothing is calibrated; its scores, where
    they are calibrated.
    """
    calibration = detector.calibration(object_name)
    references = () if detector.references is None else detector.references.digests
    watch = None if calibration is None else LineSink(calibration, detector.scene, station, references)
    if calibration is None and detector.state is None and detector.recipe.is_independent:  # nothing was ever calibrated
        detector.scene = detector.scene or Scene.of(
            None, None
        )  # images get embeddings; it says of none that it is unlike
    elif detector.state is None or detector.state.stage != "learning" or detector.scene is None:
        return None, watch
    sample = sample_scored_by(station, detector.identity, object_name)
    return LearningSink(sample, calibration, detector.scene, references), watch
