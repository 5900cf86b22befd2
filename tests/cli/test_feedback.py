"""`oddlens feedback`: marks of results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.data.shapes import mask_of
from oddlens.io.images import read_image
from oddlens.station import FEEDBACK, versions
from oddlens.station.feedback import read_feedback
from tests.cli.program import Done, run
from tests.noise import write_picture

Detect = Callable[..., Done]


@pytest.fixture
def station(open_clip_folder: Path, parts: Path, tmp_path: Path) -> Path:
    """A station, and results of it in out: one image of each verdict, and one that cannot be read."""
    detector = oddlens.load(model=open_clip_folder)
    scores = sorted(found.score for found in detector.detect(sorted(parts.iterdir())))
    detector.set_thresholds(image=(scores[1] + scores[2]) / 2, review=(scores[0] + scores[1]) / 2, pixel=0.5)
    detector.save(tmp_path / "line")
    (parts / "broken.png").write_bytes(b"no image")
    run("detect", parts, "--station", tmp_path / "line", "--out", tmp_path / "out")
    return tmp_path / "line"


def records(station: Path) -> dict[str, dict[str, object]]:
    """The results by verdict."""
    lines = map(json.loads, (station.parent / "out" / "results.jsonl").read_text().splitlines())
    return {line["verdict"]: line for line in lines if "error" not in line}


def test_a_mark_keeps_what_was_said_and_what_the_station_said(station: Path) -> None:
    of = records(station)
    assert set(of) == {"ok", "review", "ng"}
    out = station.parent / "out"
    done = run(
        "feedback", station, out, "--good", of["ng"]["path"], of["review"]["path"], "--bad", of["ok"]["path"],
        "--defect", "dent", "--reviewer", "Ada", "--comment", "seen twice", "--json",
    )  # fmt: skip
    assert done.code == 0
    assert (station / FEEDBACK).read_text() == done.out
    marks = {mark["verdict"]: mark for mark in done.records}
    assert {verdict: (mark["said"], mark["judged"], mark["defect"]) for verdict, mark in marks.items()} == {
        "ng": ("good", "wrong", None),
        "review": ("good", "wrong", None),
        "ok": ("bad", "wrong", "dent"),
    }
    for verdict, mark in marks.items():
        assert mark["score"] == of[verdict]["score"]
        assert mark["sha256"] == read_image(str(of[verdict]["path"])).digest()
        assert (mark["reviewer"], mark["comment"], mark["version"], mark["audit"]) == ("Ada", "seen twice", 1, False)


def test_a_name_is_enough_from_anywhere(station: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Path(str(records(station)["ng"]["path"])).absolute()
    monkeypatch.chdir(tmp_path)
    done = run("feedback", station, station.parent / "out", "--good", image.name, "--json")
    assert done.code == 0
    (mark,) = done.records
    assert mark["image"] == str(image)
    refused = run("feedback", station, station.parent / "out", "--good", "nobody.png")
    assert refused.code == 2
    assert "nobody.png does not exist: check the path" in refused.err


def test_nothing_changes_but_the_list_of_marks(station: Path) -> None:
    before = {path: path.read_bytes() for path in station.rglob("*") if path.is_file()}
    done = run("feedback", station, station.parent / "out", "--unsure", records(station)["ng"]["path"])
    assert done.code == 0
    assert done.out.startswith("unsure  NG     unsure  ")
    after = {path: path.read_bytes() for path in station.rglob("*") if path.is_file()}
    assert {path for path in after if before.get(path) != after[path]} == {station / FEEDBACK}
    assert len(versions(station)) == 1


def test_what_marks_say_of_the_station_is_printed(station: Path) -> None:
    out, of = station.parent / "out", records(station)
    done = run("feedback", station, out, "--bad", of["ng"]["path"])
    assert "Of the NG images that were marked, 1 of 1 is bad" in done.out
    assert "Nothing is known of misses" in done.out
    assert f"1 image is marked in {station / FEEDBACK}: 'oddlens station show' and the service's page Teach" in done.err


def test_audited_images_are_marked_as_such(station: Path, parts: Path) -> None:
    out = station.parent / "audited"
    done = run("detect", parts, "--station", station, "--out", out, "--audit", 1)
    assert "1 image called OK, drawn for audit" in done.err
    done = run("feedback", station, out, "--good", records(station)["ok"]["path"], "--json")
    assert done.records[0]["audit"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "no image is marked"),
        ("--good nowhere.png", "nowhere.png"),
        ("--good other.png", "has no result of other.png"),
        ("--good parts/broken.png", "has no result of parts/broken.png"),
        ("--good parts/0.png --bad parts/0.png", "parts/0.png is marked both good and bad"),
        ("--good parts/0.png --defect dent", "--defect says what is wrong with the --bad images"),
        ("--bad parts/0.png --defect unknown", "no defect can be called 'unknown'"),
        ("--bad parts/0.png --defect dent,scratch", "the name of a defect 'dent,scratch' has a comma in it"),
        (f"--bad parts/0.png --reviewer {'A' * 101}", "the reviewer's name has 101 letters, more than 100"),
        ("--bad parts/0.png --bad parts/1.png --unsure parts/1.png", "marked both bad and unsure"),
    ],
)
def test_one_wrong_name_marks_nothing(
    station: Path, tmp_path: Path, words: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "other.png")
    done = run("feedback", "line", "out", *words.split())
    assert done.code == 2
    assert said in done.sentence
    assert not (station / FEEDBACK).exists()


def test_an_image_that_is_another_one_now_is_not_marked(station: Path, parts: Path) -> None:
    Image.fromarray(np.zeros((40, 48, 3), np.uint8)).save(parts / "0.png")
    done = run("feedback", station, station.parent / "out", "--good", parts / "0.png")
    assert done.code == 2
    assert "0.png has changed since" in done.sentence


def test_results_of_another_station_are_not_marked(station: Path, open_clip_folder: Path, parts: Path) -> None:
    """Its thresholds may be others, but it must give images the same scores."""
    other = station.parent / "other"
    detector = oddlens.open_station(station)
    detector.object_name = "nut"
    detector.save(other)
    done = run("feedback", other, station.parent / "out", "--good", parts / "0.png")
    assert done.code == 2
    assert (
        f"was not scored by the station {other}, which would score these images in another way (object)"
        in done.sentence
    )
    assert not (other / FEEDBACK).exists()


def test_results_of_an_earlier_version_of_the_station_are_marked(station: Path, parts: Path) -> None:
    detector = oddlens.open_station(station)
    detector.add_references(parts / "1.png").set_thresholds(image=0.5).save(station)
    assert run("feedback", station, station.parent / "out", "--good", parts / "0.png").code == 0


def test_a_folder_without_results_or_station_is_refused(station: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("feedback", station, tmp_path / "empty", "--good", tmp_path / "parts" / "0.png")
    assert (done.code, "holds no results" in done.sentence) == (2, True)
    done = run("feedback", tmp_path / "empty", tmp_path / "out", "--good", tmp_path / "parts" / "0.png")
    assert (done.code, "not a station" in done.sentence) == (2, True)
    assert not list((tmp_path / "empty").iterdir())


def export(station: Path, *, defect: str) -> Path:
    """What Label Studio exports where people agree with what is predicted, and name the defect."""
    out = station.parent
    assert run("results", "label-studio", out / "out", "--to", out / "tasks").code == 0
    tasks = json.loads((out / "tasks" / "tasks.json").read_text())
    for task in tasks:
        result = task["predictions"][0]["result"]
        for each in result:
            if each["type"] == "brushlabels":
                each["value"]["brushlabels"] = [defect]
        task["annotations"] = [{"result": result, "completed_by": {"email": "ada@example.org"}}]
    (out / "export.json").write_text(json.dumps(tasks))
    return out / "export.json"


def test_what_people_said_in_label_studio_becomes_marks_with_masks(station: Path) -> None:
    of, out = records(station), station.parent / "out"
    done = run("feedback", station, out, "--label-studio", export(station, defect="dent"), "--json")
    assert done.code == 0
    marks = {mark["verdict"]: mark for mark in done.records}
    assert {verdict: (mark["said"], mark["defect"], mark["reviewer"]) for verdict, mark in marks.items()} == {
        "ok": ("good", None, "ada@example.org"),
        "ng": ("bad", "dent", "ada@example.org"),
        "review": ("bad", "dent", "ada@example.org"),  # regions are drawn on it, and nobody took them away
    }
    assert "mask" not in marks["ok"]
    for verdict in ("ng", "review"):
        drawn = np.asarray(Image.open(out / str(of[verdict]["mask"]))) > 0
        assert np.array_equal(mask_of(marks[verdict]["mask"]), drawn)
        assert marks[verdict]["image"] == of[verdict]["path"]
    kept = read_feedback(station)
    assert (kept.unread, [mark.mask for mark in kept.marks]) == (0, [mark.get("mask") for mark in done.records])


def test_an_export_with_a_name_that_no_defect_can_have_marks_nothing(station: Path) -> None:
    done = run("feedback", station, station.parent / "out", "--label-studio", export(station, defect="unknown"))
    assert done.code == 2
    assert "no defect can be called 'unknown'" in done.sentence
    assert not (station / FEEDBACK).exists()
