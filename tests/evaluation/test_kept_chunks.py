"""What was found on a chunk of images is on disk as it was, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from oddlens.detection import UNSEEN, Detection, Thresholds, ValueRange
from oddlens.evaluation.kept_chunks import Found, KeptChunks

SEVEN = Path("7-cell.chunk")


@pytest.fixture
def found() -> Found:
    """Two images of two sizes, one with classes."""
    generator = np.random.default_rng(3)
    thresholds, value_range = Thresholds(0.1 + 0.2, None, "given"), ValueRange(0.0, 1 / 3, "fixed")
    labels = generator.integers(0, 2, (4, 5), dtype=np.uint8)
    maps = [generator.random(shape, np.float32) for shape in ((4, 5), (3, 6))]
    return Found(
        [
            Detection(1 / 3, maps[0], (50, 40), thresholds, value_range, labels=labels, label_names=("road", "sky")),
            Detection(
                2 / 3,
                maps[1],
                (60, 30),
                thresholds,
                value_range,
                parts={"near": 0.1},
                label_names=("road", "sky"),
                concern=UNSEEN,
                is_unseen=True,
            ),
        ],
        1.25,
        0.5,
    )


def test_what_is_read_is_what_was_written(found: Found, tmp_path: Path) -> None:
    kept = KeptChunks(tmp_path)
    kept.write(7, "cell", found)
    assert kept.count(7, ["cell"]) == 2
    read = kept.read(7, "cell")
    assert (read.encoding, read.scoring) == (1.25, 0.5)
    for one, other in zip(read.detections, found.detections, strict=True):
        for name in ("score", "image_size", "thresholds", "value_range", "parts", "label_names", "is_unseen"):
            assert getattr(one, name) == getattr(other, name), name
        assert one.anomaly_map.dtype == np.float32
        np.testing.assert_array_equal(one.anomaly_map, other.anomaly_map)
        np.testing.assert_array_equal(one.labels, other.labels)


def test_a_chunk_that_one_of_the_cells_lacks_is_not_there(found: Found, tmp_path: Path) -> None:
    kept = KeptChunks(tmp_path)
    kept.write(7, "cell", found)
    kept.write(7, "other", found)
    assert kept.count(7, ["cell", "other"]) == 2
    assert kept.count(7, ["cell", "another"]) == kept.count(0, ["cell"]) == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:100],
        lambda data: data[:300] + bytes([data[300] ^ 1]) + data[301:],
        lambda data: data[:-1] + b"g",
    ],
    ids=["empty", "cut short", "another bit", "another digest"],
)
def test_a_damaged_file_is_none(damage: Callable[[bytes], bytes], found: Found, tmp_path: Path) -> None:
    kept = KeptChunks(tmp_path)
    kept.write(7, "cell", found)
    path = tmp_path / SEVEN
    path.write_bytes(damage(path.read_bytes()))
    assert kept.count(7, ["cell"]) == 0
