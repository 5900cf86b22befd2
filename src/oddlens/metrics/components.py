"""The component metrics of SegmentMeIfYouCan: how many odd objects are found, and how much of what is found is one.

Source: Chan et al., NeurIPS 2021 (arXiv 2104.14812), with the order of steps of the authors' toolkit. What the toolkit leaves
undefined is defined here: nothing found, nothing to find.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum, isnan, nan
from typing import NamedTuple, Self

import cv2
import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError, choices
from oddlens.metrics.inputs import BoolArray, Images, LabelledMap, labelled_maps
from oddlens.metrics.pixel import rank_pixels

Labels = npt.NDArray[np.int32]
Shares = npt.NDArray[np.float64]


class ComponentSizes(NamedTuple):
    """The areas, in pixels, from which components count.

    found: a smaller one of the prediction is deleted. true: the pixels of a smaller one of the mask are left out.
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

    siou        mean overlap of the true components with what is found of them (sIoU); nan without true components
    ppv         mean share of the found components that is true; 0 where nothing is found, nan where nothing is to be found either
    f1          F1 at each of `COMPONENT_LEVELS`; nan where nothing is found and nothing is to be found
    f1_mean     their mean (F1*)
    threshold   the prediction is `score >= threshold`
    n_images, n_true, n_found    images, and the components that count
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
    ignore: Images | None = None,
    sizes: ComponentSizes | str = "anomaly-track",
    threshold: float | None = None,
) -> ComponentMetrics:
    """Measure how the 8-connected components of a prediction and of the masks agree.

    masks, maps, ignore    as for `pixel_metrics`
    sizes                  from which areas components count: one of `COMPONENT_SIZES`, or one's own for small images
    threshold              of the prediction, `score >= threshold`; None: that of the best pixel F1 over all images, as in the
                           toolkit (which writes `>`, but at a threshold taken from bins and not from the scores)

    The steps: ignored pixels are neither true nor found; components; small found ones are deleted, small true ones ignored; what
    is ignored is dropped. Then, of a true component k, with P all of the found components that touch it,

        sIoU(k) = |k and P| / |(k or P) without the other true components|,

    and of a found component j, PPV(j) = |j and truth| / |j|. At a level, a true component is found if its sIoU is at least so
    high, else missed, and a found component is false if its PPV is lower.

    Time O(pixels). Raises UsageError as `pixel_metrics`, and for sizes or a threshold that are none.
    """
    if threshold is None:
        threshold = rank_pixels(masks, maps, ignore).f1_max().threshold
    elif isnan(threshold):
        raise UsageError("The threshold of components must be a number, not NaN.")
    return ComponentAccumulator(threshold, sizes).update(masks, maps, ignore).compute()


class ComponentAccumulator:
    """Collects what the components of images agree in, at a threshold that is known. Memory O(components); picklable.

    Shards merge in any order into exactly the metrics of the whole.
    """

    def __init__(self, threshold: float, sizes: ComponentSizes | str = "anomaly-track") -> None:
        if isinstance(sizes, str) and sizes not in COMPONENT_SIZES:
            raise UsageError(f'"{sizes}" are no sizes of components{choices(sizes, COMPONENT_SIZES)}.')
        self.threshold = threshold
        self.sizes = COMPONENT_SIZES[sizes] if isinstance(sizes, str) else sizes
        self.n_images = 0
        self._overlaps: list[Shares] = []
        self._precisions: list[Shares] = []

    def update(
        self,
        masks: Iterable[npt.ArrayLike],
        maps: Iterable[npt.ArrayLike],
        ignore: Iterable[npt.ArrayLike] | None = None,
    ) -> Self:
        """Add images: input and errors as for `component_metrics`. After an error nothing of the batch is added."""
        found = [_agreement(image, self.threshold, self.sizes) for image in labelled_maps(masks, maps, ignore)]
        self.n_images += len(found)
        self._overlaps += [overlaps for overlaps, _ in found]
        self._precisions += [precisions for _, precisions in found]
        return self

    def merge(self, other: "ComponentAccumulator") -> Self:
        """Add the images of another shard. Raises UsageError if it was made with another threshold or other sizes."""
        if (self.threshold, self.sizes) != (other.threshold, other.sizes):
            raise UsageError("Components merge only if threshold and sizes are the same: start every shard with them.")
        self.n_images += other.n_images
        self._overlaps += other._overlaps
        self._precisions += other._precisions
        return self

    def compute(self) -> ComponentMetrics:
        """Measure all images so far. Raises UsageError if there are none."""
        if not self.n_images:
            raise UsageError("There is no image to measure: update the accumulator with at least one.")
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
    kept = np.ones_like(image.mask) if image.ignored is None else ~image.ignored
    true, small = _components(image.mask & kept, sizes.true)
    found, _ = _components((image.scores >= threshold) & kept, sizes.found)
    kept &= ~small
    n_true, n_found = int(true.max()) + 1, int(found.max()) + 1
    # How many pixels every pair shares; number 0 is outside of all components.
    somewhere = kept & ((true > 0) | (found > 0))
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
