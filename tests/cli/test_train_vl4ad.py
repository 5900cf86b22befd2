"""`oddlens train vl4ad`: three steps on small streets, weights to detect with, and what is refused before anything is read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from oddlens.methods.weights import read_weights
from oddlens.methods.weights_provenance import FORMAT
from tests.cli.program import Done, replaced, run
from tests.small_streets import WORDS, frame
from tests.tiny_convnext import convnext_weights, write_convnext

QUICK = (
    "--size", "small", "--iterations", 3, "--batch", 2, "--crop", "32x64", "--short-side", 32, "--set", "points=32",
    "--set", "width=32", "--set", "heads=2", "--queries", 5, "--layers", 1, "--device", "cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frames to learn from and one that is not, as CamVid-OOD is laid out."""
    root = tmp_path_factory.mktemp("data") / "streets"
    for number, kind in enumerate(("train/good", "train/street", "test/good")):
        pixels, classes = frame(number)
        labels = root / "labels" / kind.replace("/", "_")
        for folder, name, content in ((root / kind, "1.png", pixels), (labels, "1.png", classes)):
            folder.mkdir(parents=True)
            Image.fromarray(content).save(folder / name)
    (root / "classes.json").write_text('{"classes": ["sky", "road", "car"]}')
    return root


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("words") / "words.json"
    path.write_text(json.dumps(WORDS))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_convnext(tmp_path_factory.mktemp("model"), convnext_weights())


@pytest.fixture(scope="module")
def trained(streets: Path, words: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    out = tmp_path_factory.mktemp("out") / "masks.safetensors"
    return out, run("train", "vl4ad", "--data", streets, "--classes", words, "--model", model, "--out", out, *QUICK)


def test_it_prints_the_file_and_reports_frames_and_losses_on_stderr(trained: tuple[Path, Done]) -> None:
    out, done = trained
    assert (done.code, done.out) == (0, f"{out}\n"), done.err
    losses = json.loads(Path(f"{out}.report.json").read_text())["training"]["losses"]
    parts = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
    means = f"3 steps, mean of the last 3: loss {sum(losses.values()):.4f} ({parts})"
    assert done.err == f"2 frames of sky, road, car\n{means}\n"


def test_the_weights_and_the_report_say_how_they_were_made(trained: tuple[Path, Done]) -> None:
    out, _ = trained
    told = read_weights(out).provenance
    assert told is not None
    assert (told["method"], told["settings"]["iterations"], told["settings"]["crop"]) == ("vl4ad", 3, [32, 64])
    assert (told["decoder"]["queries"], told["decoder"]["layers"], told["decoder"]["head"]) == (5, 1, "words")
    report = json.loads(Path(f"{out}.report.json").read_text())
    assert report["training"] | {"format": FORMAT} == told
    assert len(report["steps"]) == 3
    assert Path(f"{out}.report.png").is_file()


def test_streets_are_detected_with_them_and_with_words_for_the_unknown(
    trained: tuple[Path, Done], streets: Path, model: Path
) -> None:
    out, _ = trained
    call = (
        "detect",
        streets / "test",
        "--method",
        "vl4ad",
        "--model",
        model,
        "--weights",
        out,
        "--json",
        "--device",
        "cpu",
    )
    plain, told = run(*call), run(*call, "--ood", "caravan, dog")
    assert (plain.code, told.code) == (0, 0), plain.err + told.err
    assert told.records[0]["score"] > plain.records[0]["score"]


def test_a_linear_head_and_one_split_can_be_given(streets: Path, words: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "linear.safetensors"
    call = ("train", "vl4ad", "--data", streets, "--classes", words, "--model", model, "--out", out, *QUICK)
    done = run(*call, "--linear", "--split", "train", "--no-report")
    assert done.code == 0, done.err
    assert done.err.startswith("1 frames")
    assert read_weights(out).provenance["decoder"]["head"] == "linear"  # type: ignore[index]
    assert not Path(f"{out}.report.json").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--size", "huge"), "--size 'huge' is not known: choose one of full, small"),
        (("--crop", "512"), "--crop '512' is not of the form HEIGHTxWIDTH"),
        (("--crop", "48x64"), "a crop cannot be 48x64: give multiples of 32 pixels"),
        (
            ("--split", "tests"),
            "--split 'tests' is not known, did you mean 'test'? Choose one of train, validation, test, unlabelled",
        ),
        (("--set", "wings=2"), "has no field 'wings'"),
        (("--set", "ignored=maybe"), "give one of 'left out', 'empty'"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    streets: Path, words: Path, model: Path, tmp_path: Path, options: tuple[str, str], told: str
) -> None:
    out = tmp_path / "masks.safetensors"
    call = ("--data", streets, "--classes", words, "--model", model, "--out", out, *QUICK)
    done = run("train", "vl4ad", *replaced(call, options))
    assert done.code == 2
    assert told in done.sentence
    assert not list(tmp_path.iterdir())


def test_missing_libraries_are_said_before_torch_is_imported(tmp_path: Path) -> None:
    code = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "transformers" else found(name, *rest)
from oddlens.__main__ import main
try:
    main()
finally:
    assert "torch" not in sys.modules
"""
    call = ("train", "vl4ad", "--data", tmp_path, "--classes", "cityscapes", "--out", tmp_path / "w.safetensors")
    done = subprocess.run([sys.executable, "-c", code, *map(str, call)], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "oddlens: mask decoders are built from parts of transformers and matched with scipy, and transformers cannot be found: "
        "run pip install 'oddlens[road]'\n"
    )


def test_classes_without_words_are_named(streets: Path, model: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.json"
    few.write_text('{"sky": ["sky"], "road": ["road"]}')
    done = run(
        "train",
        "vl4ad",
        "--data",
        streets,
        "--classes",
        few,
        "--model",
        model,
        "--out",
        tmp_path / "w.safetensors",
        *QUICK,
    )
    assert done.code == 2
    assert "the class 'car', for which the list of classes has no words" in done.err
