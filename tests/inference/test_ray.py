"""Runs on workers of Ray end as runs in this process do, whoever is killed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import oddlens
from oddlens.detection import Detection
from oddlens.errors import Failure, UsageError, counted
from oddlens.inference.kinds import KINDS
from oddlens.inference.predictor import Predictor
from oddlens.inference.ray import RayEngine, sent_parts
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import FolderSink, Sink
from oddlens.inference.smoothing import Smoothing
from oddlens.inference.task import HeldImage, Item, Task
from oddlens.inference.workers import Workers
from oddlens.io.inputs import each_input
from oddlens.io.video import VideoFrame
from tests.cli.program import run as oddlens_command
from tests.contract.loaded import load_tiny
from tests.contract.test_methods import CASES
from tests.inference.far import ByFolder, Mortal, Refusing
from tests.inference.stub import StubPredictor
from tests.noise import write_pictures

ray = pytest.importorskip("ray", reason="the extra ray is not installed")

THREADS = torch.get_num_threads()
"""Of this process and of each worker: with other ones the last bits may be others."""

BATCH = 4


@pytest.fixture(scope="module")
def engine() -> Iterator[RayEngine]:
    """Two workers, which each run gets anew, on one Ray."""
    ray.init("local", num_cpus=2 * THREADS, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield RayEngine(Workers(count=2, threads=THREADS))
    ray.shutdown()


@pytest.fixture
def single(engine: RayEngine) -> RayEngine:
    """One worker on the same Ray, where a second one would show no more: each takes seconds to start."""
    return RayEngine(Workers(count=1, threads=THREADS))


def outcomes(
    out: Path,
    predictor: Predictor,
    items: Sequence[Item],
    engine: RayEngine | None,
    *more: Sink,
    resume: bool = False,
) -> list[Detection | Failure]:
    """What a run into a folder gives."""
    folder = FolderSink(ResultsFolder(out, resume=resume))
    return list(run(predictor, Task("nut", tuple(items)), [*more, folder], batch_size=BATCH, engine=engine))


def lines(out: Path) -> list[str]:
    """The lines of results.jsonl but for times, spelled as they are."""
    return [re.sub(r'"ms": [^,]+', '"ms": 0', line) for line in (out / "results.jsonl").read_text().splitlines()]


def assert_same(one: Path, other: Path) -> None:
    """Two results folders are the same byte for byte, but for times."""
    assert lines(one) == lines(other)
    drawn = sorted(path.relative_to(one) for kind in KINDS for path in (one / kind).glob("*"))
    assert drawn == sorted(path.relative_to(other) for kind in KINDS for path in (other / kind).glob("*"))
    assert drawn
    for path in drawn:
        assert (one / path).read_bytes() == (other / path).read_bytes(), path


def test_every_method_finds_the_same_to_the_bit(
    engine: RayEngine, open_clip_folder: Path, tmp_path: Path, pictures: list[NDArray[np.uint8]]
) -> None:
    detectors = {"mini": oddlens.load("winclip", device="cpu").set_thresholds(0.5, 0.5)}
    for card, shots in CASES:
        loaded = load_tiny(card.name, open_clip_folder, tmp_path)
        if loaded.recipe.is_independent:
            loaded.set_thresholds(0.5, 0.5)
            detectors[f"{card.name}-{shots}"] = loaded.add_references(pictures[5 : 5 + shots]) if shots else loaded
    items: list[Item] = []
    for name in detectors:
        items += write_pictures(tmp_path / "in" / name, 2 * BATCH)
    (tmp_path / "in" / "mini" / "1.png").write_bytes(b"")
    nowhere = str(tmp_path / "in" / "mini" / "nowhere.png")
    items[2] = Failure(nowhere, f"{nowhere} does not exist: check the path")
    items.pop()  # so that the last group is a part of one
    outcomes(tmp_path / "here", ByFolder(detectors), items, None)
    found = outcomes(tmp_path / "there", ByFolder(detectors), items, engine)
    assert_same(tmp_path / "here", tmp_path / "there")
    assert [each.source for each in found] == list(map(os.fspath, items))
    assert [number for number, each in enumerate(found) if isinstance(each, Failure)] == [1, 2]


def test_a_station_learns_and_says_the_same_of_its_line(engine: RayEngine, tmp_path: Path) -> None:
    good, line = write_pictures(tmp_path / "good", 6), write_pictures(tmp_path / "in", 30, seed=1)
    samples, reports = [], []
    for name, options in (("here", ()), ("there", ("--engine", "ray", "--workers", f"1x{THREADS}"))):
        words = ("--object", "nut", "--reference", good[0].parent)
        made = oddlens_command("station", "create", tmp_path / name, *words)
        assert made.code == 0, made.err
        out = tmp_path / f"out-{name}"
        done = oddlens_command(
            "detect", line[0].parent, "--station", tmp_path / name, "--audit", "0.5", *options, "--out", out
        )
        assert done.code == 0
        reports.append(json.loads((out / "run.json").read_text())["said"])
        samples.append(sorted(path.name for path in (tmp_path / name / "learning").iterdir()))
    assert_same(tmp_path / "out-here", tmp_path / "out-there")
    assert len(samples[0]) == 30
    assert samples[0] == samples[1]
    assert str(reports[0]).replace("here", "there") == str(reports[1])
    assert (tmp_path / "out-there" / "results.parquet").is_file()
    assert any('"audit": true' in line for line in lines(tmp_path / "out-there"))


def test_a_worker_that_is_killed_is_started_again(single: RayEngine, tmp_path: Path) -> None:
    items = write_pictures(tmp_path / "in", 40)
    mark = tmp_path / "killed"
    outcomes(tmp_path / "here", StubPredictor(), items, None)
    outcomes(tmp_path / "there", Mortal("21.png", mark), items, single)
    assert int(mark.read_text()) != os.getpid()
    assert_same(tmp_path / "here", tmp_path / "there")


def test_what_a_worker_cannot_do_is_said_in_its_sentence_and_nothing_before_is_lost(
    single: RayEngine, tmp_path: Path
) -> None:
    items = write_pictures(tmp_path / "in", 40)
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="the worker has had enough: ask another one"):
        outcomes(out, Refusing("21.png"), items, single)
    assert len(lines(out)) == 20  # whole groups
    outcomes(out, StubPredictor(), items, single, resume=True)
    outcomes(tmp_path / "here", StubPredictor(), items, None)
    assert_same(tmp_path / "here", out)


def test_a_run_whose_driver_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    items = write_pictures(tmp_path / "in", 40)
    whole, out = tmp_path / "whole", tmp_path / "out"
    options = ["--threshold", "0.5,0.5", "--write", "maps", "--out"]
    command = [
        sys.executable,
        "-m",
        "oddlens",
        "detect",
        tmp_path / "in",
        "--engine",
        "ray",
        "--workers",
        f"1x{THREADS}",
    ]
    words = map(str, [*command, *options, out])
    mark = f"TEST_RUN={out}"
    with subprocess.Popen([*words], stderr=subprocess.DEVNULL, env={**os.environ, "TEST_RUN": str(out)}) as process:
        try:
            deadline = time.monotonic() + 120
            while not (out / "results.jsonl").is_file() or len(lines(out)) < 3:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            process.kill()
    assert len(lines(out)) < len(items)
    done = oddlens_command("detect", tmp_path / "in", "--resume", *options, out)
    assert done.code == 0
    assert 0 < int(re.search(r"\((\d+) new\)", done.err)[1]) < len(items)  # type: ignore[index]
    assert oddlens_command("detect", tmp_path / "in", *options, whole).code == 0
    assert_same(whole, out)
    assert json.loads((out / "run.json").read_text())["run"] == json.loads((whole / "run.json").read_text())["run"]
    deadline = time.monotonic() + 30  # Ray's own processes would wait a minute for one that went with the driver
    while left := processes_with(mark):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def processes_with(mark: str) -> list[str]:
    """The processes that have an entry in their environment, which those that they start have, too."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it ended meanwhile, or is another user's
            continue
    return found


class TestRefusals:
    @pytest.mark.parametrize(
        ("item", "sentence"),
        [
            (
                VideoFrame(SimpleNamespace(path=Path("drive.mp4")), 3),  # type: ignore[arg-type]
                "drive.mp4 is a video, whose frames are read one after the other: run it without --engine ray",
            ),
            (
                HeldImage("camera 1", "1", b"", "", datetime(2026, 1, 1)),
                "camera 1 is no file that a worker could read: run without an engine",
            ),
        ],
    )
    def test_what_workers_cannot_read(self, item: Item, sentence: str) -> None:
        with pytest.raises(UsageError, match=re.escape(sentence)):
            run(StubPredictor(), Task("nut", (item,)), engine=RayEngine())

    def test_smoothing_which_needs_an_order(self) -> None:
        with pytest.raises(UsageError, match=r"smoothing follows frames in their order, which workers do not"):
            run(StubPredictor(), Task("nut", ()), smoothing=Smoothing(0.5), engine=RayEngine())


@pytest.mark.parametrize(
    ("images", "workers", "sizes"),
    [
        (1, 1, [1]),
        (20, 2, [8, 8, 4]),
        (200, 1, [64, 64, 32, 16, 8, 8, 8]),
        (300, 2, [64, 56, 40, 32, 24, 16, 16, 8, 8, 8, 8, 8, 8, 4]),
        (0, 4, []),
    ],
)
def test_parts_are_whole_groups_and_become_smaller_towards_the_end(images: int, workers: int, sizes: list[int]) -> None:
    inputs = list(each_input([Path(f"{number}.png") for number in range(images)]))
    parts = list(sent_parts(inputs, Task("nut", ()), [], 8, workers))
    assert [len(part) for part in parts] == sizes
    assert [os.fspath(item) for part in parts for item in part] == [each.source for each in inputs]


def test_more_workers_than_there_is_room_for_are_refused_before_anything_is_written(
    engine: RayEngine, tmp_path: Path
) -> None:
    too_many = RayEngine(Workers(count=3, threads=THREADS))
    with pytest.raises(
        UsageError, match=rf"there is room in Ray for 2 workers of {counted(THREADS, 'processor')} each"
    ):
        outcomes(tmp_path / "out", StubPredictor(), write_pictures(tmp_path / "in", 2), too_many)
    assert not (tmp_path / "out").exists()
