"""What the rooms above know of a detector: runs, services and evaluations take whatever can do this."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from oddlens.io.loader import BATCH_SIZE

if TYPE_CHECKING:
    from oddlens.detection import Detection, Thresholds
    from oddlens.errors import Failure
    from oddlens.io.inputs import Images
    from oddlens.provenance import Identity


class Predictor(Protocol):
    """Images in, detections out. `oddlens.Detector` is one; nothing here needs torch."""

    @property
    def identity(self) -> Identity:
        """What its detections depend on. It may be computed when it is first asked for."""

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds that were given, beside those that are calibrated."""

    @property
    def object_name(self) -> str:
        """What is on the images where nobody says otherwise."""

    @property
    def max_megapixels(self) -> float | None:
        """Larger images are refused; None: the environment's limit, see `oddlens.io.images.checked_limit`."""

    def detect_each(
        self, images: Images, object_name: str = "part", batch_size: int = BATCH_SIZE
    ) -> Iterator[Detection | Failure]:
        """One outcome an image, in order, as they come. Images run in groups of `batch_size` consecutive ones.

        What is found of an image must not depend on the groups before it: a run that was stopped goes on with a whole group.
        """
