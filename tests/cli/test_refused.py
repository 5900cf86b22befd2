"""Calls that would do another thing than they say are refused, each in one sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest

from oddlens.cli.benchmark import MethodOptions
from oddlens.cli.settings import recipe_overrides
from tests.cli.program import Done, run

Detect = Callable[..., Done]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--write maps", "--write needs --out"),
        ("--out o --write maps --write overlays", "--write is given more than once"),
        ("--out o --write ,", "--write ',' names nothing"),
        ("--out o --write overlays,nothing", "contradicts itself"),
        ("--out=", "--out is empty"),
        ("--ood=", "--ood is empty"),
        ("--weights w.safetensors", "winclip takes no weights: leave them out, or give the method that they belong to"),
        ("--station s --method winclip", "--station brings method"),
        ("--threshold 0.5;0.6", "is no threshold: give a finite number, or two as SCORE,PIXEL"),
        ("--defects scratch", "'scratch' names fewer than two defects"),
        ("--min-area large", "'large' is no area"),
        ("--min-area 2mm2", "an area in mm2 needs the size of a pixel"),
        ("--mm-per-pixel 0", "a pixel cannot be 0.0 mm wide"),
        ("--roi absent.png", "absent.png"),
        ("--roi 0.png --station s", "--station brings its region of interest"),
        ("--tiles many", "tiles cannot be 'many': give columns x rows, for instance 2x2, or auto"),
        ("--overlap 0.2", "overlap is what neighbouring tiles have in common: give tiles too"),
        ("--fit pat", "fit cannot be 'pat', did you mean 'pad'?"),
        ("--fit pad --station s", "--station brings its tiles and fit: leave --tiles, --overlap and --fit out"),
        ("--every 1.5", "--every': it must be a whole number"),
    ],
)
def test_detect_refuses(parts: Path, words: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(parts)
    done = run("detect", ".", *words.split())
    assert done.code == 2
    assert said in done.sentence
    assert sorted(path.name for path in parts.iterdir()) == ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize("words", [("data", "check", ""), ("data", "manifest", "", "--out", "m.jsonl")])
def test_an_empty_folder_is_not_the_working_directory(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.code == 2
    assert done.sentence.startswith("an empty name is in the call")


@pytest.mark.parametrize("words", ["data check . --sheet=", "data manifest . --out="])
def test_other_verbs_refuse_an_empty_path(words: str) -> None:
    done = run(*words.split())
    assert done.code == 2
    assert " is empty: give it a value, or leave it out" in done.sentence


def test_a_value_may_look_like_an_option_given_twice(detect: Detect, parts: Path) -> None:
    assert detect(parts, "--object", "--object").code == 0


def test_what_is_written_is_named_in_any_case(detect: Detect, parts: Path, tmp_path: Path) -> None:
    assert detect(parts, "--out", tmp_path / "out", "--write", "Maps, OVERLAYS").code == 0
    assert (tmp_path / "out" / "maps").is_dir()
    assert (tmp_path / "out" / "overlays").is_dir()


def test_a_comma_for_a_decimal_point_is_noticed(detect: Detect, parts: Path) -> None:
    assert "means SCORE 0 and PIXEL 5" in detect(parts, "--threshold", "0,5").err
    assert "means" not in detect(parts, "--threshold", "0,0.5").err


def test_a_video_that_cannot_be_read_alone_makes_the_call_wrong(detect: Detect, tmp_path: Path) -> None:
    pytest.importorskip("av")
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    done = detect(tmp_path / "bad.mp4")
    assert done.code == 2
    assert "bad.mp4 holds no video that can be read" in done.sentence


def test_files_passed_over_are_said_once(detect: Detect, parts: Path, tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "a.dcm").write_bytes(b"x")
    assert detect(tmp_path / "others", parts).err.count("1 file passed over") == 1


def test_none_is_null() -> None:
    assert recipe_overrides(["a=None", "b=null", "c=none"]) == {"a": None, "b": None, "c": "none"}


def test_a_model_without_a_verb_leads_on() -> None:
    done = run("models", "mini")
    assert done.code == 2
    assert "'oddlens models fetch mini' downloads it" in done.sentence


def test_models_as_json() -> None:
    import json

    assert {"name", "kind", "hub_id", "offline"} <= set(json.loads(run("models", "--json").out)[0])


@pytest.mark.needs_torch
def test_a_device_that_is_not_here_is_no_slip_for_cpu(parts: Path) -> None:
    sentence = run("detect", parts, "--device", "gpu").sentence
    assert "did you mean" not in sentence
    assert "give one of auto, cpu" in sentence


def test_a_blank_name_is_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("detect", " ").sentence.startswith("an empty name is among the images")


def test_methods_may_be_divided_by_commas_or_blanks() -> None:
    assert MethodOptions(method=["winclip,anovl", "VL4AD"]).names == ["winclip", "anovl", "vl4ad"]


def test_an_unknown_layout_leads_to_no_option_of_python(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    sentence = run("data", "check", tmp_path).sentence
    assert "normal_dir" not in sentence
    assert "or write a manifest" in sentence
