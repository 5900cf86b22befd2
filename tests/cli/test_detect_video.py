"""`oddlens detect` on videos: frames by name, every nth, smoothed, and going on after a stop."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.program import Done
from tests.small_video import drive, write_video

Detect = Callable[..., Done]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "drive.mp4", drive(20))


def maps(out: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted((out / "maps").iterdir())]


def scores(out: Path) -> list[float]:
    return [json.loads(line)["score"] for line in (out / "results.jsonl").read_text().splitlines()]


def test_every_frame_has_a_line_an_overlay_and_a_map(detect: Detect, video: Path, tmp_path: Path) -> None:
    done = detect(video, "--every", 8, "--out", tmp_path / "out", "--json")
    assert done.code == 0
    assert [record["path"] for record in done.records] == [f"{video}#{number:06d}" for number in (0, 8, 16)]
    names = ["drive-000000", "drive-000008", "drive-000016"]
    assert sorted(path.stem for path in (tmp_path / "out" / "overlays").iterdir()) == names
    assert sorted(path.stem for path in (tmp_path / "out" / "maps").iterdir()) == names


def test_frames_and_pictures_go_together(detect: Detect, video: Path, parts: Path) -> None:
    done = detect(parts, video, "--every", 10, "--json")
    assert [Path(record["path"]).name for record in done.records] == [
        "0.png", "1.png", "2.png", "drive.mp4#000000", "drive.mp4#000010",
    ]  # fmt: skip


def test_smoothed_maps_are_exponential_means_of_plain_ones(detect: Detect, video: Path, tmp_path: Path) -> None:
    for name, options in (("plain", ()), ("smooth", ("--set", "smooth=0.4"))):
        assert detect(video, "--every", 2, *options, "--out", tmp_path / name, "--write", "maps").code == 0
    plain, smooth = maps(tmp_path / "plain"), maps(tmp_path / "smooth")
    mean, score = plain[0], scores(tmp_path / "plain")[0]
    for anomaly_map, found, own, told in zip(
        plain, smooth, scores(tmp_path / "plain"), scores(tmp_path / "smooth"), strict=True
    ):
        mean, score = 0.4 * anomaly_map + 0.6 * mean, 0.4 * own + 0.6 * score
        assert np.allclose(found, mean, atol=1e-6)
        assert told == pytest.approx(score, abs=1e-6)
    assert not np.allclose(plain[-1], smooth[-1], atol=1e-5)


@pytest.mark.parametrize("options", [(), ("--set", "smooth=0.4")])
def test_a_run_that_was_stopped_ends_as_an_undisturbed_one(
    detect: Detect, video: Path, tmp_path: Path, options: tuple[object, ...]
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    for folder in (whole, out):
        detect(video, *options, "--out", folder, "--write", "maps")
    lines = (out / "results.jsonl").read_text().splitlines(keepends=True)
    (out / "results.jsonl").write_text("".join(lines[:11]))  # in the second group of eight
    for path in sorted((out / "maps").iterdir())[11:]:
        path.unlink()
    assert detect(video, *options, "--out", out, "--write", "maps", "--resume").code == 0
    assert scores(out) == scores(whole)
    assert all(np.array_equal(a, b) for a, b in zip(maps(out), maps(whole), strict=True))


def test_frames_further_apart_are_another_smoothing(detect: Detect, video: Path, tmp_path: Path) -> None:
    detect(video, "--every", 4, "--set", "smooth=0.4", "--out", tmp_path / "out")
    done = detect(video, "--every", 2, "--set", "smooth=0.4", "--out", tmp_path / "out", "--resume")
    assert done.code == 2
    assert "holds results of other settings (smoothing)" in done.sentence


def test_smoothing_cannot_go_on_from_a_map_that_is_gone(detect: Detect, video: Path, tmp_path: Path) -> None:
    detect(video, "--set", "smooth=0.4", "--out", tmp_path / "out")
    (tmp_path / "out" / "maps" / "drive-000007.tiff").unlink()
    done = detect(video, "--set", "smooth=0.4", "--out", tmp_path / "out", "--resume")
    assert done.code == 2
    assert "drive-000007.tiff, from which smoothing would continue, is missing or damaged" in done.sentence


@pytest.mark.parametrize("options", [("--every", 2), ("--set", "smooth=0.5")])
def test_what_is_for_videos_is_refused_without_one(detect: Detect, parts: Path, options: tuple[object, ...]) -> None:
    done = detect(parts, *options)
    assert done.code == 2
    assert done.sentence.startswith("--every and smooth are for videos, and there is none among the images")


def test_smoothing_needs_maps_to_go_on_from(detect: Detect, video: Path, tmp_path: Path) -> None:
    done = detect(video, "--set", "smooth=0.5", "--write", "overlays", "--out", tmp_path / "out")
    assert done.code == 2
    assert done.sentence == "smoothing continues from the maps of a stopped run: write maps, too"


def test_a_file_that_only_has_a_videos_name_is_one_sentence(detect: Detect, tmp_path: Path) -> None:
    (tmp_path / "drive.mp4").write_bytes(b"nothing")
    done = detect(tmp_path / "drive.mp4")
    assert done.code == 2
    assert "drive.mp4 holds no video that can be read: check the file" in done.sentence


def test_a_video_without_pictures_does_not_stop_those_beside_it(detect: Detect, parts: Path, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    (tmp_path / "empty.mp4").touch()
    done = detect(tmp_path / "sound.mp4", parts, tmp_path / "empty.mp4", "--out", tmp_path / "out", "--json")
    assert done.code == 1
    assert ["error" in record for record in done.records] == [True, False, False, False, True]
    assert [line.split(" holds ")[0] for line in done.err.splitlines()[:2]] == [
        f"oddlens: {tmp_path}/sound.mp4",
        f"oddlens: {tmp_path}/empty.mp4",
    ]


def test_a_video_of_which_nothing_is_known_may_be_meant_by_every(detect: Detect, tmp_path: Path) -> None:
    (tmp_path / "drive.mp4").write_bytes(b"nothing")
    assert "holds no video that can be read" in detect(tmp_path / "drive.mp4", "--every", 2).sentence
