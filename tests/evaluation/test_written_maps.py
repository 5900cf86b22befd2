"""The maps that a run leaves: a name for each image, and none of images that are gone."""

from __future__ import annotations

from pathlib import Path

from oddlens.data import Record
from oddlens.evaluation.written_maps import map_names, remove_others


def records(*images: str) -> list[Record]:
    return [Record(Path(image), None, 0, "bolt", Path(image).parent.name, "test") for image in images]


def test_a_map_is_called_as_its_defect_and_image() -> None:
    names = map_names(records("a/dent/000.png", "a/good/000.png", "a/good/001.png"))
    assert list(names.values()) == ["dent/000.tiff", "good/000.tiff", "good/001.tiff"]


def test_images_of_one_stem_have_maps_of_their_own() -> None:
    names = map_names(records("a/good/000.png", "b/good/000.jpg"))
    assert len({name.casefold() for name in names.values()}) == 2


def test_maps_of_other_images_go_and_what_is_the_user_s_stays(tmp_path: Path) -> None:
    for name in ("dent/000.tiff", "good/000.tiff", "good/001.tiff", "good/notes.txt", "scratch/000.tiff", "list.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    remove_others(tmp_path, records("a/dent/000.png", "a/good/001.png"))
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == ["dent", "dent/000.tiff", "good", "good/001.tiff", "good/notes.txt", "list.txt"]
    remove_others(tmp_path / "never made", records("a/dent/000.png"))
