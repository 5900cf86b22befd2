"""`oddlens demo`: a table, and a page."""

from pathlib import Path

import pytest

from oddlens.inference import demo
from tests.cli.program import run
from tests.small_demo import play


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, open_clip_folder: Path) -> None:
    play(monkeypatch, tmp_path / "set", open_clip_folder)
    monkeypatch.chdir(tmp_path)


def test_every_picture_has_a_line_and_the_page_is_written() -> None:
    done = run("demo")
    assert (done.code, done.err) == (0, "")
    table, words, figures, last = done.out.split("\n\n")
    assert table.splitlines()[0].split("  ")[0] == "category"
    assert len(table.splitlines()) == 1 + 8
    assert table.count("deep cut") == 4
    assert words.startswith("With 4 good examples of each kind, patch-knn catches ")
    assert [line.split("  ")[0] for line in figures.splitlines()] == ["AUROC", "tin lid", "weave"]
    assert last == "page: oddlens-demo.html\n"
    assert "<title>oddlens demo</title>" in Path("oddlens-demo.html").read_text(encoding="utf-8")


def test_the_runtime_can_be_chosen() -> None:
    assert run("demo", "--runtime", "torch").code == 0
    done = run("demo", "--runtime", "onnx")  # which the tiny model has no graphs for
    assert done.code == 2
    assert "runtime 'onnx' cannot do this" in done.sentence


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    done = run("demo", "--out", "taken")
    assert done.code == 1
    assert done.sentence == "taken cannot be written because it is a folder: choose another name"


def test_what_was_found_is_reported_even_where_the_page_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("demo", "--out", "file/page.html")
    assert done.code == 1
    assert done.out.startswith("category")
    assert done.err.startswith("oddlens: file/page.html cannot be written (")


def test_images_to_try_things_are_copied_and_nothing_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PART", "weave")
    assert run("demo", "--images", "weave").out == "weave/good: 5 good parts\nweave/parts: 4 to check\n"
    assert sorted(path.name for path in Path("weave/parts").iterdir()) == [
        "deep_cut-1.png",
        "deep_cut-2.png",
        "good-1.png",
        "good-2.png",
    ]
    assert run("demo", "--images", "weave").sentence == "weave exists: give a new folder"
