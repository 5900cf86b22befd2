"""The component metrics of SegmentMeIfYouCan: how many anomalous objects are found, and how much of what is found is one.

Source: Chan et al., NeurIPS 2021 (arXiv 2104.14812), with the order of steps of the authors' toolkit. This module also defines the
two cases that the toolkit leaves undefined: nothing is found, and there is nothing to find.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum, isnan, nan
from typing import NamedTuple, Self

import cv2
import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError, choices
from oddlens.metrics.inputs import BoolArray, Ignored, Images, LabelledMap, labelled_maps
from oddlens.metrics.pixel import rank_pixels

Labels = npt.NDArray[np.int32]
Shares = npt.NDArray[np.float64]


class ComponentSizes(NamedTuple):
    """The areas, in pixels, from which components count.

    Attributes:
        found: A smaller component of the prediction is deleted.
        true: The pixels of a smaller component of the mask are ignored.
    """

    found: int
    true: int


COMPONENT_SIZES = {"anomaly-track": ComponentSizes(500, 100), "obstacle-track": ComponentSizes(50, 10)}
"""The toolkit's sizes, for frames of about 2 megapixels: RoadAnomaly21; RoadObstacle21 and Lost and Found."""

COMPONENT_LEVELS = tuple(step / 20 for step in range(5, 16))
"""The overlaps at which F1 is taken: 0.25, 0.30, ..., 0.75."""


@dataclass(frozen=True, slots=True)
class ComponentMetrics:
    """Metrics over the components of all images, fractions in [0, 1]; nan is "not defined on this data".

    Attributes:
        siou: Mean overlap of the true components with what is found of them (sIoU); nan without true components.
        ppv: Mean share of the found components that is true; 0 where nothing is found, nan where there is nothing to find either.
        f1_mean: Mean of `f1` (F1*).
        f1: F1 at each of `COMPONENT_LEVELS`; nan where nothing is found and there is nothing to find.
        threshold: The prediction is `score >= threshold`.
        n_images: Images.
        n_true: True components that count.
        n_found: Found components that count.
    """

    siou: float
    ppv: float
    f1_mean: float
    f1: tuple[float, ...]
    threshold: float
    n_images: int
    n_true: int
    n_found: int


def component_metrics(
    masks: Images,
    maps: Images,
    ignore: Ignored | None = None,
    sizes: ComponentSizes | str = "anomaly-track",
    threshold: float | None = None,
) -> ComponentMetrics:
    """Measure how the 8-connected components of a prediction and of the masks agree.

    The steps: ignored pixels are neither true nor found; components are formed; small found components are deleted, small true
    ones are ignored; ignored pixels are dropped. Then, for a true component k, with P all found components that touch it,

        sIoU(k) = |k and P| / |(k or P) without the other true components|,

    and for a found component j, PPV(j) = |j and truth| / |j|. At a level, a true component is found if its sIoU reaches the
    level, else missed, and a found component is false if its PPV is below the level. Time O(pixels).

    Args:
        masks: As for `pixel_metrics`.
        maps: As for `pixel_metrics`.
        ignore: As for `pixel_metrics`.
        sizes: The areas from which components count: one of `COMPONENT_SIZES`, or a pair of your own for small images.
        threshold: The prediction is `score >= threshold`. None takes that of the best pixel F1 over all images, as the toolkit
            does (which writes `>`, but at a threshold taken from bins and not from the scores).

    Raises:
        UsageError: As `pixel_metrics`; for unknown sizes; for a threshold that is NaN.

    Examples:
        One of two true components is found, half of it, and nothing else:

        >>> masks, maps = [[[1, 1, 0, 1]]], [[[0.9, 0.2, 0.1, 0.3]]]
        >>> found = component_metrics(masks, maps, sizes=ComponentSizes(1, 1), threshold=0.5)
        >>> found.siou, found.ppv, found.n_true, found.n_found
        (0.25, 1.0, 2, 1)
    """
    if threshold is None:
        threshold = rank_pixels(masks, maps, ignore).f1_max().threshold
    elif isnan(threshold):
        raise UsageError("the threshold of components must be a number, not NaN")
    return ComponentAccumulator(threshold, sizes).update(masks, maps, ignore).compute()


class ComponentAccumulator:
    """Collects how the components of images agree, at a known threshold. Memory O(components); picklable.

    Shards merge in any order into exactly the metrics of the whole.

    Examples:
        >>> accumulator = ComponentAccumulator(0.5, ComponentSizes(found=1, true=1))
        >>> accumulator.update([[[1, 1, 0, 1]]], [[[0.9, 0.2, 0.1, 0.3]]]).compute().siou
        0.25
    """

    def __init__(self, threshold: float, sizes: ComponentSizes | str = "anomaly-track") -> None:
        if isinstance(sizes, str) and sizes not in COMPONENT_SIZES:
            raise UsageError(f"{sizes!r} are no component sizes{choices(sizes, COMPONENT_SIZES)}")
        self.threshold = threshold
        self.sizes = COMPONENT_SIZES[sizes] if isinstance(sizes, str) else sizes
        self.n_images = 0
        self._overlaps: list[Shares] = []
        self._precisions: list[Shares] = []

    def update(
        self,
        masks: Iterable[npt.ArrayLike],
        maps: Iterable[npt.ArrayLike],
        ignore: Iterable[npt.ArrayLike | None] | None = None,
    ) -> Self:
        """Add images, given as to `component_metrics`. Raises UsageError as that does; the batch is then not added."""
        found = [_agreement(image, self.threshold, self.sizes) for image in labelled_maps(masks, maps, ignore)]
        self.n_images += len(found)
        self._overlaps += [overlaps for overlaps, _ in found]
        self._precisions += [precisions for _, precisions in found]
        return self

    def merge(self, other: "ComponentAccumulator") -> Self:
        """Add the images of another shard. Raises UsageError if it was made with another threshold or other sizes."""
        if (self.threshold, self.sizes) != (other.threshold, other.sizes):
            raise UsageError(
                "components merge only if threshold and sizes are the same: start every shard with the same ones"
            )
        self.n_images += other.n_images
        self._overlaps += other._overlaps
        self._precisions += other._precisions
        return self

    def compute(self) -> ComponentMetrics:
        """Measure all images so far. Raises UsageError if there are none."""
        if not self.n_images:
            raise UsageError("there is no image to measure: update the accumulator with at least one")
        overlaps, precisions = np.concatenate(self._overlaps), np.concatenate(self._precisions)
        f1 = tuple(_f1(overlaps, precisions, level) for level in COMPONENT_LEVELS)
        return ComponentMetrics(
            siou=_mean(overlaps),
            ppv=_mean(precisions) if precisions.size or not overlaps.size else 0.0,
            f1_mean=fsum(f1) / len(f1),
            f1=f1,
            threshold=self.threshold,
            n_images=self.n_images,
            n_true=overlaps.size,
            n_found=precisions.size,
        )


def _f1(overlaps: Shares, precisions: Shares, level: float) -> float:
    if not overlaps.size and not precisions.size:
        return nan
    hits = int(np.count_nonzero(overlaps >= level))
    misses, alarms = overlaps.size - hits, int(np.count_nonzero(precisions < level))
    return 2 * hits / (2 * hits + misses + alarms)


def _mean(values: Shares) -> float:
    return fsum(values) / values.size if values.size else nan  # fsum: the same in any order


def _agreement(image: LabelledMap, threshold: float, sizes: ComponentSizes) -> tuple[Shares, Shares]:
    """The sIoU of every true component of an image, and the PPV of every found one."""
    counted = image.counted
    true, small = _components(image.mask & counted, sizes.true)
    found, _ = _components((image.scores >= threshold) & counted, sizes.found)
    counted &= ~small
    n_true, n_found = int(true.max()) + 1, int(found.max()) + 1
    # How many pixels every pair shares; number 0 is outside of all components.
    somewhere = counted & ((true > 0) | (found > 0))
    codes, counts = np.unique(true[somewhere].astype(np.int64) * n_found + found[somewhere], return_counts=True)
    of_true, of_found = np.divmod(codes, n_found)
    areas = counts.astype(np.float64)
    shared = (of_true > 0) & (of_found > 0)
    shared_areas = np.where(shared, areas, 0)
    # Beside the true components a found one covers so much, and this is all that it adds to the union with any of them.
    beside = np.bincount(of_found, np.where(of_true == 0, areas, 0), n_found)
    union = np.bincount(of_true, areas + np.where(shared, beside[of_found], 0), n_true)[1:]
    found_areas = np.bincount(of_found, areas, n_found)[1:]
    left = found_areas > 0
    overlaps = np.bincount(of_true, shared_areas, n_true)[1:] / union
    return overlaps, np.bincount(of_found, shared_areas, n_found)[1:][left] / found_areas[left]


def _components(mask: BoolArray, smallest: int) -> tuple[Labels, BoolArray]:
    """The components of at least a size, numbered from 1, int32 [h, w], and the pixels of all smaller ones, bool [h, w]."""
    n, labels = cv2.connectedComponents(np.ascontiguousarray(mask).view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    large = np.bincount(labels.ravel(), minlength=n) >= smallest
    large[0] = False
    numbers = np.where(large, np.cumsum(large), 0).astype(np.int32)
    return numbers[labels], mask & ~large[labels]
