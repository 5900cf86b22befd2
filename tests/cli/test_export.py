"""`oddlens export` and `oddlens validate`: a station as graphs, and both side by side."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from tests.cli.program import run
from tests.test_import_graph import in_a_process_without_torch

pytestmark = pytest.mark.needs_torch  # to export; what is compared afterwards needs none, see the last test


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(2)
    for number in range(3):
        part = np.add.outer(np.arange(40), np.arange(56)) % 32 * 4 + rng.normal(64, 4, (40, 56))
        Image.fromarray(np.repeat(part.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)).save(
            folder / f"{number}.png"
        )
    return folder


@pytest.fixture(scope="module")
def station(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station of the default few-shot method on the embedded model."""
    folder = tmp_path_factory.mktemp("stations") / "line-3"
    oddlens.load("patch-knn", device="cpu").add_references(images).save(folder)
    return folder


@pytest.fixture(scope="module")
def labelled(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of that object: two good test images, of which the station knows one, and a bad one."""
    root = tmp_path_factory.mktemp("sets") / "part"
    (root / "train" / "good").mkdir(parents=True)
    (root / "test" / "good").mkdir(parents=True)
    (root / "test" / "hole").mkdir()
    for name, place in (("0", "train/good"), ("1", "test/good"), ("2", "test/good"), ("2", "test/hole")):
        shutil.copy(images / f"{name}.png", root / place / f"{place[-4:]}{name}.png")
    for name, change in (("good/good2", 8), ("hole/hole2", 0)):
        with Image.open(root / "test" / f"{name}.png") as image:
            pixels = np.array(image)
        pixels[: change or 20, : change or 20] = 128 if change else 0
        Image.fromarray(pixels).save(root / "test" / f"{name}.png")
    return root


@pytest.fixture(scope="module")
def exported(station: Path, labelled: Path) -> Path:
    folder = station.with_name("line-3-light")
    done = run("export", station, "--to", folder, "--data", labelled)
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == f"{folder}: fp32, 9 images compared with PyTorch"
    assert done.out.splitlines()[1].endswith("0 verdicts turned")
    sentence = "2 labelled images: image AUROC 1.0000 -> 1.0000, pixel AUROC not known, as there are no masks; 0 verdicts turned"
    assert done.out.splitlines()[2:] == [sentence]
    assert "1 labelled image left out, of which the station was made" in done.err
    kept = json.loads((folder / "parity.json").read_text())["labelled"]
    assert (kept["images"], kept["left_out"], kept["image_auroc"], kept["pixel_auroc"]) == (2, 1, [1.0, 1.0], None)
    return folder


def test_an_export_detects_as_the_station_does(station: Path, exported: Path, images: Path) -> None:
    found = [run("detect", images, "--station", folder, "--json").records for folder in (station, exported)]
    for one, other in zip(*found, strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1e-4)
        assert one["verdict"] == other["verdict"]


def test_stations_that_agree_are_said_to(station: Path, exported: Path, images: Path) -> None:
    done = run("validate", station, exported, images)
    assert done.code == 0, done.err
    assert done.out.splitlines()[0].split() == ["image", "score", "exported", "map", "features", "verdicts"]
    assert done.out.splitlines()[-1].startswith("3 images; largest difference: features ")
    told = json.loads(run("validate", station, exported, "--json").out)
    assert told["agree"]
    assert [each["source"] for each in told["images"]][:2] == ["generated, 640 x 480", "generated, 360 x 640"]


@pytest.mark.needs_openvino
def test_an_export_can_be_held_against_torch_on_openvino(station: Path, exported: Path, images: Path) -> None:
    done = run("validate", station, exported, images / "0.png", "--runtime", "openvino")
    assert done.code == 0, done.err
    done = run("validate", exported, exported, images / "0.png", "--runtime", "openvino", "--json")
    assert "the same graphs" not in done.err
    assert 0 < json.loads(done.out)["largest"]["features"] < 1e-4


def test_stations_that_differ_are_said_to(exported: Path, images: Path, tmp_path: Path) -> None:
    other = shutil.copytree(exported, tmp_path / "other")
    detector = oddlens.open_station(other)
    detector.references = None
    detector.add_references(images / "0.png").save(other)
    done = run("validate", exported, other, images, "--json")
    told = json.loads(done.out)
    assert done.code == 1
    assert not told["agree"]
    assert (
        told["largest"]["scores"] == max(abs(each["scores"][0] - each["scores"][1]) for each in told["images"]) > 1e-4
    )
    assert run("validate", exported, other, images).code == 1


def test_an_image_that_cannot_be_read_is_said(station: Path, exported: Path, images: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    done = run("validate", station, exported, images / "0.png", broken)
    assert done.code == 1
    assert "broken.png" in done.err
    assert "1 image; largest" in done.out


def test_graphs_held_against_themselves_are_said_to_be(exported: Path, station: Path, images: Path) -> None:
    sentence = "run the same graphs here"
    assert sentence in run("validate", exported, exported, images / "0.png").err
    assert sentence not in run("validate", station, exported, images / "0.png").err


def test_maps_of_other_sizes_are_no_number(images: Path, tmp_path: Path) -> None:
    for size in (160, 224):
        oddlens.load("winclip", device="cpu", runtime="torch", image_size=size).save(tmp_path / str(size))
    done = run("validate", tmp_path / "160", tmp_path / "224", images / "0.png", "--json")
    told = json.loads(done.out)
    assert done.code == 1
    assert not told["agree"]
    assert told["images"] == []
    assert "their sizes differ" in told["failures"][0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["export", "STATION", "--to", "LIGHT"], "exists: give a new folder"),
        (["export", "STATION", "--to", "new", "--precision", "fp64"], "there is no precision 'fp64'"),
        (["export", "STATION", "--to", "new", "--data", "nowhere"], "there is nothing at"),
        (["export", "nowhere", "--to", "new"], "is not a station"),
        (["export", "LIGHT", "--to", "new"], "is an export: give the station that it was made of"),
        (["export", "STATION", "--to", "STATION/light"], "lies in the station itself"),
        (["validate", "STATION", "nowhere"], "is not a station"),
    ],
)
def test_a_wrong_call_is_one_sentence(words: list[str], sentence: str, station: Path, exported: Path) -> None:
    places = {"STATION": station, "LIGHT": exported}
    done = run(*(places.get(word, word.replace("STATION", str(station))) for word in words))
    assert done.code == 2
    assert sentence in done.sentence


def test_exports_are_compared_where_torch_is_not_installed(exported: Path, images: Path) -> None:
    code = "from oddlens.cli import main; sys.argv[0] = 'oddlens'; main()"
    done = in_a_process_without_torch(code, "validate", exported, exported, images, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["largest"] == {"features": 0.0, "scores": 0.0, "maps": 0.0}
    done = in_a_process_without_torch(code, "export", exported, "--to", exported.with_name("again"))
    assert done.returncode == 2
    assert done.stderr == (
        "oddlens: exporting needs PyTorch and onnx: run pip install 'oddlens[export]' "
        "(patch-knn and winclip on mini run without an export)\n"
    )
