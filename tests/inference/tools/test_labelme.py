"""Results as labelme's files, read back as a data set of ours."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oddlens.data import check_dataset, open_dataset
from oddlens.data.masks import read_mask
from oddlens.inference.kept_images import KeptResults
from oddlens.inference.tools.labelme import Labelme
from tests.inference.tools.conftest import mask_of


def give(results: Path, to: Path, *, copies: bool = True) -> tuple[str, ...]:
    return Labelme(copies).give(KeptResults(results), to, lambda *_: None).said


def test_it_is_a_data_set_of_ours_with_the_pixels_that_the_run_marked(results: Path, tmp_path: Path) -> None:
    assert give(results, tmp_path / "labelme") == ("1 image has no result and is left out",)
    dataset = open_dataset(tmp_path / "labelme")
    assert check_dataset(dataset).ok
    assert {each.image.name: each.label for each in dataset} == {"bright.png": 1, "bright2.jpg": 1, "dark.png": 0}
    for each in dataset:
        if each.mask is not None:
            assert np.array_equal(read_mask(each, (40, 48)), mask_of(results, each.image.stem))


def test_a_mask_is_as_labelme_reads_it(results: Path, tmp_path: Path) -> None:
    """The PNG is of the pixels from the first corner to the second, both inclusive."""
    give(results, tmp_path / "labelme")
    content = json.loads((tmp_path / "labelme" / "bright.json").read_text())
    marked = np.zeros((content["imageHeight"], content["imageWidth"]), np.bool_)
    for shape in content["shapes"]:
        (left, top), (right, bottom) = shape["points"]
        inside = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"])))).astype(bool)
        marked[top : bottom + 1, left : right + 1] |= inside
    assert np.array_equal(marked, mask_of(results, "bright"))


@pytest.mark.parametrize("copies", [True, False])
def test_each_file_leads_to_its_image(results: Path, tmp_path: Path, copies: bool) -> None:
    give(results, tmp_path / "labelme", copies=copies)
    files = sorted((tmp_path / "labelme").glob("*.json"))
    assert [path.stem for path in files] == ["bright", "bright2", "dark"]
    for path in files:
        named = (path.parent / json.loads(path.read_text())["imagePath"]).resolve()
        assert named.is_file()
        assert named.is_relative_to(tmp_path / "labelme") == copies


def test_without_maps_regions_are_rectangles(results: Path, tmp_path: Path) -> None:
    for path in (results / "maps").iterdir():
        path.unlink()
    assert "4 regions are given as a box" in give(results, tmp_path / "labelme")[-1]
    content = json.loads((tmp_path / "labelme" / "bright.json").read_text())
    assert {shape["shape_type"] for shape in content["shapes"]} == {"rectangle"}
    x, y, width, height = next(KeptResults(results).marked(KeptResults(results).images[0])).box
    assert content["shapes"][0]["points"] == [[x, y], [x + width, y + height]]


def test_labelmes_own_reader_takes_it(results: Path, tmp_path: Path) -> None:
    reader = pytest.importorskip("labelme._label_file", reason="labelme is not installed")
    give(results, tmp_path / "labelme")
    for path in sorted((tmp_path / "labelme").glob("*.json")):
        found = reader.read_label_file(str(path))
        marked = np.zeros((40, 48), np.bool_)
        for shape in found.shapes:
            (left, top), (right, bottom) = shape["points"]
            marked[top : bottom + 1, left : right + 1] |= shape["mask"]
        assert np.array_equal(marked, mask_of(results, path.stem))
