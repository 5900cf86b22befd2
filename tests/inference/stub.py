"""A predictor without a model: the same map for every image, a score that its pixels give."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from oddlens.detection import Detection, Thresholds, ValueRange
from oddlens.errors import Failure
from oddlens.io.images import Picture
from oddlens.io.inputs import Images, each_input
from oddlens.io.loader import BATCH_SIZE, load_each
from oddlens.provenance import Identity, ModelIdentity


class StubPredictor:
    """A `Predictor`. watch: called with the number of each group before its outcomes are given."""

    def __init__(self, watch: Callable[[int], None] = lambda _: None) -> None:
        self.identity = Identity(method="stub", recipe={}, model=ModelIdentity(name="stub", sha256="", fingerprint=""))
        self.thresholds = Thresholds(0.5, 0.7, "given")
        self.object_name = "part"
        self.max_megapixels: float | None = None
        self._watch = watch

    def detect_each(
        self, images: Images, object_name: str = "part", batch_size: int = BATCH_SIZE
    ) -> Iterator[Detection | Failure]:
        """See `Predictor`."""
        anomaly_map = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
        for number, each in enumerate(load_each(each_input(images), _as_it_is, group=batch_size)):
            if number % batch_size == 0:
                self._watch(number // batch_size)
            if isinstance(each, Failure):
                yield each
            else:
                score = float(each.pixels.mean()) / 255
                yield Detection(
                    score,
                    anomaly_map,
                    each.size,
                    self.thresholds,
                    ValueRange(0.0, 1.0, "fixed range 0 to 1"),
                    each.source,
                )


def _as_it_is(picture: Picture) -> Picture:
    return picture
