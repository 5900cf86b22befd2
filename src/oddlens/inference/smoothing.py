"""Exponential means of the anomaly maps and scores of a video's frames: a lasting defect stays, flicker fades."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oddlens.detection import Detection
from oddlens.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Smoothing:
    """Smooths the detections of frames, which come in order.

    The mean of a map is m_t = share * x_t + (1 - share) * m_(t-1), and likewise of a score; every video starts its own. Labels and
    parts of scores stay each frame's own.

    Args:
        share: The weight of a frame beside all before it, in (0, 1]; 1 changes nothing.

    Raises:
        UsageError: The share is out of its range.
    """

    def __init__(self, share: float) -> None:
        if not 0 < share <= 1:
            raise UsageError(f"{share} is no weight of a frame: give a number above 0 and at most 1")
        self.share = share
        self._before: tuple[object, NDArray[np.float32], float] | None = None

    def __call__(self, video: object, detection: Detection) -> Detection:
        """The detection of the next frame, smoothed; one that `is_unseen` stays as it is, and no mean counts it."""
        if detection.is_unseen:
            return detection
        if self._before is not None and self._before[0] is video:
            _, anomaly_map, score = self._before
            detection = replace(
                detection,
                anomaly_map=self.share * detection.anomaly_map + (1 - self.share) * anomaly_map,
                score=self.share * detection.score + (1 - self.share) * score,
                p_value=None,  # which is one of a frame's own score
            )
        self.go_on_from(video, detection.anomaly_map, detection.score)
        return detection

    def go_on_from(self, video: object, anomaly_map: NDArray[np.float32], score: float) -> None:
        """Set the means so far to those of an earlier run."""
        self._before = video, anomaly_map, score
