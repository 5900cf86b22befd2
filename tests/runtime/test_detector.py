"""A detector on graphs beside the same on torch: the embedded model's default methods, whatever is asked of them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

import oddlens
from oddlens.detection import RegionOfInterest
from oddlens.detector import Detector
from oddlens.encoding import EncodedBatch
from oddlens.encoding.arrays import scores_to_numpy, to_numpy
from oddlens.errors import UsageError
from oddlens.io.preparation import Preparation
from tests.cli.program import run

Image = NDArray[np.uint8]

CLOSE = 1e-4

pytestmark = pytest.mark.filterwarnings("ignore::oddlens.OddlensWarning")


def parts(count: int, seed: int = 0, size: tuple[int, int] = (180, 240)) -> list[Image]:
    """Images of one part, (height, width)."""
    rng = np.random.default_rng(seed)
    pattern = np.random.default_rng(99).integers(80, 150, (6, 8, 3))
    rows, columns = (np.arange(length) * cells // length for length, cells in zip(size, pattern.shape, strict=False))
    base = pattern[rows][:, columns]
    return [np.clip(base + rng.normal(0, 6, base.shape), 0, 255).astype(np.uint8) for _ in range(count)]


def broken(image: Image) -> Image:
    other = image.copy()
    other[60:100, 80:140] = 255
    return other


@pytest.fixture(scope="module")
def images() -> list[Image]:
    """Good ones, a broken one, and some of other sizes."""
    good = parts(5, seed=1)
    return [*good, broken(good[0]), *parts(1, 2, (180, 180)), *parts(1, 3, (120, 300))]


def both(method: str, references: list[Image], **changes: object) -> tuple[Detector, Detector]:
    """The same detector on torch and on graphs."""
    made = []
    for runtime in ("torch", "onnx"):
        detector = oddlens.load(method, device="cpu", runtime=runtime)
        for name, value in changes.items():
            setattr(detector, name, value)
        made.append(detector.add_references(references) if references else detector)
    return made[0], made[1]


def agree(torch: Detector, graphs: Detector, images: list[Image], batch_sizes: Sequence[int] = (8,)) -> None:
    """Both find the same. batch_sizes: of the graphs, one after the other; torch has one."""
    assert (torch.runtime, graphs.runtime) == ("torch", "onnx")
    assert graphs.identity == torch.identity
    expected = torch.detect(images, "plate")
    for batch_size in batch_sizes:
        for one, other in zip(expected, graphs.detect_each(images, "plate", batch_size), strict=True):
            assert isinstance(other, oddlens.Detection)
            assert other.score == pytest.approx(one.score, abs=CLOSE)
            assert other.anomaly_map.shape == one.anomaly_map.shape
            assert np.abs(other.anomaly_map - one.anomaly_map).max() < CLOSE
            for name in ("image", "pixel", "review"):
                assert getattr(other.thresholds, name) == pytest.approx(getattr(one.thresholds, name), abs=CLOSE)
            assert (other.verdict, other.p_value) == (one.verdict, one.p_value)


@pytest.mark.parametrize(
    ("method", "references"), [("winclip", 0), ("winclip", 1), ("winclip", 4), ("patch-knn", 1), ("patch-knn", 4)]
)
@pytest.mark.needs_torch
def test_scores_maps_thresholds_and_verdicts(method: str, references: int, images: list[Image]) -> None:
    agree(*both(method, parts(references)), images, batch_sizes=(1, 3, 8))


@pytest.mark.needs_torch
def test_fifty_references(images: list[Image]) -> None:
    """Five, and 45 made of them: a tenth of their channels has the other sign. Uncalibrated: to hold out each takes ten seconds."""
    found = []
    for detector in both("winclip", []):
        method, rng = detector.method, np.random.default_rng(0)
        good = {
            name: np.concatenate([value] * 10) for name, value in arrays(detector.encode_references(parts(5))).items()
        }
        for value in good.values():
            signs = np.where(rng.random((45, value.shape[-1])) < 0.1, -1, 1)
            value[5:] *= signs.reshape(45, *[1] * (value.ndim - 2), -1).astype(np.float32)
        text, features = method.encode_prompts("plate"), arrays(detector.encode(images))
        with method.inference():
            memory = method.fit(method.from_arrays(good))
            for count in (1, 3, 8):
                some = method.from_arrays({name: value[:count] for name, value in features.items()})
                found.append(scores_to_numpy(method.score(some, text, memory)))
    for expected, other in zip(found[:3], found[3:], strict=True):
        assert other.scores == pytest.approx(expected.scores, abs=CLOSE)
        assert np.abs(np.subtract(other.maps, expected.maps)).max() < CLOSE


def arrays(encoded: EncodedBatch) -> dict[str, NDArray[np.generic]]:
    return dict(encoded.to_arrays().features)


@pytest.mark.parametrize("method", ["winclip", "patch-knn"])
@pytest.mark.needs_torch
def test_references_of_several_sizes_that_come_one_after_another(method: str, images: list[Image]) -> None:
    torch, graphs = both(method, [*parts(2), *parts(1, 5, (180, 180))])
    for detector in (torch, graphs):
        detector.add_references(parts(2, 7))
    agree(torch, graphs, images)


@pytest.mark.needs_torch
def test_more_references_than_run_at_once() -> None:
    agree(*both("patch-knn", parts(10, size=(60, 80))), parts(2, 3))


@pytest.mark.parametrize("method", ["winclip", "patch-knn"])
@pytest.mark.needs_torch
def test_tiles_and_a_region_of_interest(method: str, images: list[Image]) -> None:
    changes = {
        "preparation": Preparation.of(tiles="2x2", fit="pad"),
        "roi": RegionOfInterest(include=(((0, 0), (0.7, 0), (0.7, 1), (0, 1)),)),
    }
    agree(*both(method, parts(2), **changes), images[5:7])


@pytest.mark.parametrize("method", ["winclip", "patch-knn"])
@pytest.mark.needs_torch
def test_a_split_calibration_and_what_is_odd(method: str, images: list[Image]) -> None:
    torch, graphs = both(method, parts(3))
    seen = [detector.observe(parts(10, 11), "plate") for detector in (torch, graphs)]
    for one, other in zip(*seen, strict=True):
        assert other.score == pytest.approx(one.score, abs=CLOSE)
        assert other.embedding == pytest.approx(one.embedding, abs=CLOSE)
    for detector, observations in zip((torch, graphs), seen, strict=True):
        detector.calibrate(observations, 0.1, object_name="plate")
    assert graphs.calibration("plate").rank == torch.calibration("plate").rank  # type: ignore[union-attr]
    agree_on = images[5:6]
    (expected,), (found,) = (detector.detect(agree_on, "plate") for detector in (torch, graphs))
    assert (found.verdict, expected.verdict) == ("ng", "ng")
    assert found.thresholds.image == pytest.approx(expected.thresholds.image, abs=CLOSE)


@pytest.mark.parametrize(("made_by", "opened_by"), [("torch", "onnx"), ("onnx", "torch")])
@pytest.mark.parametrize("method", ["winclip", "patch-knn"])
@pytest.mark.needs_torch
def test_a_station_of_one_runtime_goes_on_with_the_other(
    method: str, made_by: str, opened_by: str, images: list[Image], tmp_path: Path
) -> None:
    made = oddlens.load(method, device="cpu", runtime=made_by).add_references(parts(4))
    made.calibrate(parts(10, 11), 0.1, object_name="plate")
    made.save(tmp_path / "station")
    opened = oddlens.open_station(tmp_path / "station", "cpu", runtime=opened_by)
    again = oddlens.open_station(tmp_path / "station", "cpu", runtime=made_by)
    assert (opened.runtime, opened.identity) == (opened_by, again.identity)
    some = images[4:7]
    for expected, found in zip(made.detect(some, "plate"), opened.detect(some, "plate"), strict=True):
        assert found.score == pytest.approx(expected.score, abs=CLOSE)
        assert (found.thresholds, found.verdict) == (expected.thresholds, expected.verdict)
    for detector in (made, opened):
        with pytest.warns(oddlens.OddlensWarning, match="is dropped"):
            detector.add_references(parts(1, 21))
    for expected, found in zip(made.detect(some, "plate"), opened.detect(some, "plate"), strict=True):
        assert found.thresholds.image == pytest.approx(expected.thresholds.image, abs=CLOSE)


class TestAnEarlierDefault:
    """patch-knn at 320 pixels, its score without the first stage: the default of earlier versions, whose graphs stay."""

    EARLIER = {"image_size": 320, "score_taps": "coarse"}  # noqa: RUF012

    def test_a_station_that_was_made_with_it_goes_on(self, images: list[Image], tmp_path: Path) -> None:
        made = oddlens.load("patch-knn", device="cpu", runtime="onnx", **self.EARLIER).add_references(parts(3))
        made.save(tmp_path / "station")
        written = json.loads((tmp_path / "station" / "station.json").read_text(encoding="utf-8"))
        assert "score_taps" not in written["recipe"]  # as those versions wrote it, which did not have the field
        opened = oddlens.open_station(tmp_path / "station", "cpu", runtime="onnx")
        assert (opened.recipe.image_size, opened.recipe.score_taps) == (320, "coarse")  # type: ignore[attr-defined]
        assert opened.identity == made.identity
        for expected, found in zip(made.detect(images[4:6]), opened.detect(images[4:6]), strict=True):
            assert (found.score, found.thresholds) == (expected.score, expected.thresholds)
        now = oddlens.load("patch-knn", device="cpu", runtime="onnx").add_references(parts(3))
        assert now.detect(images[5])[0].score != found.score

    @pytest.mark.needs_torch
    def test_its_graphs_give_what_torch_gives(self, images: list[Image], tmp_path: Path) -> None:
        oddlens.load("patch-knn", device="cpu", runtime="torch", **self.EARLIER).add_references(parts(3)).save(tmp_path)
        torch, graphs = (oddlens.open_station(tmp_path, "cpu", runtime=each) for each in ("torch", "onnx"))
        agree(torch, graphs, images[4:])

    @pytest.mark.needs_torch
    def test_half_of_it_is_no_recipe_that_graphs_have(self) -> None:
        for name, value in self.EARLIER.items():
            assert oddlens.load("patch-knn", device="cpu", **{name: value}).runtime == "torch"


@pytest.mark.needs_torch
def test_features_split_and_join_and_are_numpys(images: list[Image]) -> None:
    graphs = oddlens.load("patch-knn", device="cpu", runtime="onnx").add_references(parts(2))
    encoded = graphs.encode(images)
    assert all(isinstance(value, np.ndarray) for value in encoded.features.values())
    whole = graphs.predict(encoded, "plate")
    for number in (0, 6, 7):
        (alone,) = graphs.predict(encoded[number : number + 1], "plate")
        assert alone.score == pytest.approx(whole[number].score, abs=1e-5)
    expected = oddlens.load("patch-knn", device="cpu", runtime="torch").encode(images)
    for name, value in expected.features.items():
        assert np.abs(to_numpy(value) - encoded.features[name]).max() < CLOSE


class TestRuntimes:
    @pytest.mark.needs_torch
    def test_the_machine_names_it_and_the_identity_does_not(self) -> None:
        torch, graphs = both("winclip", [])
        assert [each.identity.machine["runtime"] for each in (torch, graphs)] == ["torch", "onnx"]
        assert "runtime" not in graphs.identity.to_dict()
        assert "precision" not in graphs.identity.to_dict()
        assert replace(graphs.identity, precision="int8").to_dict()["precision"] == "int8"
        assert replace(graphs.identity, precision="int8") != torch.identity

    @pytest.mark.parametrize(
        ("method", "given", "reason"),
        [
            ("winclip", {"temperature": 0.05}, "its graphs were made with temperature=0.07, not 0.05"),
            ("patch-knn", {"recipe": "plain"}, "its graphs were made with aspect=True, not False"),
            ("musc", {}, "there are no graphs of musc on the embedded model"),
            ("winclip", {"device": "cuda"}, "are for the processor, not for 'cuda'"),
        ],
    )
    @pytest.mark.needs_torch
    def test_what_graphs_cannot_do_is_torchs(self, method: str, given: dict[str, str], reason: str) -> None:
        with pytest.raises(UsageError, match=reason):
            oddlens.load(method, runtime="onnx", **given)
        if "device" not in given:
            assert oddlens.load(method, **given).runtime == "torch"

    def test_what_is_given_as_it_is_stays_with_graphs(self) -> None:
        assert oddlens.load("winclip", temperature=0.07).runtime == "onnx"
        assert oddlens.load("patch-knn", recipe="aligned", aspect=True, divide="map", place=None).runtime == "onnx"

    def test_another_recipe_of_a_loaded_one_is_torchs(self, images: list[Image]) -> None:
        graphs = oddlens.load("winclip", device="cpu", runtime="onnx")
        with pytest.raises(
            UsageError, match=r"made with temperature=0\.07, not 0\.05: load the detector with runtime 'torch'"
        ):
            graphs.predict(graphs.encode(images[0]), "plate", temperature=0.05)
        with pytest.raises(UsageError, match="made with score_taps='all', not 'coarse'"):
            oddlens.load("patch-knn", runtime="onnx").predict(graphs.encode(images[0]), score_taps="coarse")
        (found,) = graphs.predict(graphs.encode(images[0]), "plate", temperature=0.07)
        assert found.score == graphs.detect(images[0], "plate")[0].score

    def test_an_unknown_one_is_refused(self) -> None:
        with pytest.raises(UsageError, match="there is no runtime 'tensorrt'"):
            oddlens.load(runtime="tensorrt")

    def test_another_models_graphs_are_not_known(self, open_clip_folder: Path) -> None:
        with pytest.raises(UsageError, match="there are no graphs of the model"):
            oddlens.load(model=open_clip_folder, runtime="onnx")
        assert oddlens.load(model=open_clip_folder, device="cpu").runtime == "torch"

    def test_sets_and_defects_are_refused_in_a_sentence(self, images: list[Image]) -> None:
        graphs = oddlens.load("winclip", device="cpu", runtime="onnx")
        with pytest.raises(UsageError, match="winclip scores every image alone"):
            graphs.detect_set(images)
        with pytest.raises(UsageError, match="patch-knn needs good examples"):
            oddlens.load("patch-knn", device="cpu", runtime="onnx").detect(images[0])


@pytest.fixture
def forked() -> Iterator[None]:
    import multiprocessing

    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("processes are not forked here")
    return


def _scored(detector: Detector, image: Image) -> float:
    return detector.detect(image, "plate")[0].score


def test_a_forked_process_goes_on(images: list[Image], forked: None) -> None:
    import multiprocessing

    graphs = oddlens.load("winclip", device="cpu", runtime="onnx")
    score = _scored(graphs, images[0])
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(_scored, (graphs, images[0])).get(60) == pytest.approx(score, abs=1e-5)


@pytest.mark.needs_torch
def test_a_run_of_one_runtime_goes_on_with_the_other(tmp_path: Path, images: list[Image]) -> None:
    for number, image in enumerate(images[4:6]):
        PIL.Image.fromarray(image).save(tmp_path / f"{number}.png")
    names, out = [str(tmp_path / f"{number}.png") for number in range(2)], str(tmp_path / "out")
    first = run("detect", names[0], "--threshold", "0.3", "--runtime", "torch", "--out", out)
    assert first.code == 0
    assert run("detect", *names, "--threshold", "0.3", "--runtime", "onnx", "--out", out, "--resume").code == 0
    document = json.loads((tmp_path / "out" / "run.json").read_text())
    assert document["machine"]["runtime"] == "onnx"
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 2
