"""The interface of a detector for the rooms above: runs, services and evaluations need nothing else."""

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
        """What its detections depend on. It may be computed at the first use."""

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds that were given, beside those that are calibrated."""

    @property
    def object_name(self) -> str:
        """The object on the images, by default."""

    @property
    def max_megapixels(self) -> float | None:
        """Larger images are refused; None: the environment's limit, see `oddlens.io.images.checked_limit`."""

    def detect_each(
        self, images: Images, object_name: str = "part", batch_size: int = BATCH_SIZE
    ) -> Iterator[Detection | Failure]:
        """One outcome an image, in order, as they come. Images run in groups of `batch_size` consecutive ones.

        The detection of an image must not depend on the groups before it: a stopped run continues with a whole group.
        """
