"""A station as a model of MLflow: a row for each row of the table."""

from __future__ import annotations

from pathlib import Path

import pytest

import oddlens
from oddlens.errors import UsageError
from oddlens.inference.tools.mlflow_model import StationModel
from tests.noise import write_pictures

pytest.importorskip("pandas", reason="pandas is not installed")


@pytest.fixture(scope="module")
def model() -> StationModel:
    return StationModel(oddlens.load("winclip", runtime="onnx"))


def test_a_path_is_one_image(model: StationModel, tmp_path: Path) -> None:
    (image, *_) = write_pictures(tmp_path / "parts", 3)
    table = model.predict([{"path": str(each)} for each in (image, image.parent, image.with_name("*.png"))])
    assert list(table["path"]) == [str(image), str(image.parent), str(image.with_name("*.png"))]
    assert list(table["score"].notna()) == [True, False, False]
    assert "is a folder: name an image in it" in table["error"][1]
    assert "does not exist" in table["error"][2]


def test_a_row_has_a_path_or_bytes_and_one_with_neither_fails_alone(model: StationModel, tmp_path: Path) -> None:
    (image, *_) = write_pictures(tmp_path / "parts", 3)
    rows = [{"path": str(image)}, {"content": image.read_bytes()}, {"path": None}]
    table = model.predict(rows)
    assert table["score"][0] == table["score"][1]
    assert table["error"][2].endswith("the row has neither a path nor content with the bytes of an image file")


def test_a_table_without_images_is_refused(model: StationModel) -> None:
    with pytest.raises(UsageError, match=r"the column path, or content"):
        model.predict([{"image": "a.png"}])
