"""What the metrics accept, checked once: labels and scores of images, masks and maps of pixels.

Scores are taken as they are and never re-interpreted: float32 and float64 stay what they are; float16, booleans and
integers are widened to the smaller of the two that holds them (integers beyond 2**53 lose digits in float64).
Infinite scores are legal: they rank first or last. NaN has no rank and is an error.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.floating]
Images = Sequence[npt.ArrayLike] | npt.NDArray[np.generic]
"""One [h, w] array an image, of any sizes, or one [n, h, w] array."""
Ignored = Images | Sequence[npt.ArrayLike | None]
"""Pixels to leave out, as `Images`; None for an image of which all count."""

_MISSING, _ALL_COUNT = np.empty(0), np.empty(0)


class LabelledMap(NamedTuple):
    """One image.

    Attributes:
        mask: Bool [h, w], True = anomalous.
        scores: The anomaly map, float32 or float64 [h, w].
        ignored: The pixels to leave out, bool [h, w]; None leaves out none.
    """

    mask: BoolArray
    scores: FloatArray
    ignored: BoolArray | None

    @property
    def counted(self) -> BoolArray:
        """The pixels that are not left out, a new bool [h, w]."""
        return np.ones_like(self.mask) if self.ignored is None else ~self.ignored

    @property
    def n_counted(self) -> int:
        """The number of pixels that are not left out."""
        return self.mask.size - (0 if self.ignored is None else int(np.count_nonzero(self.ignored)))


def binary_array(values: npt.ArrayLike, what: str) -> BoolArray:
    """Give `values` (booleans, or numbers all 0 or 1) as booleans of the same shape; `what` names them in errors."""
    array = np.asarray(values)
    if array.dtype == np.bool_:
        return array
    ones = np.asarray(array == 1)
    if not np.all(ones | (array == 0)):
        raise UsageError(
            f"{what} must hold only 0 and 1 (or booleans): binarise first, for example with `mask > 0`; values that mark pixels "
            "which do not count, as 255 does in label files of roads, belong into `ignore`"
        )
    return ones


def score_array(values: npt.ArrayLike, what: str) -> FloatArray:
    """Give `values` as float32 or float64 of the same shape, copied only where the type must be widened."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise UsageError(f"{what} must hold real numbers of at most 64 bits, not {array.dtype}")
    return array.astype(np.result_type(array.dtype, np.float32), copy=False)


def check_no_nan(scores: FloatArray, what: str) -> None:
    """Raise UsageError if `scores` holds NaN; one pass without a temporary, as the maximum over a NaN is NaN."""
    if scores.size and np.isnan(scores.max()):
        raise UsageError(f"{what} must not hold NaN, which has no rank among scores: find out where it comes from")


def labels_and_scores(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[BoolArray, FloatArray]:
    """Check and flatten labels (1 = anomalous) and scores (higher = more anomalous) of one common shape."""
    binary, values = binary_array(labels, "labels"), score_array(scores, "scores")
    if binary.shape != values.shape:
        raise UsageError(f"labels and scores must have one shape, got {binary.shape} and {values.shape}")
    if not values.size:
        raise UsageError("there are no scores to measure: give at least one")
    check_no_nan(values, "scores")
    return binary.ravel(), values.ravel()


def labelled_maps(
    masks: Iterable[npt.ArrayLike], maps: Iterable[npt.ArrayLike], ignore: Iterable[npt.ArrayLike | None] | None
) -> Iterator[LabelledMap]:
    """Check and give the images one by one; errors name the image by its position in this call."""
    given = (masks, maps) if ignore is None else (masks, maps, _marks(ignore))
    for index, (mask, values, *skip) in enumerate(_together(*given)):
        scores = score_array(values, f"map {index}")
        if scores.ndim != 2 or not scores.size:
            raise UsageError(
                f"map {index} must be one array [height, width], got shape {scores.shape}: give a list of maps, or one "
                "array [n, height, width]"
            )
        anomalous = _like(scores, mask, f"mask {index}")
        ignored = _ignored(scores, skip, index)
        check_no_nan(scores if ignored is None else scores[~ignored], f"map {index}")
        yield LabelledMap(anomalous, scores, ignored)


def counted_scores(
    maps: Iterable[npt.ArrayLike], ignore: Iterable[npt.ArrayLike | None] | None
) -> Iterator[FloatArray]:
    """Give the scores of each map, flattened, without the pixels marked in `ignore`; NaN is not checked."""
    given = (maps,) if ignore is None else (maps, _marks(ignore))
    for index, (values, *skip) in enumerate(_together(*given)):
        scores = score_array(values, f"map {index}")
        ignored = _ignored(scores, skip, index)
        yield scores.ravel() if ignored is None else scores[~ignored]


def check_limit(limit: float) -> None:
    """Raise UsageError unless `limit`, the highest false positive rate of an AUPRO, lies in (0, 1]."""
    if not 0 < limit <= 1:
        raise UsageError(f"the false positive rate limit of AUPRO must lie in (0, 1], got {limit}")


def _together(*sequences: Iterable[npt.ArrayLike]) -> Iterator[tuple[npt.ArrayLike, ...]]:
    """Zip sequences that must be equally long, generators too."""
    for row in zip_longest(*sequences, fillvalue=_MISSING):
        if any(entry is _MISSING for entry in row):
            raise UsageError("every map needs one mask, and one ignore mask if there are any: their numbers differ")
        yield row


def _marks(ignore: Iterable[npt.ArrayLike | None]) -> Iterator[npt.ArrayLike]:
    """The ignore masks, and `_ALL_COUNT` for an image that has none."""
    return (_ALL_COUNT if each is None else each for each in ignore)


def _ignored(scores: FloatArray, marks: Sequence[npt.ArrayLike], index: int) -> BoolArray | None:
    """The pixels of an image to leave out; None leaves out none. marks: its ignore mask, () where no image has one."""
    return None if not marks or marks[0] is _ALL_COUNT else _like(scores, marks[0], f"ignore mask {index}")


def _like(scores: FloatArray, mask: npt.ArrayLike, what: str) -> BoolArray:
    binary = binary_array(mask, what)
    if binary.shape != scores.shape:
        raise UsageError(f"{what} must have the shape of its map, got {binary.shape} and {scores.shape}")
    return binary
