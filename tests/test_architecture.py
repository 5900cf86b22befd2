"""docs/about/architecture.md: what its sketches define works, the files that it names exist, and every room is in its table."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.cli.command import Command, grouped
from oddlens.data.dataset import Dataset
from oddlens.detection import Thresholds
from oddlens.detector import Detector
from oddlens.errors import UsageError
from oddlens.inference.kept_images import KeptResults
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import FolderSink
from oddlens.inference.task import Task
from oddlens.methods.recipe_help import recipe_help
from tests.docs.page import blocks
from tests.docs.session import Session
from tests.noise import write_pictures
from tests.test_import_graph import ROOMS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "about" / "architecture.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the documents of a checkout")


@pytest.fixture
def sketch(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The names that the sketches define. Modules that they would be in exist as long as the test runs."""
    with Session(tmp_path) as session:
        for block in blocks(PAGE):
            if block.text.startswith("# src/"):  # the others use them, and run with the other pages
                assert session.run(block) == []
        yield session.names


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "parts", 3)
    return tmp_path / "parts"


def test_the_method_finds_the_odd_one(sketch: dict[str, Any], parts: Path) -> None:
    recipe = sketch["NearestPatchRecipe"]()
    detector = Detector("nearest-patch", sketch["NearestPatch"](load_backbone(device="cpu"), recipe))
    with pytest.raises(UsageError, match="nearest-patch needs good examples"):
        detector.detect(parts)
    detector.add_references([parts / "0.png", parts / "1.png"])
    known, _, unknown = detector.detect(parts)
    assert known.score < 1e-3 < unknown.score <= 1
    assert detector.predict(detector.encode(parts), top=1.0)[2].score < unknown.score
    assert all(field.meaning for field in recipe_help(sketch["NearestPatchRecipe"]))


def test_the_tower_gives_the_requested_patches(sketch: dict[str, Any]) -> None:
    tower = sketch["PatchMlp"](sketch["PatchMlpConfig"]())
    found = tower.run_blocks(tower.embed(torch.rand(2, 3, 64, 48)), taps=(1, 2))
    assert found.grid == (4, 3)
    assert found.patches(2).shape == (2, 12, 8)
    with pytest.raises(UsageError, match="PatchMLP does not have images in a joint space with text"):
        tower.embed_image(found.image)


def test_the_layout_reads_its_folders(sketch: dict[str, Any], tmp_path: Path) -> None:
    for name in ("pass", "fail"):
        write_pictures(tmp_path / "screw" / name, 2)
    layout = sketch["LAYOUT"]
    assert layout.recognise(tmp_path)
    records = layout.read(tmp_path, [])
    assert [(record.category, record.label) for record in records] == [("screw", 0)] * 2 + [("screw", 1)] * 2
    assert isinstance(Dataset(tmp_path, tuple(records), layout.name, ()), Dataset)


def test_the_sink_lists_what_is_rejected(sketch: dict[str, Any], parts: Path, tmp_path: Path) -> None:
    detector = oddlens.load(device="cpu")
    detector.thresholds = Thresholds(sorted(found.score for found in detector.detect(parts))[0], None, "given")
    task = Task("part", tuple(sorted(parts.iterdir())))
    found = list(run(detector, task, [sketch["RejectListSink"](tmp_path / "rejected.txt")]))
    rejected = [each.source for each in found if each.is_anomalous]
    assert len(rejected) == 2
    assert (tmp_path / "rejected.txt").read_text().splitlines() == rejected


def test_the_tool_gives(sketch: dict[str, Any], parts: Path, tmp_path: Path) -> None:
    detector = oddlens.load(device="cpu")
    detector.thresholds = Thresholds(sorted(found.score for found in detector.detect(parts))[0], None, "given")
    task = Task("part", tuple(sorted(parts.iterdir())))
    found = list(run(detector, task, [FolderSink(ResultsFolder(tmp_path / "out"))]))
    given = sketch["RejectSheet"]().give(KeptResults(tmp_path / "out"), tmp_path / "sheet", lambda *_: None)
    names = sorted(f"ng-{Path(each.source).name}" for each in found if each.is_anomalous)
    assert given.images == len(names) == 2
    assert sorted(path.name for path in (tmp_path / "sheet").iterdir()) == names


def test_the_verb_runs(sketch: dict[str, Any], parts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(cls=Command)(grouped(sketch["size"]))
    app([str(parts / "0.png")], standalone_mode=False)
    assert capsys.readouterr().out == "48 x 40\n"
    with pytest.raises(UsageError, match="is smaller than 100 pixels"):
        app([str(parts / "0.png"), "--least", "100"], standalone_mode=False)


def test_every_room_is_in_the_table() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## The way")[0]
    rows = re.findall(r"^\| `(.*?)`", table, re.MULTILINE)
    named = {row.removeprefix("oddlens/").removesuffix("/").removesuffix(".py") for row in rows}
    there = {path.stem for path in (ROOT / "src" / "oddlens").iterdir() if not path.name.startswith("__")}
    assert set(ROOMS) & there <= named


def test_the_files_that_it_names_are_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    names = set(re.findall(r"`((?:src|tests|docs|backbone|layouts|cli|data|inference|io)/[\w/.]+)`", text))
    places = (ROOT, ROOT / "src" / "oddlens", ROOT / "src" / "oddlens" / "backbone")
    assert len(names) > 15
    assert not [name for name in names if not any((place / name).exists() for place in places)]
