"""A benchmark whose data set has other images, or fewer categories, than when it was measured."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from oddlens.errors import UsageError
from oddlens.evaluation import Benchmark
from tests.evaluation.tiny_set import make_plan, run_whole, save, write_set

GREY = np.full((40, 48, 3), 90, np.uint8)


def test_maps_of_images_that_left_the_data_set_go(open_clip_folder: Path, tmp_path: Path) -> None:
    data = write_set(tmp_path / "parts", ("bolt",))
    run_whole(make_plan(data, open_clip_folder, shots=(0,), maps=True), tmp_path / "out")
    maps = tmp_path / "out" / "maps" / "parts" / "winclip-0shot" / "bolt" / "test"
    (maps / "good" / "notes.txt").write_text("of the user")
    (data / "bolt" / "test" / "good" / "001.png").unlink()
    for folder in ("test", "ground_truth"):
        (data / "bolt" / folder / "block").rename(data / "bolt" / folder / "dent")
    shutil.rmtree(tmp_path / "out" / "cells" / "parts" / "bolt")
    run_whole(make_plan(data, open_clip_folder, shots=(0,), maps=True), tmp_path / "out")
    assert sorted(path.relative_to(maps).as_posix() for path in maps.rglob("*.*")) == [
        "dent/000.tiff", "dent/001.tiff", "dent/002.tiff", "good/000.tiff", "good/002.tiff", "good/notes.txt",
    ]  # fmt: skip
    assert not (maps / "block").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda parts: save(parts / "test" / "good" / "9.png", GREY), "other images (new: bolt/test/good/9.png)"),
        (
            lambda parts: [(parts / "test" / "good" / f"00{number}.png").unlink() for number in (0, 2)],
            "other images (no longer there: bolt/test/good/000.png, and 1 more)",
        ),
        (
            lambda parts: (parts / "test" / "good" / "000.png").rename(parts / "test" / "good" / "x.png"),
            "other images (new: bolt/test/good/x.png; no longer there: bolt/test/good/000.png)",
        ),
        (lambda parts: save(parts / "train" / "good" / "9.png", GREY), "other good examples, labels or masks"),
    ],
)
def test_where_a_data_set_has_other_images_they_are_named_and_its_category_can_be_measured_alone(
    change: Callable[[Path], object], said: str, open_clip_folder: Path, tmp_path: Path
) -> None:
    data = write_set(tmp_path / "parts")
    run_whole(make_plan(data, open_clip_folder, shots=(0,)), tmp_path / "out")
    change(data / "bolt")
    again = Benchmark(make_plan(data, open_clip_folder, shots=(0,)), tmp_path / "out")
    cells = tmp_path / "out" / "cells" / "parts" / "bolt"
    with pytest.raises(UsageError) as refused:
        again.open()
    assert str(refused.value).startswith(
        f"{cells / 'winclip-0shot.json'} was measured on {said}: delete the folder {cells} to "
    )
    shutil.rmtree(cells)
    again.open()
    assert [job.category for job in again.run()] == ["bolt"]


def test_results_that_no_figure_counts_are_named(
    finished: Benchmark, small_set: Path, open_clip_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished.out, tmp_path / "out")
    shutil.copytree(small_set, tmp_path / "parts")
    whole = Benchmark(make_plan(tmp_path / "parts", open_clip_folder), tmp_path / "out")
    whole.open()
    assert whole.remarks == []
    shutil.rmtree(tmp_path / "parts" / "metal_nut")
    part = Benchmark(make_plan(tmp_path / "parts", open_clip_folder), tmp_path / "out")
    part.open()
    assert part.remarks == [
        f"{tmp_path / 'out'} has results of metal_nut of parts, too, which this call does not measure: no figure counts them"
    ]
