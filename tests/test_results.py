"""The folder of a run: what lies in it after a stop, and how it is gone on with."""

import json
from pathlib import Path

import pytest

from oddlens.errors import OddlensError, UsageError
from oddlens.results import Record, ResultsFolder

SETTINGS = {"run": {"object": "bolt", "maps": True}, "machine": {"device": "cpu"}}


def record(name: str, score: float = 0.5) -> Record:
    return {"path": name, "score": score}


def failure(name: str) -> Record:
    return {"path": name, "error": "is empty"}


def write(root: Path, *records: Record, cut: str = "") -> Path:
    """A folder as a run leaves it; cut: what follows the last whole line."""
    folder = ResultsFolder(root)
    folder.begin(SETTINGS)
    for each in records:
        folder.append(each)
    with folder.lines.open("a") as file:
        file.write(cut)
    return root


def lines_of(root: Path) -> list[Record]:
    return [json.loads(line) for line in (root / "results.jsonl").read_text().splitlines()]


def test_lines_are_on_disk_as_soon_as_they_are_appended(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "new" / "out")
    assert not folder.root.exists()
    folder.begin(SETTINGS)
    assert lines_of(folder.root) == []
    assert json.loads((folder.root / "run.json").read_text()) == SETTINGS
    for count, name in enumerate("ab", start=1):
        folder.append(record(name))
        folder.begin(SETTINGS)
        assert len(lines_of(folder.root)) == count


def test_scores_come_back_bit_by_bit(tmp_path: Path) -> None:
    score = 0.1 + 0.2
    assert ResultsFolder(write(tmp_path, record("a", score)), resume=True).done["a"]["score"] == score


def test_names_that_are_no_text_come_back(tmp_path: Path) -> None:
    assert list(ResultsFolder(write(tmp_path, record("\udcff\n部")), resume=True).done) == ["\udcff\n部"]


def test_a_value_that_json_does_not_know_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write(tmp_path, record("a", float("nan")))


@pytest.mark.parametrize("cut", ['{"path": "b", "sco', "{", "\0\0\0\0", "\xff"])
def test_a_line_that_a_stop_cut_off_is_no_result_and_goes_away(tmp_path: Path, cut: str) -> None:
    folder = ResultsFolder(write(tmp_path, record("a"), cut=cut), resume=True)
    assert list(folder.done) == ["a"]
    folder.begin(SETTINGS)
    folder.append(record("b"))
    assert lines_of(tmp_path) == [record("a"), record("b")]


def test_failed_pictures_are_not_done(tmp_path: Path) -> None:
    folder = ResultsFolder(write(tmp_path, record("a"), failure("b"), record("c")), resume=True)
    assert list(folder.done) == ["a", "c"]
    folder.begin(SETTINGS)
    assert lines_of(tmp_path) == [record("a"), record("c")]


def test_finishing_puts_the_lines_in_order_and_keeps_those_of_other_pictures(tmp_path: Path) -> None:
    folder = ResultsFolder(write(tmp_path, record("gone"), record("c"), failure("b")), resume=True)
    folder.begin(SETTINGS)
    for name in ("a", "b"):
        folder.append(record(name))
    folder.finish(["a", "b", "c"])
    assert [line["path"] for line in lines_of(tmp_path)] == ["gone", "a", "b", "c"]


def test_results_are_not_touched_before_the_run_begins(tmp_path: Path) -> None:
    write(tmp_path, record("a"), failure("b"))
    before = (tmp_path / "results.jsonl").read_bytes()
    ResultsFolder(tmp_path, overwrite=True)
    ResultsFolder(tmp_path, resume=True).check(SETTINGS)
    with pytest.raises(UsageError, match="holds results already"):
        ResultsFolder(tmp_path)
    assert (tmp_path / "results.jsonl").read_bytes() == before


def test_settings_that_differ_are_named_and_the_machine_does_not_count(tmp_path: Path) -> None:
    folder = ResultsFolder(write(tmp_path, record("a")), resume=True)
    folder.check(SETTINGS | {"machine": {"device": "cuda"}})
    with pytest.raises(UsageError, match=r"results of other settings \(object\): give the same ones"):
        folder.check({"run": {"object": "nut", "maps": True}})
    with pytest.raises(UsageError, match=r"\(threshold\)"):
        folder.check({"run": SETTINGS["run"] | {"threshold": 0.5}})


@pytest.mark.parametrize("told", [None, "", "[]", '{"run": 1}', '{"run"'])
def test_results_whose_settings_are_lost_cannot_be_gone_on_with(tmp_path: Path, told: str | None) -> None:
    write(tmp_path, record("a"))
    (tmp_path / "run.json").unlink()
    if told is not None:
        (tmp_path / "run.json").write_text(told)
    with pytest.raises(UsageError, match=r"run\.json.* is missing or damaged: add --overwrite to begin anew"):
        ResultsFolder(tmp_path, resume=True)
    ResultsFolder(tmp_path, overwrite=True).begin(SETTINGS)
    assert lines_of(tmp_path) == []


def test_beginning_anew_removes_only_what_a_run_wrote(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    for name in ("overlays/a.png", "overlays/mine.txt", "maps/a.tiff", "labels/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    ResultsFolder(tmp_path, overwrite=True).begin(SETTINGS)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == [
        "overlays/mine.txt",
        "results.jsonl",
        "run.json",
    ]


@pytest.mark.parametrize("name", ["overlays/a.png", "maps/a.tiff", "labels/a.png"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_no_run_draws_over_pictures_that_none_drew(tmp_path: Path, name: str, overwrite: bool) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match=f"{name} lies where a run would draw, and no run has been there"):
        ResultsFolder(tmp_path, overwrite=overwrite)


def test_pictures_of_a_run_whose_settings_are_lost_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    (tmp_path / "run.json").unlink()
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "mine.png").touch()
    ResultsFolder(tmp_path, overwrite=True).begin(SETTINGS)
    assert (tmp_path / "labels" / "mine.png").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UsageError, match="out is a file: give the name of a folder"):
        ResultsFolder(tmp_path / "out")


def test_a_disk_that_fails_under_way_is_one_sentence(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    folder.begin(SETTINGS)
    folder.lines.unlink()
    folder.lines.mkdir()
    with pytest.raises(OddlensError, match=r"results\.jsonl cannot be written \(Is a directory\).*--resume$"):
        folder.append(record("a"))


def test_what_a_run_draws_is_known_as_outputs_by_any_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    folder = ResultsFolder(Path("out"))
    assert folder.is_output(Path("out/overlays/a.png"))
    assert folder.is_output(tmp_path / "out" / "maps" / "a.tiff")
    assert folder.is_output(Path("link/../out/maps/a.tiff"))
    assert folder.is_output(Path("link/overlays/a.png"))
    assert folder.is_output(Path("out/labels/a.png"))
    assert not folder.is_output(Path("out/a.png"))
    assert not folder.is_output(Path("overlays/a.png"))
