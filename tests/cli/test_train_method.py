"""`oddlens train anomalyclip` and `oddlens train april-gan`: from a data set to weights that detect."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from oddlens.methods.weights import read_weights
from oddlens.training import TRAINABLE
from tests.cli.program import Done, replaced, run
from tests.data.small_sets import mask, picture
from tests.training.learning import write_category

FIELDS = {
    "anomalyclip": ("image_size=40", "layers=[3]", "local_from=2", "prompt_depth=2", "weight_local=16"),
    "april-gan": ("image_size=40", "layers=[1,3]"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two categories of a few images, one of them abnormal without a mask."""
    folder = tmp_path_factory.mktemp("data") / "parts"
    write_category(folder / "lid", 3, 4)
    write_category(folder / "nut", 2, 2, seed=1)
    (folder / "lid" / "ground_truth" / "spot" / "0_mask.png").unlink()
    return folder


def arguments(method: str, model: Path, data: Path, out: Path, *options: object) -> tuple[object, ...]:
    fields = [word for field in FIELDS[method] for word in ("--set", field)]
    words = ("--data", data, "--model", model, "--out", out, "--epochs", 2, *fields)
    return ("train", method, *replaced(words, options))


@pytest.fixture(params=list(TRAINABLE), scope="module")
def trained(
    request: pytest.FixtureRequest, open_clip_folder: Path, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Done]:
    """A finished training: the method, the weights, and what was printed."""
    out = tmp_path_factory.mktemp("trained") / "w.safetensors"
    options = ("--preview", out.parent / "early", "--cache", out.parent / "cache", "--batch", 4, "--mosaic", 0.3)
    return request.param, out, run(*arguments(request.param, open_clip_folder, data, out, *options))


def test_it_prints_the_file_and_reports_the_rest_on_stderr(trained: tuple[str, Path, Done], data: Path) -> None:
    _, out, done = trained
    assert (done.code, done.out) == (0, f"{out}\n")
    lines = done.err.splitlines()
    assert lines[0] == "parts: 10 images, 5 of them abnormal; 1 abnormal ones without a mask are left out"
    assert lines[1] == (
        f"parts: 1 problem found without reading its images: 'oddlens data check {data}' reads them and lists all problems"
    )
    assert any(line.startswith("features of ") and f"in {out.parent / 'cache'}" in line for line in lines)
    assert [line[:9] for line in lines[-2:]] == ["epoch 1/2", "epoch 2/2"]


def test_report_and_early_views_are_there_and_nothing_else(trained: tuple[str, Path, Done]) -> None:
    _, out, _ = trained
    names = {path.name for path in out.parent.iterdir()}
    assert names == {
        "w.safetensors", "w.safetensors.report.json", "w.safetensors.report.png", "early", "cache",
    }  # fmt: skip
    assert len(list((out.parent / "early" / "epoch-02").iterdir())) == 6


def test_the_weights_detect(trained: tuple[str, Path, Done], open_clip_folder: Path, parts: Path) -> None:
    method, out, _ = trained
    done = run("detect", parts, "--method", method, "--model", open_clip_folder, "--weights", out, "--json")
    assert done.code == 0, done.err
    assert len(done.records) == 3


def test_weights_show_says_how_they_were_made(trained: tuple[str, Path, Done]) -> None:
    method, out, _ = trained
    told = json.loads(run("weights", "show", out, "--json").out)
    assert told["method"] == method
    settings = told["provenance"]["settings"]
    assert (settings["epochs"], settings["batch"], settings["mosaic"], settings["seed"]) == (2, 4, 0.3, 111)
    assert told["provenance"]["recipe"]["image_size"] == 40
    assert told["provenance"]["data"][0]["left_out"] == 1


def test_settings_of_the_training_and_fields_of_the_recipe_are_both_set(
    trained: tuple[str, Path, Done],
) -> None:
    method, out, _ = trained
    told = read_weights(out).provenance
    assert told is not None
    if method == "anomalyclip":
        assert (told["settings"]["weight_local"], told["recipe"]["layers"]) == (16, [3])
    else:
        assert told["recipe"]["layers"] == [1, 3]


@pytest.fixture
def train(open_clip_folder: Path, data: Path, tmp_path: Path) -> "Train":
    return Train(open_clip_folder, data, tmp_path)


class Train:
    """`oddlens train april-gan` on the small data set, without a report, its features kept in a folder of the test."""

    def __init__(self, model: Path, data: Path, folder: Path) -> None:
        self.model, self.data, self.folder = model, data, folder
        self.out = folder / "w.safetensors"

    def arguments(self, *options: object) -> tuple[object, ...]:
        """Of `oddlens`."""
        return arguments("april-gan", self.model, self.data, self.out, "--no-report", *options)

    def __call__(self, *options: object) -> Done:
        return run(*self.arguments(*(options or ("--cache", self.folder / "cache"))))


def test_a_mask_that_cannot_be_read_ends_it_where_only_masks_label_images(train: Train, tmp_path: Path) -> None:
    data = tmp_path / "pieces"
    for name in ("1.png", "2.png", "3.png"):
        picture(data / "images" / name)
        mask(data / "masks" / name)
    (data / "masks" / "2.png").write_bytes(b"torn")
    done = train("--data", data, "--no-cache")
    assert (done.code, done.out) == (1, "")
    assert str(data / "masks" / "2.png") in done.sentence
    assert not train.out.exists()


def test_a_named_way_of_training_seed_0_and_no_mosaics_can_be_given(train: Train) -> None:
    assert train("--no-cache", "--schedule", "mvtec", "--epochs", 1, "--seed", 0, "--mosaic", 0).code == 0
    told = read_weights(train.out).provenance
    assert told is not None
    settings = told["settings"]
    assert (settings["epochs"], settings["seed"], settings["mosaic"]) == (1, 0, 0.0)


def test_the_same_command_gives_the_same_weights_with_and_without_a_cache(train: Train) -> None:
    assert train().code == 0
    kept = read_weights(train.out).tensors
    again = train()
    assert (again.code, again.out) == (0, f"{train.out}\n")
    assert again.err.endswith(f"{train.out} is of this very training: nothing is left to do\n")
    other = train("--no-cache", "--epochs", 1)
    assert (other.code, other.out) == (2, "")
    assert other.err.endswith(
        f"{train.out} is there already, trained otherwise (epochs): give another --out, or --overwrite to replace it\n"
    )
    assert train("--no-cache", "--overwrite").code == 0
    anew = read_weights(train.out).tensors
    assert all(kept[name].equal(anew[name]) for name in kept)


def test_auto_precision_says_what_it_measured(train: Train) -> None:
    done = train("--no-cache", "--precision", "auto", "--epochs", 1)
    assert done.code == 0
    number = r"[\d.]+"
    measured = rf"precision \w+; times as fast as float32 on this device: bfloat16 {number}, float16 {number}"
    (said,) = (line for line in done.err.splitlines() if line.startswith("precision "))
    assert re.match(measured, said)


def test_several_data_sets_are_learned_from_together(train: Train, tmp_path: Path) -> None:
    other = write_category(tmp_path / "tins" / "tin", 1, 1).parent
    done = train("--no-cache", "--data", other, "--object", "thing")
    assert done.code == 0
    assert "tins: 2 images, 1 of them abnormal" in done.err.splitlines()


def test_interrupted_it_says_how_to_go_on_and_then_does(train: Train) -> None:
    options = ("--cache", train.folder / "cache", "--epochs", 60)
    words = ["-m", "oddlens", *map(str, train.arguments(*options))]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    told = ""
    with subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        for line in process.stderr:
            told += line
            if line.startswith("epoch 1/"):
                process.send_signal(signal.SIGINT)
    assert process.returncode != 0
    assert "\nstopped: the same command goes on from here\n" in told
    assert not train.out.exists()
    done = train(*options)
    assert done.code == 0
    assert f"\ngoing on from {train.out}.checkpoint.pt\n" in done.err
    assert "\nepoch 1/60: " not in done.err
    assert "\nepoch 60/60: " in done.err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ("--no-cache", "--cache-dtype", "float16"),
            "--no-cache keeps no features: leave --cache and --cache-dtype out",
        ),
        (("--cache-dtype", "int8"), "--cache-dtype 'int8' is not known: choose one of float32, float16"),
        (("--precision", "half"), "--precision 'half' is not known: choose one of auto, float32, bfloat16, float16"),
        (("--split", "exam"), "--split 'exam' is not known: choose one of train, validation, test, unlabelled"),
        (("--object", "a", "--names", "b.json"), "--object and --names contradict each other: give one of them"),
        (("--schedule", "fast"), "AprilGANTraining has no recipe named 'fast': there are visa, mvtec"),
        (("--set", "colour=1"), "AprilGANRecipe has no field 'colour': its fields are "),
        (("--learning-rate", "-1"), "the recipe field learning_rate cannot be -1.0: give a number above 0"),
    ],
)
def test_a_wrong_call_is_one_sentence_before_anything_is_read(
    options: tuple[object, ...], sentence: str, train: Train
) -> None:
    done = train(*options)
    assert done.code == 2
    assert done.sentence.startswith(sentence)


def test_a_name_for_the_weights_that_nothing_reads_is_refused(
    open_clip_folder: Path, data: Path, tmp_path: Path
) -> None:
    done = run(*arguments("april-gan", open_clip_folder, data, tmp_path / "w.pth"))
    assert done.code == 2
    assert done.sentence.endswith("w.pth cannot hold trained weights: give a name that ends in .safetensors")


def test_a_split_without_defects_is_refused(train: Train) -> None:
    done = train("--split", "train")
    assert done.code == 1
    assert done.sentence.startswith("no image of parts (split 'train') is abnormal and has a mask")
