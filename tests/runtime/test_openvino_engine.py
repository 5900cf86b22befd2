"""Graphs on OpenVINO beside the same graphs on onnxruntime."""

import json
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.backbone.files import MINI_FOLDER
from oddlens.detector import Detector
from oddlens.errors import ModelError, UsageError
from oddlens.runtime.graph_folder import GraphFolder
from oddlens.runtime.graph_method import GraphMethod
from oddlens.runtime.session import open_graph
from tests.cli.program import run
from tests.runtime.test_detector import CLOSE, broken, parts

pytestmark = [pytest.mark.needs_openvino, pytest.mark.filterwarnings("ignore::oddlens.OddlensWarning")]

IMAGES = [*parts(3, seed=1), broken(parts(1, seed=1)[0]), *parts(1, 2, (120, 300))]


@pytest.fixture(scope="module", autouse=True)
def loaded() -> list[Detector]:
    """Detectors that keep the graphs loaded."""
    return [oddlens.load(method, device="cpu", runtime="openvino") for method in ("winclip", "patch-knn")]


def both(method: str, references: int) -> tuple[Detector, Detector]:
    """The same detector on onnxruntime and on OpenVINO."""
    one, other = (oddlens.load(method, device="cpu", runtime=runtime) for runtime in ("onnx", "openvino"))
    for detector in (one, other) if references else ():
        detector.add_references(parts(references))
    return one, other


@pytest.mark.parametrize(("method", "references"), [("winclip", 0), ("winclip", 3), ("patch-knn", 1), ("patch-knn", 3)])
def test_features_scores_maps_thresholds_and_verdicts(method: str, references: int) -> None:
    one, other = both(method, references)
    assert (one.runtime, other.runtime, other.identity) == ("onnx", "openvino", one.identity)
    ours, theirs = one.encode(IMAGES), other.encode(IMAGES)
    for name, value in ours.features.items():
        assert np.abs(np.asarray(theirs.features[name]) - np.asarray(value)).max() < CLOSE
    for expected, found in zip(one.predict(ours, "plate"), other.predict(theirs, "plate"), strict=True):
        assert found.score == pytest.approx(expected.score, abs=CLOSE)
        assert np.abs(found.anomaly_map - expected.anomaly_map).max() < CLOSE
        assert found.thresholds.image == pytest.approx(expected.thresholds.image, abs=CLOSE)
        assert found.verdict == expected.verdict


def test_a_station_of_one_goes_on_with_the_other(tmp_path: Path) -> None:
    made, _ = both("patch-knn", 3)
    made.save(tmp_path)
    opened = oddlens.open_station(tmp_path, runtime="openvino")
    for expected, found in zip(made.detect(IMAGES, "plate"), opened.detect(IMAGES, "plate"), strict=True):
        assert found.score == pytest.approx(expected.score, abs=CLOSE)
        assert found.verdict == expected.verdict


def test_a_run_names_it(tmp_path: Path) -> None:
    Image.fromarray(IMAGES[0]).save(tmp_path / "0.png")
    assert run("detect", tmp_path / "0.png", "--runtime", "openvino", "--out", tmp_path / "out").code == 0
    machine = json.loads((tmp_path / "out" / "run.json").read_text())["machine"]
    assert (machine["runtime"], machine["openvino"]) == ("openvino", version("openvino"))
    assert "onnxruntime" not in machine


def test_threads_and_pickles(tmp_path: Path) -> None:
    _, detector = both("winclip", 0)
    expected = [found.score for found in detector.detect(IMAGES, "plate")]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: detector.detect(image, "plate")[0].score, IMAGES * 2))
    assert found == pytest.approx(expected * 2, abs=1e-5)
    again = pickle.loads(pickle.dumps(detector))
    assert (again.runtime, again.detect(IMAGES[0], "plate")[0].score) == (
        "openvino",
        pytest.approx(expected[0], abs=1e-5),
    )


def scored(detector: Detector) -> float:
    return detector.detect(IMAGES[0], "plate")[0].score


def test_a_forked_process_goes_on() -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("processes are not forked here")
    _, detector = both("winclip", 0)
    score = scored(detector)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(scored, (detector,)).get(60) == pytest.approx(score, abs=1e-5)


LET_GO_ELSEWHERE = """
import os, signal, sys, threading
from pathlib import Path
from oddlens.runtime.openvino_engine import OpenVino

signal.signal(signal.SIGTERM, lambda number, frame: print("caught", flush=True))
held = [OpenVino().open(Path(sys.argv[1]), "cpu", 1)]
thread = threading.Thread(target=held.clear)
thread.start()
thread.join()
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_reaches_a_process_that_let_its_last_graph_go_in_another_thread() -> None:
    graph = MINI_FOLDER / "graphs" / "patch-knn" / "finish.onnx"
    done = subprocess.run([sys.executable, "-c", LET_GO_ELSEWHERE, graph], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "caught\n"), done.stderr


def test_another_device_is_refused() -> None:
    with pytest.raises(UsageError, match="the device 'cuda' cannot be used by runtime 'openvino': give cpu"):
        GraphMethod(GraphFolder.read(MINI_FOLDER / "graphs" / "winclip"), "cuda", "openvino")


def test_what_is_no_graph_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "encoder.onnx").write_bytes(b"no graph")
    with pytest.raises(
        ModelError, match=r"encoder\.onnx is no graph that this openvino reads \(.*\): export the graphs again"
    ):
        open_graph(tmp_path / "encoder.onnx", "0" * 64, "cpu", "openvino").run({}, [])
    assert capfd.readouterr().err == ""


def test_arrays_of_another_shape_are_refused_in_a_sentence() -> None:
    path, digest = GraphFolder.read(MINI_FOLDER / "graphs" / "winclip").file("fit")
    with pytest.raises(ModelError, match=r"fit\.onnx cannot be run \(Can't set the input tensor"):
        open_graph(path, digest, "cpu", "openvino").run({"reference:patch": np.zeros((1, 2, 3), np.float32)}, [])


def test_nothing_is_written_where_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scored(both("winclip", 0)[1])
    assert list(tmp_path.iterdir()) == []
