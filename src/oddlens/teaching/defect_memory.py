"""A second memory, of defects: the features of defective images where they lie far from the good examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from oddlens.methods.common.memory_bank import MemoryBank


def defect_rows(good: MemoryBank, defective: MemoryBank) -> dict[str, Tensor]:
    """The rows of a defective image that stand for its defect.

    They are those that lie farther from the good examples than half way between the image's median distance and its largest: what
    `oddlens.detection` takes for the hottest region of a map.

    Args:
        good: The memory of good examples.
        defective: The one that the method makes of the image.

    Returns:
        By name: [rows, channels], unit norm; at least one.
    """
    return {name: _farthest(good, name, defective.rows(name)) for name in defective.names}


def _farthest(good: MemoryBank, name: str, rows: Tensor) -> Tensor:
    """Some of the rows, [rows, channels]."""
    distance = good.distance(name, rows[None])[0]
    half_way = (distance.median() + distance.max()) / 2
    return rows[(distance > half_way) | (distance == distance.max())]
