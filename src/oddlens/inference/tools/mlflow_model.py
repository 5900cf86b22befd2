"""A station as a model of MLflow: `mlflow.pyfunc.load_model` calls `_load_pyfunc`, `mlflow models serve` answers with it.

A model takes a table (a DataFrame, or a list of its rows) with the column `path`, of images that this machine can read, or
`content`, the bytes of image files; and gives a row for each: path, verdict, score, p_value, regions (JSON), error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from oddlens.errors import Failure, UsageError, needs_package
from oddlens.io.images import Picture, read_image
from oddlens.io.inputs import Input

if TYPE_CHECKING:
    from oddlens.detection import Detection
    from oddlens.detector import Detector


class StationModel:
    """The model. An image that fails has its reason in `error`, and the others are judged."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def predict(self, model_input: object, params: Mapping[str, object] | None = None) -> object:
        """A DataFrame with a row for each row of the table. Raises `UsageError` where it has neither column."""
        with needs_package("pandas", "a model of MLflow needs pandas: pip install 'oddlens[mlflow]'"):
            from pandas import DataFrame
        table = model_input if isinstance(model_input, DataFrame) else DataFrame(model_input)
        if "content" not in table and "path" not in table:
            raise UsageError("the model takes a table with the column path, or content with the bytes of image files")
        absent = [None] * len(table)
        contents, paths = (list(table[name]) if name in table else absent for name in ("content", "path"))
        images = [self._image(*row) for row in zip(contents, paths, strict=True)]
        rows = [_row(each) for each in self._detector.detect_each(images, self._detector.object_name)]
        return DataFrame(rows, columns=["path", "verdict", "score", "p_value", "regions", "error"], index=table.index)

    def _image(self, content: object, path: object) -> bytes | Input:
        """One image a row: a folder or a pattern is none."""
        if isinstance(content, bytes):
            return content
        if isinstance(path, str):
            return Input(path, partial(read_image, path, max_megapixels=self._detector.max_megapixels))
        return Input("", _nothing)


def _nothing() -> Picture:
    raise UsageError("the row has neither a path nor content with the bytes of an image file")


def _row(outcome: Detection | Failure) -> dict[str, object]:
    if isinstance(outcome, Failure):
        return {"path": outcome.source, "error": outcome.reason}
    document = outcome.to_dict()
    return {name: document.get(name) for name in ("path", "verdict", "score", "p_value")} | {
        "regions": json.dumps(document["regions"])
    }


def _load_pyfunc(data_path: str) -> StationModel:
    """What MLflow calls. data_path: the station."""
    from oddlens.loading import open_station

    return StationModel(open_station(data_path, "cpu"))
