"""The defects of a mask: its connected regions, and the positive pixels that belong to them."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from oddlens.metrics.inputs import FloatArray, LabelledMap

SizeArray = npt.NDArray[np.int32]


class RegionPixels(NamedTuple):
    """The positive pixels of images: their scores [p] and the pixel count of the region each belongs to, int32 [p]."""

    scores: FloatArray
    region_sizes: SizeArray
    n_regions: int


def region_pixels(image: LabelledMap) -> RegionPixels:
    """Find the positive pixels of an image and its regions, the 8-connected components of the whole mask.

    Ignored pixels are left out afterwards: a region partly ignored stays one region (even if cut in two) whose size
    is what is left of it, and one wholly ignored does not count. Time O(h w), memory O(area of the box around all
    defects).
    """
    mask = np.ascontiguousarray(image.mask).view(np.uint8)
    x, y, width, height = cv2.boundingRect(mask)
    box = np.s_[y : y + height, x : x + width]
    if not width:
        return RegionPixels(image.scores[box].ravel(), np.empty(0, np.int32), 0)
    _, labels = cv2.connectedComponents(mask[box], connectivity=8, ltype=cv2.CV_32S)
    positive = image.mask[box] if image.ignored is None else image.mask[box] & ~image.ignored[box]
    of_pixel = labels[positive]
    sizes = np.bincount(of_pixel).astype(np.int32)
    return RegionPixels(image.scores[box][positive], sizes[of_pixel], int(np.count_nonzero(sizes)))
