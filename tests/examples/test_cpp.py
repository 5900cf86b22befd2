"""examples/cpp, built and run: the scores and verdicts of an exported station are oddlens' own."""

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.export.station import export_station
from oddlens.io.preparation import Preparation

EXAMPLE = Path(__file__).parents[2] / "examples" / "cpp"

pytestmark = [pytest.mark.needs_torch, pytest.mark.filterwarnings("ignore::oddlens.OddlensWarning")]


def folder_of(package: str) -> Path:
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(found.submodule_search_locations[0])


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("cmake") or not (shutil.which("c++") or shutil.which("g++")):
        pytest.skip("CMake or a compiler of C++ is not installed")
    build = tmp_path_factory.mktemp("build")
    configured = subprocess.run(
        [
            "cmake", "-S", EXAMPLE, "-B", build,
            f"-DOpenVINO_DIR={folder_of('openvino') / 'cmake'}",
            f"-DNLOHMANN_JSON_INCLUDE={folder_of('nlohmann_json') / 'include'}",
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    if "Could NOT find PNG" in configured.stderr:
        pytest.skip("libpng's headers are not installed")
    assert configured.returncode == 0, configured.stderr
    built = subprocess.run(["cmake", "--build", build, "--parallel", "2"], capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "warning" not in built.stdout + built.stderr
    return build / "score"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Of several shapes, larger and smaller than what the model takes, in colours and in greys; good and broken."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(3)
    base = rng.integers(60, 170, (6, 8, 3), dtype=np.uint8)
    paths = []
    for number, (size, mode) in enumerate(
        [((320, 240), "RGB"), ((96, 72), "RGB"), ((333, 250), "L"), ((640, 480), "RGB"), ((61, 200), "RGB")]
    ):
        image = Image.fromarray(base).resize(size, Image.Resampling.BILINEAR)
        pixels = np.asarray(image).astype(int) + rng.normal(0, 5, (size[1], size[0], 1))
        if number == 3:
            pixels[100:200, 150:300] = 250
        paths.append(folder / f"{number}.png")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode).save(paths[-1])
    return paths


def scored(program: Path, *words: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module", params=["winclip", "patch-knn"])
def exported(request: pytest.FixtureRequest, images: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station with references, and with thresholds that call the images all there is to call."""
    folder = tmp_path_factory.mktemp("exported")
    detector = oddlens.load(request.param, device="cpu").add_references(images[:2])
    scores = sorted(found.score for found in detector.detect(images, "part"))
    detector.set_thresholds(image=sum(scores[-2:]) / 2, review=sum(scores[1:3]) / 2).save(folder / "station")
    return export_station(folder / "station", folder / "exported").folder


def test_scores_and_verdicts_are_those_of_oddlens(program: Path, exported: Path, images: list[Path]) -> None:
    done = scored(program, exported, *images)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    expected = oddlens.open_station(exported, runtime="onnx").detect(images, "part")
    assert {each.verdict for each in expected} == {"ok", "review", "ng"}
    for (score, verdict, path), found in zip(lines, expected, strict=True):
        assert float(score) == pytest.approx(found.score, abs=1e-4)
        assert (verdict, path) == (found.verdict, found.source)


@pytest.mark.parametrize("exported", ["winclip"], indirect=True)
def test_what_it_cannot_do_it_refuses(program: Path, exported: Path, images: list[Path], tmp_path: Path) -> None:
    exported = Path(shutil.copytree(exported, tmp_path / "exported"))
    deep, clear, broken = (tmp_path / f"{name}.png" for name in ("deep", "clear", "broken"))
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(deep)
    Image.new("RGBA", (8, 8)).save(clear)
    broken.write_bytes(b"no image")
    done = scored(program, exported, deep, clear, broken, images[0])
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert ["has 16-bit colours or transparency" in line for line in done.stderr.splitlines()] == [True, True, False]
    assert "broken.png is no PNG file" in done.stderr
    told = json.loads((exported / "preprocess.json").read_text())
    for change, sentence in (
        ({"tiles": Preparation.of("2x2", None, None).to_dict()}, "cuts images into tiles"),  # type: ignore[union-attr]
        ({"roi": True}, "has a region of interest"),
        ({"format": 2}, "was exported by a later oddlens"),
    ):
        (exported / "preprocess.json").write_text(json.dumps(told | change))
        done = scored(program, exported, images[0])
        assert (done.returncode, done.stdout) == (2, "")
        assert sentence in done.stderr
    assert scored(program, tmp_path, images[0]).returncode == 2
