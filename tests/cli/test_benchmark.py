"""`oddlens benchmark` as its users meet it: what it takes, what it prints and leaves, what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.detector import Detector
from tests.cli.program import Done, run


@pytest.fixture(scope="module", autouse=True)
def towers(open_clip_folder: Path) -> Detector:
    """Keep the tiny model loaded: detectors of one process share it while one of them is alive."""
    return oddlens.load(model=open_clip_folder)


def write_set(root: Path) -> Path:
    """One category of 2 good examples, 1 normal and 1 abnormal test image."""
    generator = np.random.default_rng(0)
    for name in ("train/good/0", "train/good/1", "test/good/0", "test/crack/0"):
        path = root / "nut" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(path)
    mask = root / "nut" / "ground_truth" / "crack" / "0_mask.png"
    mask.parent.mkdir(parents=True)
    Image.fromarray(np.pad(np.full((8, 8), 255, np.uint8), ((6, 6), (8, 8)))).save(mask)
    return root


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_set(tmp_path / "set")
    return tmp_path


def bench(place: Path, model: Path, *arguments: object) -> Done:
    return run("benchmark", "--data", place / "set", "--model", model, "--out", place / "out", *arguments)


def metrics(place: Path) -> dict[str, list[dict[str, object]]]:
    return json.loads((place / "out" / "metrics.json").read_text())


def test_a_run_prints_the_summary_and_leaves_its_files(place: Path, open_clip_folder: Path) -> None:
    done = bench(place, open_clip_folder, "--shots", "0", "1", "2", "--seeds", "0,1,2")
    assert done.code == 0
    head, zero, one, both = done.out.splitlines()
    assert head.split()[:6] == ["data", "set", "method", "shots", "image_auroc", "image_ap"]
    assert zero.split()[:3] == ["set", "winclip", "0"]
    assert "±" in one
    assert "±" not in both, "there are two good examples, so that every seed picks these"
    assert done.err.splitlines() == ["measured set / nut, winclip", f"results: {place / 'out'}"]
    assert {path.name for path in (place / "out").iterdir()} == {
        "cells", "picks", "metrics.json", "table.md", "table.tex", "references.bib", "scores.jsonl", "report.html",
    }  # fmt: skip


def test_a_second_call_measures_nothing_and_says_the_same(place: Path, open_clip_folder: Path) -> None:
    first = bench(place, open_clip_folder, "--shots", "0")
    second = bench(place, open_clip_folder, "--shots", "0")
    assert second.out == first.out
    assert "measured" not in second.err


def test_several_data_sets_and_methods_follow_one_option(place: Path, open_clip_folder: Path) -> None:
    write_set(place / "other")
    done = run(
        "benchmark", "--method", "winclip", "winclip", "--data", place / "set", place / "other", "--shots", "0",
        "--out", place / "out", "--model", open_clip_folder,
    )  # fmt: skip
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == ["set", "other"]


def test_too_few_examples_are_reported_and_exit_1_with_everything_else_done(
    place: Path, open_clip_folder: Path
) -> None:
    done = bench(place, open_clip_folder, "--shots", "0,4", "--seeds", "0")
    assert done.code == 1
    assert (
        "oddlens: nut of set has 2 good examples: 4 are needed: no figures for winclip 4-shot seed 0"
        in done.err.splitlines()
    )
    assert [result["mean"]["image_auroc"] is None for result in metrics(place)["results"]] == [False, True]


def test_settings_names_and_sizes_reach_the_cells(place: Path, open_clip_folder: Path) -> None:
    (place / "names.json").write_text('{"nut": "hex nut"}')
    done = bench(
        place,
        open_clip_folder,
        "--shots",
        "0",
        "--set",
        "temperature=0.01",
        "--names",
        place / "names.json",
        "--full-size",
    )
    assert done.code == 0
    document = metrics(place)
    assert document["methods"]["winclip"]["recipe"]["temperature"] == 0.01
    for name in ("table.md", "table.tex", "report.html"):
        assert "temperature=0.01" in (place / "out" / name).read_text(), name
    assert document["results"][0]["categories"][0]["object_name"] == "hex nut"
    assert document["evaluation"]["pixels_compared_at"] == "each image's own size"


def test_a_field_can_be_of_one_of_several_methods(place: Path, open_clip_folder: Path) -> None:
    methods = ("--method", "winclip", "vl4ad", "--shots", "0")
    refused = bench(place, open_clip_folder, *methods, "--set", "classes=camvid")
    assert refused.code == 2
    assert "WinCLIPRecipe has no field 'classes', which vl4ad has: its fields are" in refused.sentence
    done = bench(place, open_clip_folder, *methods, "--set", "vl4ad.classes=camvid")
    assert done.code == 0
    assert metrics(place)["methods"]["vl4ad"]["recipe"]["classes"] == "camvid"


def test_other_settings_in_the_same_folder_are_refused_unless_called_otherwise(
    place: Path, open_clip_folder: Path
) -> None:
    bench(place, open_clip_folder, "--shots", "0")
    refused = bench(place, open_clip_folder, "--shots", "0", "--object", "part")
    assert refused.code == 2
    assert "was made with other settings (object_name)" in refused.sentence
    assert bench(place, open_clip_folder, "--shots", "0", "--object", "part", "--no-resume").code == 0


def test_picks_of_one_run_serve_another(place: Path, open_clip_folder: Path) -> None:
    bench(place, open_clip_folder, "--shots", "1", "--seeds", "0")
    listed = place / "out" / "picks" / "set" / "nut-seed0.txt"
    other = next(name for name in ("0", "1") if f"{name}.png" not in listed.read_text())
    listed.write_text(f"nut/train/good/{other}.png\n")
    done = run(
        "benchmark", "--data", place / "set", "--model", open_clip_folder, "--out", place / "again", "--shots", "1",
        "--seeds", "0", "--picks", place / "out" / "picks",
    )  # fmt: skip
    assert done.code == 0
    assert (place / "again" / "picks" / "set" / "nut-seed0.txt").read_text() == listed.read_text()


def test_a_test_image_that_is_a_good_example_is_named_at_once_and_may_be_left_out(
    place: Path, open_clip_folder: Path
) -> None:
    shutil.copy(place / "set/nut/train/good/0.png", place / "set/nut/test/good/7.png")
    done = bench(place, open_clip_folder, "--shots", "2", "--seeds", "0")
    assert done.err.splitlines()[0] == (
        "oddlens: nut of set: 1 test image is a good example (nut/test/good/7.png is nut/train/good/0.png): leave it out with "
        "--leave-out-copies"
    )
    other = bench(place, open_clip_folder, "--shots", "2", "--seeds", "0", "--leave-out-copies")
    assert other.code == 2
    assert "was made with other settings (left_out)" in other.sentence
    clean = bench(place, open_clip_folder, "--shots", "2", "--seeds", "0", "--leave-out-copies", "--no-resume")
    assert clean.code == 0
    assert (
        "1 test image is left out, a copy of normal training images (nut/test/good/7.png)" in clean.err.splitlines()[0]
    )
    (result,) = metrics(place)["results"]
    assert result["categories"][0]["pictures"]["normal"] == 1
    assert metrics(place)["datasets"]["set"]["left_out"] == ["nut/test/good/7.png"]
    assert "nut/test/good/7.png is left out" in (place / "out" / "table.md").read_text()


def test_faults_of_the_data_set_are_mentioned(place: Path, open_clip_folder: Path) -> None:
    (place / "set" / "nut" / "ground_truth" / "crack" / "0_mask.png").unlink()
    done = bench(place, open_clip_folder, "--shots", "0")
    assert "oddlens: set: 1 problem found without reading its images: 'oddlens data check" in done.err
    assert "no abnormal test image has a mask" in (place / "out" / "table.md").read_text()
    assert "left out" not in done.err


def test_folders_of_other_layouts_beside_what_is_measured_are_named(place: Path, open_clip_folder: Path) -> None:
    for name in ("plates", "tins"):
        (place / "set" / name).mkdir()
        shutil.copy(place / "set/nut/test/good/0.png", place / "set" / name / "0.png")
    done = bench(place, open_clip_folder, "--shots", "0")
    assert done.code == 0
    said = "set: the images of 2 folders are left out (plates, tins), not laid out as categories are here: "
    assert f"oddlens: {said}" in done.err
    assert said in (place / "out" / "table.md").read_text()
    assert metrics(place)["datasets"]["set"]["folders_left_out"] == ["plates", "tins"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--shots", "0,x"), "--shots '0,x' is not a list of whole numbers"),
        (("--seeds", "-1"), "--seeds '-1' is not a list of whole numbers"),
        (
            ("--component-sizes", "50"),
            "'50' are no component sizes: give one of anomaly-track, obstacle-track, by-area",
        ),
        (("--set", "vl4ad.classes=camvid"), "is of a method that does not run: here run winclip"),
        (("--object", "a", "--names", "b"), "--object and --names contradict each other"),
        (("--method", "april-gan", "--weights", "nowhere.pth"), "nowhere.pth does not exist"),
        (("--method", "winclip", "vl4ad", "--weights", "a.pth"), "weights file a.pth does not exist"),  # vl4ad's
        (
            ("--method", "winclip", "vl4ad", "april-gan", "--weights", "a.pth"),
            "--weights 'a.pth' does not say of which method: give METHOD=FILE, for instance vl4ad=a.pth",
        ),
        (
            ("--method", "winclip", "anovl", "--weights", "a.pth"),
            "none of winclip, anovl takes weights: leave --weights out",
        ),
        (("--method", "anovl", "--weights", "a.pth"), "anovl takes no weights: leave them out"),
        (("--weights", "vl4ad=a.pth"), "is of a method that does not run: here run winclip"),
        (("--method", "vl4ad", "--weights", "a.pth", "--weights", "VL4AD=b.pth"), "--weights gives vl4ad two files"),
        (("--method", "patchcore"), "there is no method 'patchcore'"),
        (("--picks", "nowhere"), "there are no picks at nowhere"),
    ],
)
def test_wrong_calls_are_refused_in_one_sentence(
    place: Path, open_clip_folder: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    done = bench(place, open_clip_folder, *arguments)
    assert done.code == 2
    assert complaint in done.sentence
    assert not (place / "out" / "metrics.json").exists()


def test_without_numbers_of_good_examples_a_method_that_takes_none_runs_without(
    place: Path, open_clip_folder: Path
) -> None:
    done = bench(place, open_clip_folder, "--method", "vl4ad")
    assert done.code == 0
    assert {row["shots"] for row in metrics(place)["results"]} == {0}


def test_a_number_of_examples_that_a_method_cannot_take_is_reported_and_is_no_failure(
    place: Path, open_clip_folder: Path
) -> None:
    done = bench(place, open_clip_folder, "--method", "vl4ad", "winclip", "--shots", "0,1", "--seeds", "0")
    assert done.code == 0
    assert "vl4ad takes no good examples: measure it with --shots 0: no figures for vl4ad 1-shot seed 0" in done.err
    assert [line.split()[1:3] for line in done.out.splitlines()[1:]] == [
        ["vl4ad", "0"], ["winclip", "0"], ["winclip", "1"],
    ]  # fmt: skip
    lacking = bench(place, open_clip_folder, "--method", "vl4ad", "winclip", "--shots", "0,1,4", "--seeds", "0")
    assert lacking.code == 1, "the data do not have four"


def test_a_run_that_can_measure_nothing_has_failed(place: Path, open_clip_folder: Path) -> None:
    done = bench(place, open_clip_folder, "--method", "vl4ad", "--shots", "1")
    assert done.code == 1
    assert "takes no good examples: measure it with --shots 0" in done.err


def test_a_category_without_anything_to_compare_with_is_reported_and_counts_as_lacking(
    place: Path, open_clip_folder: Path
) -> None:
    (place / "set" / "nut" / "test" / "good" / "0.png").unlink()
    (place / "set" / "nut" / "ground_truth" / "crack" / "0_mask.png").unlink()
    done = bench(place, open_clip_folder, "--shots", "0")
    assert done.code == 1
    why = "there is no normal test image; no abnormal test image has a mask"
    assert done.err.splitlines()[-1] == f"oddlens: nut of set has no figures at all for winclip: {why}"


def test_images_may_be_cut_and_the_cells_say_so(place: Path, open_clip_folder: Path) -> None:
    assert bench(place, open_clip_folder, "--shots", "0,2", "--seeds", "0", "--tiles", "2x2", "--maps").code == 0
    document = metrics(place)
    prepared = {"tiles": "2x2", "overlap": 0.2, "fit": "squash"}
    assert document["methods"]["winclip"]["preparation"] == prepared
    assert "images: tiles 2x2, overlap 0.2, fit squash" in (place / "out" / "report.html").read_text()
    assert bench(place, open_clip_folder, "--shots", "0,2", "--seeds", "0", "--tiles", "2x2").code == 0
    other = bench(place, open_clip_folder, "--shots", "0,2", "--seeds", "0")
    assert other.code == 2
    assert "was made with other settings (preparation)" in other.sentence


def test_images_of_which_a_mask_left_nothing_are_said_once_with_their_category_and_noted_everywhere(
    place: Path, open_clip_folder: Path
) -> None:
    options = [
        "--method",
        "anomalydino",
        "--set",
        "mask_threshold=1e6",
        "--object",
        "screw",
        "--shots",
        "1",
        "--seeds",
        "0,1",
    ]
    note = (
        "the mask of the background leaves nothing of 2 of 2 test images (nut/test/crack/0.png, and 1 more), so that what they "
        "score says nothing: give another mask_threshold (its own fits DINOv2-small), or mask='none'"
    )
    for said in (["measured set / nut, anomalydino"], []):  # measured, and taken from before
        done = bench(place, open_clip_folder, *options)
        lines = [line for line in done.err.splitlines() if not line.startswith("results:")]
        assert lines == [*said, f"oddlens: set (nut), anomalydino: {note}"]
    (result,) = metrics(place)["results"]
    assert note in result["categories"][0]["notes"]
    assert result["categories"][0]["unseen"] == 2
    for name in ("table.md", "table.tex", "report.html"):
        assert "leaves nothing of 2 of 2 test images" in (place / "out" / name).read_text(), name
    scores = [json.loads(line) for line in (place / "out" / "scores.jsonl").read_text().splitlines()]
    assert [each["unseen"] for each in scores] == [True] * 4
    report = (place / "out" / "report.html").read_text()
    assert "The object is called “screw”. 1 normal" in report
    assert "Prompts" not in report, "it has none"
    assert "For review: 1 of 1 normal and 1 of 1 abnormal ones; of 2 images the method looked at nothing." in report
    assert "normal: for review, 0<" in report
    assert ": called " not in report
    of_examples = (
        "oddlens: set (nut), anomalydino: the mask of the background leaves nothing of the reference nut/train/good/1.png and "
        "1 more reference, so that thresholds of the references promise nothing: give another mask_threshold (its own fits "
        "DINOv2-small), or mask='none'"
    )
    done = bench(place, open_clip_folder, *options[:-3], "2", "--seeds", "0")
    assert done.err.splitlines()[-1] == of_examples


def test_a_stopped_run_says_that_the_same_command_goes_on(
    place: Path, open_clip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Detector, "predict", interrupted)
        done = bench(place, open_clip_folder, "--shots", "0")
        anew = bench(place, open_clip_folder, "--shots", "0", "--no-resume")
    assert (done.code, done.err) == (130, "stopped: the same command goes on from here\n")
    assert (anew.code, anew.err) == (130, "stopped: the same command without --no-resume goes on from here\n")
    assert bench(place, open_clip_folder, "--shots", "0").code == 0
