"""What the values of a label file mean: road sets draw classes, the unknown and what does not count into one image.

Sources of the values: the data sets' own label tables and loaders (Cityscapes' label table; the SegmentMeIfYouCan toolkit for Lost
and Found; the authors' loader of RoadAnomaly; the CAOS repository for StreetHazards).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard, TypeVar

import numpy as np
from numpy.typing import NDArray

from oddlens.data.listing import read_json
from oddlens.errors import DataError, choices, printable

Values = NDArray[np.uint8]
Value = TypeVar("Value")

IGNORED = 255
"""The class index of a pixel that does not count."""


@dataclass(frozen=True, slots=True)
class Legend:
    """What the values 0 to 255 of a label file mean. A value that is not named does not count.

    Attributes:
        normal: The values of in-distribution pixels.
        anomalous: The values of anomalous pixels.
        names: The known classes, in the order of their indices; () where the files have none.
        class_values: The value of each class, all of them normal.
    """

    normal: frozenset[int]
    anomalous: frozenset[int] = frozenset()
    names: tuple[str, ...] = ()
    class_values: tuple[int, ...] = ()

    def is_normal(self, values: Values) -> NDArray[np.bool_]:
        """Where the values of a label file are normal, bool of the same shape."""
        return _marked(self.normal).take(values)

    def is_anomalous(self, values: Values) -> NDArray[np.bool_]:
        """Where the values of a label file are anomalous, bool of the same shape."""
        return _marked(self.anomalous).take(values)

    def indices(self, values: Values) -> Values:
        """The class index of every pixel, uint8 of the same shape; `IGNORED` where it has no known class."""
        table = np.full(256, IGNORED, np.uint8)
        table[list(self.class_values)] = np.arange(len(self.class_values))
        return table.take(values)  # twice as fast as indexing


def _marked(values: Iterable[int]) -> NDArray[np.bool_]:
    table = np.zeros(256, np.bool_)
    table[list(values)] = True
    return table


def _of_classes(names: Iterable[str], values: Iterable[int], anomalous: Iterable[int] = ()) -> Legend:
    """A legend in which exactly the known classes are normal."""
    class_values = tuple(values)
    return Legend(frozenset(class_values), frozenset(anomalous), tuple(names), class_values)


_CITYSCAPES = (
    "road",
    "sidewalk",
    "building",
    "wall",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
)
_CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
_STREET_HAZARDS = (
    "unlabeled",
    "building",
    "fence",
    "other",
    "pedestrian",
    "pole",
    "road line",
    "road",
    "sidewalk",
    "vegetation",
    "car",
    "wall",
    "traffic sign",
)

LEGENDS = {
    "ood": Legend(frozenset({0}), frozenset({1})),
    "road-anomaly": Legend(frozenset({0, 1}), frozenset({2})),
    "lost-and-found": Legend(frozenset({1}), frozenset(range(2, 201))),
    "lost-and-found-train-ids": Legend(frozenset({1}), frozenset({2})),
    "cityscapes": _of_classes(_CITYSCAPES, _CITYSCAPES_IDS),
    "cityscapes-train-ids": _of_classes(_CITYSCAPES, range(19)),
    "street-hazards": _of_classes(_STREET_HAZARDS, range(1, 14), anomalous={14}),
}
"""The legends that have a name.

- ood: 0 in-distribution, 1 out of it, 255 neither (Fishyscapes, SegmentMeIfYouCan).
- road-anomaly: 0 background, 1 road, 2 anomaly.
- lost-and-found: label ids; 1 is the free road, 2 to 200 obstacles, 0 all the rest, which does not count.
- lost-and-found-train-ids: the same, but small objects that are no hazard have the value 0 too, and do not count.
- cityscapes, cityscapes-train-ids: the 19 classes; what is none of them (a caravan, a trailer) does not count.
- street-hazards: 1 to 13 the known classes, of which the first, "unlabeled", is sky and background; 14 the anomaly.
"""


def load_legend(legend: str | Path) -> Legend:
    """A legend by its name, or from a JSON file.

    The file: {"classes": ["sky", ...], "ood": [9, 10], "ignore": 11}. "classes" names the values 0, 1, ... of label files; "ood"
    lists those that are anomalous, "ignore" (a value, a list of values, or left out) those that do not count. The others are the
    known classes. Other names are refused.

    Raises:
        DataError: There is no such name, or the file is no such legend.

    Examples:
        >>> legend = load_legend("ood")
        >>> legend.is_anomalous(np.array([0, 1, 255], np.uint8)).tolist()
        [False, True, False]
    """
    if isinstance(legend, str):
        if legend not in LEGENDS:
            raise DataError(f'"{legend}" is no legend of label files{choices(legend, LEGENDS)}')
        return LEGENDS[legend]
    return _parse(legend, read_json(legend))


def values_in(labels: Values) -> tuple[int, ...]:
    """The values that occur in a label file, ascending."""
    return tuple(np.flatnonzero(np.bincount(labels.ravel(), minlength=256)).tolist())


def listed(values: Sequence[int]) -> str:
    """The first few values in words.

    Examples:
        >>> listed([0, 255]), listed(range(2, 201))
        ('0, 255', '2, 3, 4, 5, 6, 7, 8, 9, ...')
    """
    return ", ".join(map(str, values[:8])) + (", ..." if len(values) > 8 else "")


_FIELDS = ("classes", "ood", "ignore")


def _parse(path: Path, content: object) -> Legend:
    fields: dict[str, object] = content if isinstance(content, dict) else {}
    if strange := next((name for name in fields if name not in _FIELDS), None):  # misspelt, it would change what counts
        raise DataError(f'"{printable(strange)}" of the legend {path} means nothing{choices(strange, _FIELDS)}')
    names, anomalous, ignored = fields.get("classes", []), fields.get("ood", []), fields.get("ignore", [])
    ignored = ignored if isinstance(ignored, list) else [ignored]
    if not (_are(names, str) and 0 < len(set(names)) == len(names) <= IGNORED and all(map(str.strip, names))):
        raise DataError(f'the legend {path} must list up to {IGNORED} different names as "classes": correct it')
    if not (_are(anomalous, int) and _are(ignored, int) and all(0 <= value <= 255 for value in anomalous + ignored)):
        raise DataError(f'"ood" and "ignore" of the legend {path} must be values from 0 to 255: correct it')
    known = [value for value in range(len(names)) if value not in (*anomalous, *ignored)]
    return _of_classes((names[value] for value in known), known, anomalous)


def _are(values: object, kind: type[Value]) -> TypeGuard[list[Value]]:
    # type() and not isinstance(): true and false are numbers in Python.
    return isinstance(values, list) and all(type(value) is kind for value in values)
