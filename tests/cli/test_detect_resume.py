"""`oddlens detect --resume` and `--overwrite`: a run that was stopped ends as an undisturbed one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from oddlens.detector import Detector
from oddlens.encoding import EncodedBatch, Encoder, Prepared
from oddlens.io.images import Picture
from tests.cli.program import Done, run
from tests.noise import write_picture, write_pictures

Detect = Callable[..., Done]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestGoingOn:
    def test_results_that_are_there_already_are_neither_lost_nor_taken_for_granted(
        self, detect: Detect, parts: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        detect(parts, "--out", out)
        before = (out / "results.jsonl").read_bytes()
        done = detect(parts, "--out", out)
        assert done.code == 2
        assert done.sentence == (
            f"{out} holds results already: add --resume to go on, --overwrite to start over, or give another --out"
        )
        assert (out / "results.jsonl").read_bytes() == before

    def test_a_run_that_is_killed_and_started_again_ends_as_an_undisturbed_one(
        self, detect: Detect, tmp_path: Path, open_clip_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        count, until = 40, 11
        write_pictures(tmp_path / "in", count)
        (tmp_path / "in" / "20.png").write_bytes(b"")
        options = ("--threshold", "0.5,0.5")
        detect(tmp_path / "in", *options, "--out", tmp_path / "whole")

        out = tmp_path / "stopped"
        command = [sys.executable, "-m", "oddlens", "detect", tmp_path / "in", "--model", open_clip_folder, *options]
        with subprocess.Popen(
            [*map(str, command), "--out", str(out), "--json"],
            stdout=subprocess.PIPE,
            pipesize=4096,  # so that it waits for us to read on, long before the last image
            env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        ) as process:
            assert process.stdout is not None
            printed = [json.loads(process.stdout.readline()) for _ in range(until)]
            process.kill()
        written = (out / "results.jsonl").read_text()
        assert until <= written.count("\n") < count
        (out / "results.jsonl").write_text(written[:-30])
        left = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()[:-1]]
        assert left[: until - 1] == printed[: until - 1]

        looked_at: list[str] = []
        prepare = Encoder.prepare

        def watched(self: Encoder, picture: Picture) -> Prepared:
            looked_at.append(picture.source)
            return prepare(self, picture)

        monkeypatch.setattr(Encoder, "prepare", watched)
        done = detect(tmp_path / "in", *options, "--out", out, "--resume")
        assert done.code == 1  # for the empty image
        finished_groups = len(left) // 8 * 8
        expected = {str(tmp_path / "in" / f"{number}.png") for number in range(finished_groups, count) if number != 20}
        assert set(looked_at) == expected
        assert len(looked_at) == len(expected)

        def content(folder: Path) -> list[dict[str, object]]:
            records = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
            return [{name: value for name, value in record.items() if name != "ms"} for record in records]

        assert content(out) == content(tmp_path / "whole")
        assert len(content(out)) == count
        for kind in ("overlays", "maps"):
            whole = {path.name: path.read_bytes() for path in (tmp_path / "whole" / kind).iterdir()}
            assert {name: (out / kind / name).read_bytes() for name in whole} == whole
            assert len(whole) == count - 1

    def test_going_on_where_nothing_is_left_looks_at_nothing(
        self, detect: Detect, parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = detect(parts, "--out", tmp_path / "out", "--json")
        monkeypatch.setattr(Detector, "detect_each", None)
        again = detect(parts, "--out", tmp_path / "out", "--json", "--resume")
        assert again.code == 0
        assert again.out == first.out

    def test_going_on_before_there_is_anything_begins(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        assert detect(parts, "--out", tmp_path / "out", "--resume").code == 0
        assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 3

    def test_a_picture_that_failed_is_tried_again_in_its_place(
        self, detect: Detect, parts: Path, tmp_path: Path
    ) -> None:
        sound = (parts / "1.png").read_bytes()
        (parts / "1.png").write_bytes(b"")
        assert detect(parts, "--out", tmp_path / "out").code == 1
        (parts / "1.png").write_bytes(sound)
        assert detect(parts, "--out", tmp_path / "out", "--resume").code == 0
        records = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
        assert [Path(record["path"]).name for record in records] == ["0.png", "1.png", "2.png"]
        assert all("score" in record for record in records)

    def test_it_says_how_many_images_are_new_and_keeps_the_lines_of_removed_ones(
        self, detect: Detect, parts: Path, tmp_path: Path
    ) -> None:
        lines, page = (tmp_path / "out" / name for name in ("results.jsonl", "report.html"))
        assert detect(parts, "--out", tmp_path / "out").err == f"3 images: 3 without a verdict, 0 failed: {page}\n"
        first = lines.read_text().splitlines()[0]
        (parts / "0.png").unlink()
        write_picture(parts / "new.png", np.random.default_rng(4))
        assert (
            detect(parts, "--out", tmp_path / "out", "--resume").err
            == f"3 images (1 new): 3 without a verdict, 0 failed: {page}\n"
        )
        after = lines.read_text().splitlines()
        assert after[0] == first
        assert [Path(json.loads(line)["path"]).name for line in after] == ["0.png", "1.png", "2.png", "new.png"]

    @pytest.mark.parametrize(
        ("change", "differing"),
        [
            (["--object", "bolt"], "object"),
            (["--set", "temperature=0.01"], "recipe temperature"),
            (["--threshold", "0.5", "--object", "bolt"], "object"),
            (["--reference", "parts/0.png"], "references"),
            (["--write", "overlays,masks,labels,previews", "--object", "bolt"], "object, maps"),
        ],
        ids=["object", "recipe", "threshold and object", "references", "two of them"],
    )
    def test_other_settings_are_refused_by_name(
        self,
        detect: Detect,
        parts: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        change: list[str],
        differing: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        detect("parts", "--out", "out")
        before = (tmp_path / "out" / "results.jsonl").read_bytes()
        done = detect("parts", "--out", "out", "--resume", *change)
        assert done.code == 2
        assert done.sentence == (
            f"out holds results of other settings ({differing}): give the same ones, or another --out"
        )
        assert (tmp_path / "out" / "results.jsonl").read_bytes() == before

    def test_another_model_is_refused(
        self, detect: Detect, parts: Path, tmp_path: Path, transformers_folder: Path
    ) -> None:
        detect(parts, "--out", tmp_path / "out")
        done = run("detect", parts, "--out", tmp_path / "out", "--resume", "--model", transformers_folder)
        assert done.code == 2
        assert "model, model_sha256" in done.sentence

    def test_beginning_anew_removes_what_the_earlier_run_left(
        self, detect: Detect, parts: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        detect(parts, "--out", out)
        (out / "overlays" / ".oddlens-0123.png").touch()  # as a killed run leaves it
        (out / "notes.txt").write_text("mine")
        (parts / "1.png").unlink()
        assert detect(parts, "--out", out, "--overwrite", "--object", "bolt").code == 0
        assert names_in(out / "overlays") == ["0.png", "2.png"]
        assert names_in(out / "maps") == ["0.tiff", "2.tiff"]
        assert len((out / "results.jsonl").read_text().splitlines()) == 2
        assert (out / "notes.txt").read_text() == "mine"

    def test_beginning_anew_removes_nothing_if_the_new_run_cannot_start(
        self, detect: Detect, parts: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        detect(parts, "--out", out)
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        assert detect(parts, "--out", out, "--overwrite", "--object", " ").code == 2
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before

    def test_a_stopped_run_says_how_to_go_on(
        self, detect: Detect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        encode = Encoder.encode

        def interrupted(self: Encoder, images: Iterable[Prepared]) -> list[EncodedBatch]:
            if (tmp_path / "out").exists():
                raise KeyboardInterrupt
            return encode(self, images)

        write_pictures(tmp_path / "in", 9)
        with monkeypatch.context() as patch:
            patch.setattr(Encoder, "encode", interrupted)
            done = detect(tmp_path / "in", "--out", tmp_path / "out")
        assert done.code == 130
        assert done.err == "stopped: the same call with --resume goes on from here\n"
        assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 8
        assert detect(tmp_path / "in", "--out", tmp_path / "out", "--resume").code == 0
