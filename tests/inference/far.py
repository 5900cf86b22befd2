"""Predictors for runs on workers, which are other processes and import them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.errors import Failure, UsageError
from oddlens.inference.predictor import Predictor
from oddlens.io.inputs import Images, each_input
from oddlens.io.loader import BATCH_SIZE
from tests.inference.stub import StubPredictor


class ByFolder(StubPredictor):
    """A predictor for each folder: a group of images runs through the one of its first image. Groups are of one folder."""

    def __init__(self, predictors: Mapping[str, Detector]) -> None:
        super().__init__()
        self._predictors = predictors

    def detect_each(
        self, images: Images, object_name: str = "part", batch_size: int = BATCH_SIZE
    ) -> Iterator[Detection | Failure]:
        """See `Predictor`."""
        inputs = each_input(images)
        while group := list(islice(inputs, batch_size)):
            (name,) = {Path(each.source).parent.name for each in group}
            yield from self._predictors[name].detect_each(group, object_name, batch_size)


class Mortal(StubPredictor):
    """Kills its process at an image of this name; once, if `mark` is a file that it can make."""

    def __init__(self, name: str, mark: Path) -> None:
        super().__init__()
        self._name, self._mark = name, mark

    def detect_each(
        self, images: Images, object_name: str = "part", batch_size: int = BATCH_SIZE
    ) -> Iterator[Detection | Failure]:
        """See `Predictor`."""
        for outcome in super().detect_each(images, object_name, batch_size):
            if Path(outcome.source).name == self._name and not self._mark.exists():
                self._mark.write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            yield outcome


class Refusing(StubPredictor):
    """Can do nothing with an image of this name, nor with those after it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def detect_each(
        self, images: Images, object_name: str = "part", batch_size: int = BATCH_SIZE
    ) -> Iterator[Detection | Failure]:
        """See `Predictor`."""
        for outcome in super().detect_each(images, object_name, batch_size):
            if Path(outcome.source).name == self._name:
                raise UsageError("the worker has had enough: ask another one")
            yield outcome


_: type[Predictor] = ByFolder
