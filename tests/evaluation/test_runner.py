"""A benchmark that is stopped goes on; what cannot be measured is told, and the rest is measured."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import oddlens
from oddlens.data.contents import TrainingImages, files_of
from oddlens.errors import DiskError, UsageError
from oddlens.evaluation import Benchmark, CellResult, Job, Key, ObjectNames, Plan, Protocol, Variant, runner, variants
from oddlens.evaluation.cell_results import write_cell
from oddlens.evaluation.chunks import CHUNKS, Chunks
from oddlens.evaluation.map_file import MapFile
from oddlens.evaluation.metrics_document import summarise
from oddlens.evaluation.trained_on import TrainedOn
from tests.evaluation.tiny_set import make_plan, run_whole, save, write_set


def without_seconds(cells: dict[Key, CellResult]) -> list[tuple[Key, dict[str, object]]]:
    return [(key, vars(cell) | {"seconds": None}) for key, cell in cells.items()]


def test_a_stopped_run_goes_on_and_ends_with_the_same_cells(
    finished: Benchmark, small_set: Path, open_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(small_set, open_clip_folder)
    stopped = Benchmark(plan, tmp_path)
    stopped.open()
    next(iter(stopped.run()))

    again = Benchmark(plan, tmp_path)
    again.open()
    assert again.pending == finished.pending // 2 == 6
    assert [job.category for job in again.run()] == ["metal_nut"]
    assert without_seconds(again.cells) == without_seconds(finished.cells)


def test_a_run_stopped_between_two_cells_of_a_job_measures_the_other(
    finished: Benchmark, small_set: Path, open_clip_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished.out, tmp_path / "out")
    lost = Key("parts", "bolt", "winclip", Variant(2, 0))
    lost.path(tmp_path / "out").unlink()
    again = Benchmark(make_plan(small_set, open_clip_folder), tmp_path / "out")
    again.open()
    (job,) = again.run()
    assert list(job.cells) == [lost.variant]
    assert without_seconds(again.cells) == without_seconds(finished.cells)


def test_a_finished_run_measures_nothing_again(finished: Benchmark, small_set: Path, open_clip_folder: Path) -> None:
    again = Benchmark(make_plan(small_set, open_clip_folder), finished.out)
    again.open()
    assert again.pending == 0
    assert again.cells == finished.cells


def test_the_folder_of_a_run_of_detect_is_refused(small_set: Path, open_clip_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").touch()
    with pytest.raises(UsageError, match="holds results of a run of 'oddlens detect': give another --out"):
        Benchmark(make_plan(small_set, open_clip_folder), tmp_path).open()
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]


def test_more_shots_and_seeds_reuse_what_is_there(
    finished: Benchmark, small_set: Path, open_clip_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished.out, tmp_path / "out")
    again = Benchmark(make_plan(small_set, open_clip_folder, shots=(0, 1, 2), seeds=(0, 1)), tmp_path / "out")
    again.open()
    assert {variant for job in again.run() for variant in job.cells} == {Variant(1, 0), Variant(1, 1)}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda plan, model: {"names": ObjectNames("part")}, "object_name"),
        (lambda plan, model: {"full_size": True}, "full_size"),
        (
            lambda plan, model: {"detectors": (oddlens.load("winclip", model, temperature=0.01),)},
            "recipe temperature",
        ),
    ],
)
def test_cells_of_other_settings_are_refused_before_anything_is_measured(
    finished: Benchmark,
    small_set: Path,
    open_clip_folder: Path,
    change: Callable[[Plan, Path], dict[str, object]],
    named: str,
) -> None:
    plan = make_plan(small_set, open_clip_folder, **change(finished.plan, open_clip_folder))
    with pytest.raises(UsageError, match=rf"winclip-0shot\.json was made with other settings \({named}\)"):
        Benchmark(plan, finished.out).open()


def test_without_resume_everything_is_measured_again(
    finished: Benchmark, small_set: Path, open_clip_folder: Path
) -> None:
    again = Benchmark(make_plan(small_set, open_clip_folder, names=ObjectNames("part")), finished.out)
    again.open(resume=False)
    assert again.pending == 12


def test_opening_reports_each_file_that_it_reads_once(
    finished: Benchmark, small_set: Path, open_clip_folder: Path
) -> None:
    again, heard = Benchmark(make_plan(small_set, open_clip_folder), finished.out), list[tuple[int, int]]()
    again.open(hashed=lambda *seen: heard.append(seen))
    files = {file for source in again.plan.sources for record in source.tests() for file in files_of(record)}
    assert heard == [(done + 1, len(files)) for done in range(len(files))]


def test_maps_that_are_missing_are_made_by_measuring_again(
    finished: Benchmark, small_set: Path, open_clip_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished.out, tmp_path / "out")
    plan = make_plan(small_set, open_clip_folder, shots=(0,), maps=True)
    again = run_whole(plan, tmp_path / "out")
    assert len(list((tmp_path / "out" / "maps").rglob("*.tiff"))) == 12
    done = Benchmark(plan, tmp_path / "out")
    done.open()
    assert done.pending == 0
    assert done.cells == again.cells


def test_lists_of_picks_are_left_for_every_category_and_seed(finished: Benchmark) -> None:
    lists = {path.relative_to(finished.out).as_posix(): path.read_text() for path in finished.out.rglob("*.txt")}
    assert sorted(lists) == [
        f"picks/parts/{category}-seed{seed}.txt" for category in ("bolt", "metal_nut") for seed in (0, 1)
    ]
    few = finished.cells[Key("parts", "bolt", "winclip", Variant(2, 1))]
    assert lists["picks/parts/bolt-seed1.txt"].splitlines() == few.settings["references"]


def test_too_few_good_examples_skip_the_cell_and_say_so(
    small_set: Path, open_clip_folder: Path, tmp_path: Path
) -> None:
    done = run_whole(make_plan(small_set / "bolt", open_clip_folder, shots=(0, 4), seeds=(0,)), tmp_path)
    assert [skip.reason for skip in done.skipped] == ["bolt of bolt has 3 good examples: 4 are needed"]
    assert [key.variant for key in done.cells] == [Variant(0)]


def test_fewer_good_examples_than_a_method_needs_skip_its_cells_only(
    small_set: Path, open_clip_folder: Path, tmp_path: Path
) -> None:
    detectors = tuple(oddlens.load(name, open_clip_folder, device="cpu") for name in ("winclip", "winclip+patch-knn"))
    plan = make_plan(small_set / "bolt", open_clip_folder, shots=(1, 2), seeds=(0,), detectors=detectors)
    done = run_whole(plan, tmp_path)
    assert [skip.reason for skip in done.skipped] == [
        "winclip+patch-knn needs 2 good examples or more: measure it with --shots 2"
    ]
    assert [(key.method, key.variant.shots) for key in done.cells] == [
        ("winclip", 1), ("winclip", 2), ("winclip+patch-knn", 2)
    ]  # fmt: skip


def test_a_category_without_test_pictures_is_skipped(open_clip_folder: Path, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", categories=("bolt",), normal=0, abnormal=0)
    done = run_whole(make_plan(root, open_clip_folder, shots=(0,)), tmp_path / "out")
    assert [skip.reason for skip in done.skipped] == ["bolt of set has no labelled test image"]
    assert done.cells == {}


def test_a_broken_picture_skips_its_category_and_the_others_are_measured(
    open_clip_folder: Path, tmp_path: Path
) -> None:
    root = write_set(tmp_path / "set")
    broken = root / "bolt" / "test" / "good" / "001.png"
    broken.write_bytes(broken.read_bytes()[:100])
    plan = make_plan(root, open_clip_folder, shots=(0, 1), seeds=(0,))
    done = run_whole(plan, tmp_path / "out")
    assert {key.category for key in done.cells} == {"metal_nut"}
    assert [skip.key.variant for skip in done.skipped] == [Variant(0), Variant(1, 0)]
    assert all(str(broken) in skip.reason for skip in done.skipped)

    save(broken, np.full((40, 48, 3), 90, np.uint8))
    mended = run_whole(plan, tmp_path / "out")
    assert mended.skipped == []
    assert len(mended.cells) == 4


def test_a_mask_of_another_size_is_a_fault_at_full_size_only(open_clip_folder: Path, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", categories=("bolt",))
    save(root / "bolt" / "ground_truth" / "block" / "001_mask.png", np.full((20, 24), 255, np.uint8))
    assert run_whole(make_plan(root, open_clip_folder, shots=(0,)), tmp_path / "a").skipped == []
    (skip,) = run_whole(make_plan(root, open_clip_folder, shots=(0,), full_size=True), tmp_path / "b").skipped
    assert "must have the size of its image" in skip.reason


def test_a_job_that_is_interrupted_leaves_no_cell(
    small_set: Path, open_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> list[dict[Variant, CellResult]]:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "evaluate_category", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_whole(make_plan(small_set, open_clip_folder), tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_several_methods_keep_their_cells_apart(small_set: Path, open_clip_folder: Path, tmp_path: Path) -> None:
    first = oddlens.load("winclip", open_clip_folder)
    second = oddlens.load("winclip", open_clip_folder, fusion="mean")
    second.name = "winclip-mean"
    done = run_whole(make_plan(small_set, open_clip_folder, shots=(2,), detectors=(first, second)), tmp_path)
    assert [(key.category, key.method) for key in done.cells][::2] == [
        ("bolt", "winclip"),
        ("bolt", "winclip-mean"),
        ("metal_nut", "winclip"),
        ("metal_nut", "winclip-mean"),
    ]


def test_a_renamed_method_calls_objects_as_its_authors_do(
    small_set: Path, open_clip_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_set / "bolt", tmp_path / "parts" / "macaroni1")
    method = oddlens.load("anovl", open_clip_folder)
    method.name = "anovl, other noise"
    run = Benchmark(make_plan(tmp_path / "parts", open_clip_folder, shots=(0,), detectors=(method,)), tmp_path / "out")
    run.open()
    assert [job.object_name for job in run._jobs] == ["macaroni"]


@pytest.fixture
def copied(finished: Benchmark, small_set: Path, open_clip_folder: Path, tmp_path: Path) -> tuple[Plan, Path]:
    """The plan of the finished run on a copy of its data set, and a copy of OUT."""
    shutil.copytree(small_set, tmp_path / "parts")
    shutil.copytree(finished.out, tmp_path / "out")
    return make_plan(tmp_path / "parts", open_clip_folder), tmp_path / "out"


def test_where_an_image_or_a_mask_was_replaced_its_category_is_measured_again(
    finished: Benchmark, small_set: Path, copied: tuple[Plan, Path]
) -> None:
    plan, out = copied
    root = plan.sources[0].dataset.root
    save(root / "bolt" / "test" / "good" / "001.png", np.full((40, 48, 3), 200, np.uint8))
    save(root / "bolt" / "ground_truth" / "block" / "000_mask.png", np.full((40, 48), 255, np.uint8))
    again = Benchmark(plan, out)
    again.open()
    assert again.remarks == [
        "bolt of parts: 2 files (bolt/ground_truth/block/000_mask.png, and 1 more) changed since winclip was measured: "
        "it is measured again"
    ]
    assert [(job.category, len(job.cells)) for job in again.run()] == [("bolt", 3)]
    key = Key("parts", "bolt", "winclip", Variant(0))
    assert again.cells[key].scores[4:] != finished.cells[key].scores[4:]
    settled = Benchmark(plan, out)
    settled.open()
    assert (settled.remarks, settled.pending) == ([], 0)


def test_where_a_good_example_was_replaced_only_the_cells_that_have_it_are_measured_again(
    finished: Benchmark, copied: tuple[Plan, Path]
) -> None:
    plan, out = copied
    examples = finished.cells[Key("parts", "bolt", "winclip", Variant(2, 1))].settings["references"]
    others = finished.cells[Key("parts", "bolt", "winclip", Variant(2, 0))].settings["references"]
    (only,) = set(examples) - set(others)
    save(plan.sources[0].dataset.root / only, np.full((40, 48, 3), 200, np.uint8))
    again = Benchmark(plan, out)
    again.open()
    assert again.remarks == [f"bolt of parts: 1 file ({only}) changed since winclip was measured: it is measured again"]
    assert [[*job.cells] for job in again.run()] == [[Variant(2, 1)]]


def test_cells_of_an_earlier_version_are_used_and_it_is_said_that_they_know_no_contents(
    copied: tuple[Plan, Path],
) -> None:
    plan, out = copied
    whole = Benchmark(plan, out)
    whole.open()
    for key, cell in whole.cells.items():
        settings = {name: value for name, value in cell.settings.items() if name != "files_sha256"}
        write_cell(key.path(out), replace(cell, settings=settings))  # type: ignore[arg-type]
    save(plan.sources[0].dataset.root / "bolt" / "test" / "good" / "001.png", np.full((40, 48, 3), 200, np.uint8))
    again = Benchmark(plan, out)
    again.open()
    assert again.pending == 0
    (remark,) = again.remarks
    assert remark == (
        f"an earlier version made 6 results in {out}, without hashes of the images: whether these changed since is not known; "
        "--no-resume measures again"
    )


def test_test_images_that_weights_were_trained_on_are_said_before_and_in_their_cells(
    small_set: Path, open_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = (small_set / "bolt" / "test" / "good" / "001.png", small_set / "bolt" / "train" / "good" / "001.png")
    training = TrainedOn(("bolts",), frozenset(TrainingImages(learned).sha256().split()))
    monkeypatch.setattr("oddlens.evaluation.plan.trained_on", lambda detector: training)
    run = run_whole(make_plan(small_set, open_clip_folder, [0]), tmp_path / "out")
    said = "the weights of winclip were trained on 1 of {} test images (bolt/test/good/001.png): measure them on another data set"
    assert run.remarks == [f"parts: {said.format(12)}"]
    assert [cell.notes for cell in run.cells.values()] == [(said.format(6),), ()]
    assert summarise(run.plan, run.cells, run.skipped)["methods"]["winclip"]["trained_on"] == ["bolts"]


def test_a_full_disk_ends_the_run_and_what_is_done_stays(
    finished: Benchmark, small_set: Path, open_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(small_set, open_clip_folder)
    stopped = Benchmark(plan, tmp_path / "out")
    stopped.open()
    run = stopped.run()
    next(run)

    def full(maps: MapFile, anomaly_map: object) -> None:
        raise DiskError("the disk is full: make room")

    monkeypatch.setattr(MapFile, "append", full)
    with pytest.raises(
        DiskError, match=r"^the disk is full: make room, then run the same again: it goes on with what is not done$"
    ):
        next(run)
    anew = Benchmark(plan, tmp_path / "anew")
    anew.open(resume=False)
    with pytest.raises(DiskError, match="then run the same again without --no-resume: it goes on"):
        next(anew.run())
    monkeypatch.undo()
    again = Benchmark(plan, tmp_path / "out")
    again.open()
    assert [job.category for job in again.run()] == ["metal_nut"]
    assert without_seconds(again.cells) == without_seconds(finished.cells)


def test_a_job_names_its_cells(finished: Benchmark) -> None:
    job = Job(finished.plan.sources[0], "bolt", finished.plan.detectors[0], "bolt", (), {}, Protocol())
    assert [job.key(variant) for variant in variants([2], [1])] == [Key("parts", "bolt", "winclip", Variant(2, 1))]


def test_a_place_that_cannot_be_a_folder_is_reported_before_anything_is_measured(
    small_set: Path, open_clip_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "away")
    plan = make_plan(small_set, open_clip_folder)
    with pytest.raises(UsageError, match="file is a file: give the name of a folder"):
        Benchmark(plan, tmp_path / "file").open()
    with pytest.raises(UsageError, match="link is a link to a folder that does not exist"):
        Benchmark(plan, tmp_path / "link").open()
    assert not (tmp_path / "away").exists()


class TestMethodsThatNeedGoodExamples:
    """Without any, they are measured on the test images as one set, where they can score a set."""

    def test_the_test_images_are_one_set(self, small_set: Path, open_clip_folder: Path, tmp_path: Path) -> None:
        detector = oddlens.load("subspacead", open_clip_folder, device="cpu", rotations=2)
        plan = make_plan(small_set, open_clip_folder, shots=(0, 2), seeds=(0,), detectors=(detector,))
        cells = run_whole(plan, tmp_path / "out", chunks=CHUNKS).cells
        alone, few = (cells[Key("parts", "bolt", "subspacead", variant)] for variant in (Variant(0), Variant(2, 0)))
        images = [small_set / "bolt" / image.path.removeprefix("bolt/") for image in alone.scores]
        expected = [found.score for found in detector.detect_set(images)]
        assert [image.score for image in alone.scores] == pytest.approx(expected, rel=1e-5)
        assert "scored as one set of 6 test images, without good examples" in alone.notes
        assert alone.figures["pixel_auroc"] is not None
        assert not any("one set" in note for note in few.notes)

    def test_in_small_chunks_the_set_is_the_same(self, small_set: Path, open_clip_folder: Path, tmp_path: Path) -> None:
        detector = oddlens.load("subspacead", open_clip_folder, device="cpu", rotations=2)
        plan = make_plan(small_set, open_clip_folder, shots=(0,), seeds=(0,), detectors=(detector,))
        whole, parts = (
            run_whole(plan, tmp_path / name, chunks=chunks).cells
            for name, chunks in (("one", CHUNKS), ("two", Chunks(images=2, batch_size=2)))
        )
        for key, cell in whole.items():
            found = [image.score for image in parts[key].scores]
            assert found == pytest.approx([image.score for image in cell.scores], rel=1e-4)


def test_out_is_not_the_folder_of_a_data_set(small_set: Path, open_clip_folder: Path) -> None:
    before = sorted(small_set.rglob("*"))
    with pytest.raises(UsageError, match="is the folder of the data set parts: give another --out"):
        Benchmark(make_plan(small_set, open_clip_folder), small_set / "." / "").open()
    assert sorted(small_set.rglob("*")) == before
