"""`oddlens data`, run in this process; the faults of a call are turned into exit codes by the frame of the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from oddlens.cli.data import SHOWN_OF_A_KIND, app
from oddlens.errors import LayoutError, UsageError
from tests.cli.program import run as program


def write_set(root: Path, missing_masks: int = 0) -> Path:
    """Write an MVTec-like set whose images are sound, with some masks left out."""
    for folder in ("train/good", "test/good", "test/crack", "ground_truth/crack"):
        (root / "nut" / folder).mkdir(parents=True)
    for colour, name in (("grey", "train/good/0.png"), ("silver", "test/good/0.png"), ("black", "test/crack/0.png")):
        Image.new("RGB", (16, 16), colour).save(root / "nut" / name)
    mask = Image.new("L", (16, 16))
    mask.paste(255, (4, 4, 8, 8))
    mask.save(root / "nut" / "ground_truth" / "crack" / "0_mask.png")
    for index in range(missing_masks):
        Image.new("RGB", (16, 16), "black").save(root / "nut" / "test" / "crack" / f"lost{index:02}.png")
    return root


def run(*arguments: object):
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(each) for each in arguments])


def test_a_sound_set_is_counted_and_exits_0(tmp_path):
    result = run("check", write_set(tmp_path))
    assert result.exit_code == 0
    assert "No problems." in result.stdout
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines() if "nut" in line]
    assert cells == [["nut", "train", "1", "-", "-", "-"], ["nut", "test", "1", "1", "1", "-"]]


def test_the_known_classes_of_a_road_set_are_reported(tmp_path):
    for folder in ("leftImg8bit", "gtFine"):
        (tmp_path / folder / "val" / "ulm").mkdir(parents=True)
    Image.new("RGB", (16, 16), "grey").save(tmp_path / "leftImg8bit" / "val" / "ulm" / "ulm_1_leftImg8bit.png")
    Image.new("L", (16, 16), 7).save(tmp_path / "gtFine" / "val" / "ulm" / "ulm_1_gtFine_labelIds.png")
    result = run("check", tmp_path)
    assert result.exit_code == 0
    assert "has 19 known classes: road, sidewalk, building," in result.stdout


def test_masks_of_the_unknown_alone_are_a_road_set_with_one_known_class(tmp_path):
    for folder, mode in (("test/ood", "RGB"), ("labels/test_ood", "L")):
        (tmp_path / folder).mkdir(parents=True)
        Image.new(mode, (16, 16)).save(tmp_path / folder / "1.png")
    label = Image.new("L", (16, 16))
    label.putpixel((3, 4), 1)
    label.save(tmp_path / "labels" / "test_ood" / "1.png")
    (tmp_path / "classes.json").write_text('{"classes": ["known", "unknown"], "ood": [1]}')
    result = run("check", tmp_path)
    assert result.exit_code == 0
    assert "has 1 known class: known\n" in result.stdout


def test_problems_are_reported_by_kind_and_exit_1(tmp_path):
    result = run("check", write_set(tmp_path, missing_masks=2))
    assert result.exit_code == 1
    assert "mask-missing: 2" in result.stdout
    assert f"{tmp_path / 'nut' / 'test' / 'crack' / 'lost01.png'} has no mask" in result.stdout


def test_many_problems_of_a_kind_are_cut_short_on_the_screen_and_whole_in_json(tmp_path):
    write_set(tmp_path, missing_masks=SHOWN_OF_A_KIND + 3)
    assert "... and 3 more: --json lists them all." in run("check", tmp_path).stdout
    result = run("check", tmp_path, "--json")
    assert result.exit_code == 1
    assert len(json.loads(result.stdout)["problems"]) == SHOWN_OF_A_KIND + 3


def test_brackets_in_names_are_not_taken_for_markup(tmp_path):
    root = tmp_path / "[red]set[/red]"
    assert "[red]set[/red]" in run("check", write_set(root)).stdout


def test_a_sheet_is_written_when_requested(tmp_path):
    assert run("check", write_set(tmp_path / "set"), "--sheet", tmp_path / "sheet.png").exit_code == 0
    assert Image.open(tmp_path / "sheet.png").format == "PNG"
    assert run("check", tmp_path / "set", "--sheet", tmp_path / "sheet.png").exit_code == 0  # over the first one
    (tmp_path / "mine.png").write_bytes(b"mine")
    for place, said in (
        (tmp_path / "mine.png", "would overwrite another file"),
        (tmp_path / "no" / "s.png", "in no folder"),
    ):
        refused = run("check", tmp_path / "set", "--sheet", place)
        assert isinstance(refused.exception, UsageError)
        assert said in str(refused.exception)
    assert (tmp_path / "mine.png").read_bytes() == b"mine"


def test_a_manifest_opens_again_and_its_hash_is_printed(tmp_path):
    result = run("manifest", write_set(tmp_path / "set"), "--out", tmp_path / "set" / "m.jsonl")
    assert result.exit_code == 0
    again = run("manifest", tmp_path / "set" / "m.jsonl", "--out", tmp_path / "set" / "again.jsonl")
    assert again.stdout == result.stdout
    assert len(result.stdout.strip()) == 64
    assert run("check", tmp_path / "set" / "m.jsonl").exit_code == 0


def test_a_manifest_of_a_faulty_set_says_so_beside_the_hash(tmp_path):
    result = run("manifest", write_set(tmp_path, missing_masks=1), "--out", tmp_path / "m.jsonl")
    assert result.exit_code == 0
    assert "1 problem found without reading its images" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "error"),
    [(["nowhere"], UsageError), (["set", "--layout", "mvtek"], UsageError), (["set", "--layout", "visa"], LayoutError)],
)
def test_faults_of_the_call_go_through_to_the_frame(tmp_path, monkeypatch, arguments, error):
    write_set(tmp_path / "set")
    monkeypatch.chdir(tmp_path)
    assert isinstance(run("check", *arguments).exception, error)


def test_the_verbs_import_nothing_heavy_before_they_are_called():
    code = "import sys, oddlens.cli.data; print(*sorted({'numpy', 'PIL', 'cv2', 'torch', 'rich.table'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_folder_of_something_else_is_a_wrong_call(tmp_path):
    """Nothing in it was looked at: 2. A set with a fault was: 1."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "to_do.txt").touch()
    done = program("data", "check", tmp_path / "notes")
    assert done.code == 2
    assert "notes is laid out like no data set known here (" in done.sentence
    assert len(done.sentence) < 900
    assert program("data", "check", write_set(tmp_path / "set", missing_masks=1)).code == 1


def test_a_folder_that_a_manifest_makes_is_named(tmp_path):
    parts = write_set(tmp_path / "set")
    assert run("manifest", parts, "--out", tmp_path / "m.jsonl").stderr == ""
    done = run("manifest", parts, "--out", tmp_path / "new" / "lists" / "m.jsonl")
    assert done.exit_code == 0
    assert done.stderr == f"made the folder {tmp_path / 'new'}\n"
