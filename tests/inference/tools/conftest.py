"""What the tests of other programs share: the results of a run, and what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from oddlens.detection import Detection, Thresholds, ValueRange
from oddlens.errors import Failure
from oddlens.inference.report import ReportSink
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import CsvSink, FolderSink
from oddlens.inference.task import Task
from oddlens.io.inputs import Images, each_input
from oddlens.io.loader import load_each
from tests.inference.stub import StubPredictor

THRESHOLDS = Thresholds(0.5, 0.7, "given", 0.4)


class Spots(StubPredictor):
    """Two spots are odd in a bright image, one of them with a hole; nothing is in a dark one. The map is half as large."""

    def detect_each(
        self, images: Images, object_name: str = "part", batch_size: int = 8
    ) -> Iterator[Detection | Failure]:
        """See `Predictor`."""
        for picture in load_each(each_input(images), lambda picture: picture, group=batch_size):
            if isinstance(picture, Failure):
                yield picture
                continue
            width, height = picture.size
            found = np.zeros((height // 2, width // 2), np.float32)
            found[3:14, 4:16] = 0.9
            found[6:10, 8:12] = 0.1
            found[15:18, 18:22] = 0.8
            score = float(picture.pixels.mean()) / 255
            yield Detection(
                score, found if score > 0.5 else found * 0, picture.size, self.thresholds, ValueRange(0, 1, "fixed range 0 to 1"),
                picture.source,
            )  # fmt: skip


def make_results(folder: Path, thresholds: Thresholds = THRESHOLDS) -> Path:
    """A run over folder/parts, which it makes: two bright images, one dark, one that is no image; gives folder/out."""
    parts = folder / "parts"
    parts.mkdir()
    for name, level in (("bright.png", 200), ("bright2.jpg", 220), ("dark.png", 20)):
        Image.fromarray(np.full((40, 48, 3), level, np.uint8)).save(parts / name)
    (parts / "broken.png").write_bytes(b"no image")
    predictor = Spots()
    predictor.thresholds = thresholds
    out = folder / "out"
    sinks = [FolderSink(ResultsFolder(out)), CsvSink(out / "results.csv"), ReportSink(out)]
    list(run(predictor, Task("bolt", tuple(sorted(parts.iterdir()))), sinks))
    return out


def make_results_of_latin_1(folder: Path) -> Path:
    """A run over bright images, two with names in Latin-1, of which a third one spells one; gives the results."""
    parts = folder / "parts"
    parts.mkdir()
    for name in (b"Pr\xfcfung.png", b"b\xe4d.png", b"b%E4d.png"):
        try:
            Image.fromarray(np.full((40, 48, 3), 200, np.uint8)).save(parts / os.fsdecode(name))
        except OSError:
            pytest.skip("this file system takes no name that is no UTF-8")
    predictor = Spots()
    predictor.thresholds = THRESHOLDS
    out = folder / "out"
    list(run(predictor, Task("bolt", tuple(sorted(parts.iterdir()))), [FolderSink(ResultsFolder(out))]))
    return out


def mask_of(results: Path, name: str) -> NDArray[np.bool_]:
    """What a run says is marked in an image: bool [height, width]."""
    return np.asarray(Image.open(results / "masks" / f"{name}.png")) > 0


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """See `make_results`."""
    return make_results(tmp_path)
