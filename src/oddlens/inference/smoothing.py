"""Maps and scores of a video's frames as exponential means: what lasts stays, what flickers fades."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oddlens.detection import Detection
from oddlens.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Smoothing:
    """share: how much a frame counts beside all before it, in (0, 1]; 1 changes nothing. Frames come in order.

    The mean of a map is m_t = share * x_t + (1 - share) * m_(t-1), that of a score alike; it begins anew with every video. Labels
    and parts of scores stay each frame's own. Raises `UsageError` for a share out of its range.
    """

    def __init__(self, share: float) -> None:
        if not 0 < share <= 1:
            raise UsageError(f"{share} is no share that a frame can count: give a number above 0 and at most 1")
        self.share = share
        self._before: tuple[object, NDArray[np.float32], float] | None = None

    def __call__(self, video: object, detection: Detection) -> Detection:
        """The detection of the next frame, smoothed."""
        if self._before is not None and self._before[0] is video:
            _, anomaly_map, score = self._before
            detection = replace(
                detection,
                anomaly_map=self.share * detection.anomaly_map + (1 - self.share) * anomaly_map,
                score=self.share * detection.score + (1 - self.share) * score,
            )
        self.go_on_from(video, detection.anomaly_map, detection.score)
        return detection

    def go_on_from(self, video: object, anomaly_map: NDArray[np.float32], score: float) -> None:
        """Take these as the means so far: those of an earlier run."""
        self._before = video, anomaly_map, score
