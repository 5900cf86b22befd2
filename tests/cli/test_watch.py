"""`oddlens watch`: images as they come, stops, kills, and what is refused."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oddlens
from oddlens.inference import demo
from oddlens.io.png import write_png
from oddlens.station import read_station, write_station
from oddlens.station.changes import by_hand
from oddlens.teaching.references import remove_references
from tests.cli.program import Done, run

PICTURES = demo.FOLDER / "star"


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station of four references on the graphs of the embedded model. Not to be written to."""
    folder = tmp_path_factory.mktemp("stations") / "line-3"
    done = run("station", "create", folder, "--object", "star", "--reference", PICTURES / "train" / "good")
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def tests() -> list[Path]:
    """Five images, good and bad."""
    return sorted((PICTURES / "test").rglob("*.jpg"))[:5]


def lines(out: Path) -> list[dict[str, Any]]:
    path = out / "results.jsonl"
    whole = (
        [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")] if path.exists() else []
    )
    return [json.loads(line) for line in whole]


@contextmanager
def stopped_when(is_so: Callable[[], object]) -> Iterator[None]:
    """SIGTERM for this process when something is so: it must catch it."""
    over = threading.Event()

    def wait() -> None:
        limit = time.monotonic() + 30
        while not over.wait(0.02):
            if is_so() or time.monotonic() > limit:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def watch(*arguments: object, until: int = 0, out: Path) -> Done:
    """A call that is stopped when OUT has so many lines."""
    with stopped_when(lambda: len(lines(out)) >= until):
        return run("watch", *arguments, "--out", out, "--every", "0.05")


def test_what_comes_is_inspected_as_detect_does_until_it_is_stopped(
    station: Path, tests: list[Path], tmp_path: Path
) -> None:
    incoming, out = tmp_path / "in", tmp_path / "out"
    incoming.mkdir()
    for path in tests:
        shutil.copy2(path, incoming / f"{path.parent.name}-{path.name}")
    done = watch(incoming, "--station", station, "--json", out=out, until=5)
    assert done.code == 0
    assert "5 images: " in done.err
    assert done.records == lines(out)
    assert (out / "report.html").is_file()
    assert len((out / "results.csv").read_text().splitlines()) == 6
    detected = run("detect", incoming, "--station", station, "--json").records
    found, expected = ({Path(r["path"]).name: r for r in each} for each in (done.records, detected))
    assert found.keys() == expected.keys()
    for name, record in found.items():
        assert record["score"] == pytest.approx(expected[name]["score"], abs=1e-6)
        assert record["verdict"] == expected[name]["verdict"]
        assert {(out / record[kind]).is_file() for kind in ("overlay", "map", "preview")} == {True}


def test_copies_that_come_together_are_inspected_once_and_those_of_an_earlier_call_stay(
    station: Path, tests: list[Path], tmp_path: Path
) -> None:
    incoming, out = tmp_path / "in", tmp_path / "out"
    incoming.mkdir()
    for name in ("a", "b", "c"):
        shutil.copy2(tests[0], incoming / f"{name}.jpg")
    with stopped_when(lambda: (out / "seen.bin").is_file() and (out / "seen.bin").stat().st_size == 3 * 8):
        done = run("watch", incoming, "--station", station, "--out", out, "--every", "0.05")
    assert done.code == 0
    assert len(lines(out)) == 1
    assert done.err.count("holds what was inspected before: each content counts once") == 1
    new = shutil.copy2(tests[1], incoming / "new.jpg")
    moved = watch(incoming, "--station", station, "--move", out=out, until=2)
    assert moved.err.count("was inspected before, and not moved: it stays where its result names it") == 1
    assert not Path(new).exists()
    named = {Path(line["path"]) for line in lines(out)}
    assert len(named) == 2
    assert all(path.is_file() for path in named)


def test_a_killed_watch_goes_on_where_it_stopped(station: Path, tmp_path: Path) -> None:
    """Kills at random moments: in the end each image has one line, and lies where its line says."""
    incoming, out = tmp_path / "in", tmp_path / "out"
    incoming.mkdir()
    expected = []
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        write_png(incoming / f"{number}.png", pixels)
        expected.append(f"{number}.png")
    call = [sys.executable, "-m", "oddlens", "watch", str(incoming), "--station", str(station), "--out", str(out)]
    call += ["--every", "0.05", "--move"]
    rng = random.Random(0)
    for _ in range(2):
        process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = len(lines(out))
        limit = time.monotonic() + 30
        while len(lines(out)) <= before and time.monotonic() < limit:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.wait()
    done = watch(incoming, "--station", station, "--move", out=out, until=12)
    assert done.code == 0
    found = lines(out)
    assert sorted(Path(record["path"]).name for record in found) == sorted(expected)
    assert all(Path(record["path"]).is_file() and (out / record["map"]).is_file() for record in found)
    assert not list(incoming.glob("*.png"))


def test_thresholds_that_moved_meanwhile_hold_for_what_is_there(
    station: Path, tests: list[Path], tmp_path: Path
) -> None:
    mine = shutil.copytree(station, tmp_path / "station")
    incoming, out = tmp_path / "in", tmp_path / "out"
    incoming.mkdir()
    shutil.copy2(tests[0], incoming / "a.jpg")
    watch(incoming, "--station", mine, out=out, until=1)
    assert run("station", "set", mine, "--threshold", "0.0001").code == 0
    shutil.copy2(tests[1], incoming / "b.jpg")
    done = watch(incoming, "--station", mine, out=out, until=2)
    assert done.code == 0, done.err
    assert [record["threshold"] for record in lines(out)] == [0.0001, 0.0001]
    assert f"no new images: {out / 'report.html'}" in watch(incoming, "--station", mine, out=out, until=2).err


def await_a_result(out: Path) -> None:
    limit = time.monotonic() + 30
    while not lines(out) and time.monotonic() < limit:
        time.sleep(0.02)


@pytest.mark.parametrize("references", [False, True])
def test_a_station_that_changes_meanwhile_is_opened_again(
    station: Path, tests: list[Path], tmp_path: Path, references: bool
) -> None:
    """Where its results cannot go on in the same folder, as with other references, the earlier version goes on."""
    mine = Path(shutil.copytree(station, tmp_path / "station"))
    incoming, out = tmp_path / "in", tmp_path / "out"
    incoming.mkdir()
    shutil.copy2(tests[0], incoming / "a.jpg")

    def change() -> None:
        await_a_result(out)
        if references:
            detector = oddlens.open_station(mine)
            remove_references(detector, (detector.references or ()).digests[:1])  # type: ignore[union-attr]
            write_station(detector.to_state(), mine, what="one less")
        else:
            write_station(by_hand(read_station(mine), 0.0001, None, None), mine, what="another threshold")
        shutil.copy2(tests[1], incoming / "b.jpg")

    thread = threading.Thread(target=change)
    thread.start()
    done = watch(incoming, "--station", mine, out=out, until=2)
    thread.join()
    assert done.code == 0, done.err
    first, second = (record["threshold"] for record in lines(out))
    assert first == second != 0.0001 if references else (first, second) == (0.0001, 0.0001)
    said = "and goes on as it was before" if references else "its new version inspects from now on"
    assert f"the station was changed{',' if references else ':'} {said}" in done.err


def test_a_station_that_is_put_back_at_once_ends_nothing(
    station: Path, tests: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks changed after the first image, and a moment later it is as it was."""
    incoming, out = tmp_path / "in", tmp_path / "out"
    incoming.mkdir()
    shutil.copy2(tests[0], incoming / "a.jpg")

    def has_changed(_: object) -> bool:
        is_first = len(lines(out)) == 1 and not (incoming / "b.jpg").exists()
        if is_first:
            shutil.copy2(tests[1], incoming / "b.jpg")
        return is_first

    monkeypatch.setattr("oddlens.cli.watch._StationOnDisk.has_changed", has_changed)
    assert watch(incoming, "--station", station, out=out, until=2).code == 0
    assert len(lines(out)) == 2


def test_a_line_that_neither_version_can_go_on_with_is_closed_once(
    station: Path, tests: list[Path], tmp_path: Path
) -> None:
    mine = Path(shutil.copytree(station, tmp_path / "station"))
    incoming, out = tmp_path / "in", tmp_path / "out"
    incoming.mkdir()
    shutil.copy2(tests[0], incoming / "a.jpg")

    def change() -> None:
        await_a_result(out)
        (out / "run.json").write_text("torn")
        write_station(by_hand(read_station(mine), 0.0001, None, None), mine, what="another threshold")

    thread = threading.Thread(target=change)
    thread.start()
    done = watch(incoming, "--station", mine, out=out, until=2)
    thread.join()
    assert done.code == 2
    assert "run.json" in done.err.splitlines()[-1]
    assert "goes on as it was before" in done.err
    assert done.err.count("1 image: ") == 1


def test_results_go_to_a_program_too(station: Path, tests: list[Path], tmp_path: Path) -> None:
    incoming, out = tmp_path / "in", tmp_path / "out"
    incoming.mkdir()
    shutil.copy2(tests[0], incoming / "a.jpg")
    note = shlex.join(
        [sys.executable, "-c", "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())", str(tmp_path / "event")]
    )
    watch(incoming, "--station", station, "--on-each", note, out=out, until=1)
    event = json.loads((tmp_path / "event").read_text())
    [line] = lines(out)
    assert line.items() <= event.items()
    assert event["station"] == "line-3"
    assert event["identity"]["reference_count"] == 4


def test_a_camera_that_is_a_video_ends_by_itself(station: Path, tmp_path: Path) -> None:
    from tests.small_video import drive, write_video

    video = write_video(tmp_path / "drive.mp4", drive(3))
    done = run(
        "watch",
        "--camera",
        video,
        "--station",
        station,
        "--out",
        tmp_path / "out",
        "--every",
        "0",
        "--write",
        "nothing",
    )
    assert done.code == 0
    assert "watching the camera drive.mp4" in done.err
    found = lines(tmp_path / "out")
    assert found
    for record in found:
        assert ("file" in record) == (record["verdict"] != "ok")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], r"give either a folder or --camera"),
        (["in", "--camera", "0"], r"give either a folder or --camera"),
        (["--camera", "0", "--move"], r"--move is for a folder"),
        (["FILE"], r"is no folder: give the folder that images come into"),
        (["in", "--on-ng", "no-such-program"], r"there is no program 'no-such-program'"),
        (["in", "--webhook", "ftp://x"], r"results cannot go to ftp://x"),
        (["in", "--write", "pictures"], r"pictures"),
        (["--camera", "ftp://me:geheim@x/y"], r"there is no camera ftp://x/y"),
        (["in", "--every", "-1"], r"--every"),
    ],
)
def test_what_cannot_be_watched_is_one_sentence(station: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "FILE").write_bytes(b"")
    words = [str(tmp_path / word) if word in ("FILE", "in") else word for word in arguments]
    done = run("watch", *words, "--station", station, "--out", tmp_path / "out")
    assert done.code == 2
    assert said in done.sentence
    assert "geheim" not in done.err
    assert not (tmp_path / "out").exists()


def test_a_station_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    done = run("watch", tmp_path, "--station", tmp_path / "none", "--out", tmp_path / "out")
    assert done.code == 2
    assert "none" in done.sentence
