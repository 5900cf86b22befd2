"""The report of a training."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oddlens.training import report
from oddlens.training.checkpoint import History
from oddlens.training.report import report_files, write_report

HISTORY = History(
    [{"image": 4.0, "local": 2.0}, {"image": 2.0, "local": 1.0}, {"image": 1.0, "local": 0.0}], [1.0, 2.0, 4.0]
)
MADE = {"method": "april-gan", "data": [{"name": "lids"}, {"name": "nuts"}]}


def test_it_holds_every_step_and_the_means_of_epochs(tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    write_report(out, HISTORY, 2, MADE, "a method on a data set", print)
    document = json.loads((tmp_path / "w.safetensors.report.json").read_text())
    assert document["training"] == MADE
    assert document["epochs"] == [
        {"losses": {"image": 3.0, "local": 1.5}, "seconds": 3.0},
        {"losses": {"image": 1.0, "local": 0.0}, "seconds": 4.0},
    ]
    assert document["steps"][1] == {"losses": {"image": 2.0, "local": 1.0}, "seconds": 2.0}


def test_the_curves_are_an_image_with_a_line_for_each_part(tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    write_report(out, HISTORY, 2, MADE, "a method on a data set", print)
    _, drawn = report_files(out)
    pixels = np.asarray(Image.open(drawn).convert("RGB"))
    assert pixels.shape == (600, 1080, 3)
    colours = {tuple(colour) for colour in pixels.reshape(-1, 3).tolist()}
    assert {(31, 119, 180), (255, 127, 14), (44, 160, 44)} <= colours


def test_a_title_may_have_dollars_and_what_no_text_can_hold(tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    write_report(out, HISTORY, 2, MADE, "a method on cost_$_a_$ and \udcff", print)
    assert report_files(out)[1].is_file()


def test_without_matplotlib_there_are_no_curves_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "w.safetensors"
    numbers, drawn = report_files(out)
    drawn.write_bytes(b"the curves of an earlier training")
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    said: list[str] = []
    write_report(out, HISTORY, 2, MADE, "a method on a data set", said.append)
    assert numbers.is_file()
    assert not drawn.exists()
    assert said == [
        "w.safetensors.report.png is not drawn: matplotlib is not installed; run pip install 'oddlens[train]' for curves"
    ]
