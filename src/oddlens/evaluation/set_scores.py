"""Image scores of a whole test set at once, as APRIL-GAN's released code reports them.

They belong to evaluations alone: such a score says how an image lies among the other test images, and nothing of the image itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from oddlens.errors import UsageError


def transductive_scores(parts: Sequence[Mapping[str, float]]) -> list[float]:
    """The scores of a test set, (p + (m - low) / (high - low)) / 2.

    Args:
        parts: Of every image "text", p, the probability that it is abnormal, and "peak", m, the highest value of its map.
            low and high are the least and largest m of the set; where all m are equal, p / 2 is left.

    Raises:
        UsageError: There are fewer than two images.
    """
    if len(parts) < 2:
        raise UsageError(
            f"this recipe scores images relative to each other, and there is {len(parts)}: give two or more"
        )
    text, peak = (np.array([each[name] for each in parts]) for name in ("text", "peak"))
    low, high = peak.min(), peak.max()
    scaled = (peak - low) / max(high - low, np.finfo(peak.dtype).tiny)
    scores: list[float] = ((text + scaled) / 2).tolist()
    return scores
